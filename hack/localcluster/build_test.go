package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeGo puts a go command of our own first in PATH. $out is the file that it should make.
func fakeGo(t *testing.T, script string) (calls func() int) {
	t.Helper()
	dir := t.TempDir()
	count := filepath.Join(dir, "calls")
	writeFile(t, filepath.Join(dir, "go"), `#!/bin/sh
echo "$@" >>`+count+`
while [ "$1" != -o ]; do shift; done
out=$2
`+script, 0o755)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() int {
		content, err := os.ReadFile(count)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return bytes.Count(content, []byte("\n"))
	}
}

func newBuilder(t *testing.T, out *bytes.Buffer) builder {
	t.Helper()
	return builder{
		cache:    cache{dir: filepath.Join(t.TempDir(), "cache"), release: ownRelease(t)},
		progress: &progress{out: out, now: time.Now},
	}
}

func TestEnsureBuildsWhatIsMissingOnce(t *testing.T) {
	calls := fakeGo(t, "cp go.mod $out && chmod +x $out\n")
	var out bytes.Buffer
	b := newBuilder(t, &out)
	for range 2 {
		if err := b.ensure(t.Context(), envtestComponents); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := calls(), len(envtestComponents); got != want {
		t.Errorf("called the go command %d times, want %d", got, want)
	}
	if got, _ := os.ReadFile(b.cache.path(etcdComponent)); string(got) != ownGoMod {
		t.Error("the build did not run in a module with our versions")
	}
	want := []string{".etcd.recipe", ".kube-apiserver.recipe", ".kubectl.recipe", "etcd", "kube-apiserver", "kubectl"}
	if diff := cmp.Diff(want, names(t, b.cache.dir)); diff != "" {
		t.Errorf("the cache holds (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), "[3/3] kubectl built in") {
		t.Errorf("progress was %q", out.String())
	}
}

func TestEnsureGoesOnAfterAFailure(t *testing.T) {
	ok := filepath.Join(t.TempDir(), "ok")
	calls := fakeGo(t, `echo partial >$out
case $out in *kube-apiserver*) [ -e `+ok+` ] || { echo "write x: no space left on device" >&2; exit 1; };; esac
chmod +x $out
`)
	var out bytes.Buffer
	b := newBuilder(t, &out)
	err := b.ensure(t.Context(), envtestComponents)
	for _, want := range []string{"building kube-apiserver: exit status 1", "write x: no space left on device", "the disk is full"} {
		wantErrorContaining(t, err, want)
	}
	if diff := cmp.Diff([]string{".etcd.recipe", "etcd"}, names(t, b.cache.dir)); diff != "" {
		t.Errorf("after the failure the cache holds (-want +got):\n%s", diff)
	}
	writeFile(t, ok, "", 0o644)
	if err := b.ensure(t.Context(), envtestComponents); err != nil {
		t.Fatal(err)
	}
	if got := calls(); got != 4 {
		t.Errorf("called the go command %d times, want 4: etcd must not be built again", got)
	}
}

func TestEnsureByTwoAtOnceBuildsOnce(t *testing.T) {
	calls := fakeGo(t, "cp go.mod $out && chmod +x $out\n")
	var outs [2]bytes.Buffer
	first := newBuilder(t, &outs[0])
	second := builder{cache: first.cache, progress: &progress{out: &outs[1], now: time.Now}}
	var both sync.WaitGroup
	for _, b := range []builder{first, second} {
		both.Go(func() {
			if err := b.ensure(t.Context(), allComponents); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if got, want := calls(), len(allComponents); got != want {
		t.Errorf("called the go command %d times, want %d", got, want)
	}
}

func TestEnsureStopsTheCompilerWhenInterrupted(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	fakeGo(t, "touch "+started+"; touch $out; exec sleep 1000\n")
	var out bytes.Buffer
	b := newBuilder(t, &out)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		eventually(t, "the compiler runs", func() bool { _, err := os.Stat(started); return err == nil })
		cancel(why)
	}()
	if err := b.ensure(ctx, allComponents); !errors.Is(err, why) {
		t.Errorf("got %v, want the reason of the interruption", err)
	}
	if got := names(t, b.cache.dir); len(got) != 0 {
		t.Errorf("left %v in the cache", got)
	}
}

func TestEnsureWithoutRoomForTheCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "", 0o644)
	var out bytes.Buffer
	b := newBuilder(t, &out)
	b.cache.dir = filepath.Join(file, "cache")
	wantErrorContaining(t, b.ensure(t.Context(), allComponents), "creating the cache")
}

func TestBuildEnv(t *testing.T) {
	got := buildEnv([]string{"HOME=/home/a", "GOFLAGS=-mod=mod", "GOPROXY=https://proxy.example.org", "GOFIPS140=certified", "CGO_ENABLED=1", "GOOS=plan9"})
	for _, want := range []string{"HOME=/home/a", "GOPROXY=https://proxy.example.org", "CGO_ENABLED=0", "GOFLAGS=", "GOFIPS140=off", "GOWORK=off"} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %q", got, want)
		}
	}
	for _, unwanted := range []string{"GOFLAGS=-mod=mod", "GOFIPS140=certified", "CGO_ENABLED=1", "GOOS=plan9"} {
		if slices.Contains(got, unwanted) {
			t.Errorf("keeps %q", unwanted)
		}
	}
}

// eventually asks until the condition holds, for at most a minute.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Errorf("waited a minute in vain until %s", what)
			return
		case <-tick.C:
		}
	}
}
