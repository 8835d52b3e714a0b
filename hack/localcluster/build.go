package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// builder makes the programs of a release with the go command and nothing else.
type builder struct {
	cache    cache
	progress *progress
}

// ensure builds what is missing, one program after the other, each under its own lock:
// whoever waits for a program goes on as soon as that one is there.
func (b builder) ensure(ctx context.Context, want []component) error {
	missing := b.cache.missing(want)
	if len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(b.cache.dir, 0o755); err != nil {
		return fmt.Errorf("creating the cache: %w", err)
	}
	b.progress.say("building %d programs of Kubernetes %s from source into %s; the first time takes minutes, later it is instant",
		len(missing), b.cache.release.kubernetes, b.cache.dir)
	for i, p := range missing {
		if err := b.one(ctx, p, task{number: i + 1, total: len(missing), name: p.name}); err != nil {
			return fmt.Errorf("building %s: %w", p.name, err)
		}
	}
	return nil
}

func (b builder) one(ctx context.Context, p component, t task) (err error) {
	l, err := lock(ctx, b.cache.lockPath(p), func() {
		b.progress.say("[%d/%d] %s is being built by another process, waiting for it", t.number, t.total, t.name)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if b.cache.has(p) {
		return nil // the other process was faster
	}
	return b.progress.during(t, func() error { return b.compile(ctx, p) })
}

// compile links p in a scratch module that holds nothing but the pinned versions, and p's file if it has one.
func (b builder) compile(ctx context.Context, p component) (err error) {
	module, partial := b.cache.modulePath(p), b.cache.partialPath(p)
	sweep := func() error { return errors.Join(os.RemoveAll(module), os.RemoveAll(partial)) }
	// What a killed build has left goes before, what this one leaves goes after.
	if err := sweep(); err != nil {
		return fmt.Errorf("clearing the cache: %w", err)
	}
	defer func() { err = errors.Join(err, sweep()) }()
	versions := p.modules(b.cache.release)
	files := map[string]string{"go.mod": versions.goMod, "go.sum": versions.goSum}
	if p.source != "" {
		files[p.pkg] = p.source
	}
	for name, content := range files {
		path := filepath.Join(module, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("creating a scratch module: %w", err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing the scratch module: %w", err)
		}
	}
	if err := b.goBuild(ctx, p); err != nil {
		return err
	}
	return b.cache.store(p)
}

func (b builder) goBuild(ctx context.Context, p component) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v",
		"-ldflags", b.cache.release.linkerFlags(), "-o", b.cache.partialPath(p), p.pkg)
	cmd.Dir = b.cache.modulePath(p)
	cmd.Env = buildEnv(os.Environ())
	cmd.SysProcAttr = ownGroup()
	// Interrupted, the go command removes its own scratch files; killed, it could not.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	log := &compileLog{count: b.progress.count}
	cmd.Stdout, cmd.Stderr = log, log
	err := startedByNursery(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	var text strings.Builder
	text.WriteString(err.Error())
	if said := log.text(); said != "" {
		text.WriteString("\n" + said)
	}
	if hint := advice(text.String()); hint != "" {
		text.WriteString("\n" + hint)
	}
	return errors.New(text.String())
}

// buildEnv drops settings of the caller that would change the result, and keeps proxies and caches.
func buildEnv(environ []string) []string {
	fixed := []string{
		"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GO111MODULE=on", "GOFIPS140=off", "GOEXPERIMENT=",
		"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH,
	}
	var env []string
	for _, setting := range environ {
		name, _, _ := strings.Cut(setting, "=")
		if !setsName(fixed, name) {
			env = append(env, setting)
		}
	}
	return append(env, fixed...)
}

func setsName(settings []string, name string) bool {
	for _, s := range settings {
		if strings.HasPrefix(s, name+"=") {
			return true
		}
	}
	return false
}
