package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/term"
)

const usage = `localcluster builds Kubernetes from Go modules and runs its control plane on loopback.

  localcluster build [--node]                 build every program into the cache; with --node those of a real node too
  localcluster assets                         print the folder of kube-apiserver, etcd and kubectl (for envtest)
  localcluster up [flags]                     run a cluster until Ctrl-C
  localcluster run [flags] -- COMMAND ARG...  run a cluster, then COMMAND with KUBECONFIG set; exit as it does
  localcluster down                           remove what clusters left whose tool was killed; every start does it too
  localcluster image --name NAME PROGRAM...   make a container image of static programs and give it to the node
  localcluster image --archive FILE           give the node an image that is an OCI archive already
  localcluster policies                       below run --node: let the node drop what NetworkPolicies forbid, until Ctrl-C

Flags of up and run:
`

// Exit codes. run returns the exit code of its command instead.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// tool is one invocation; the fields are its whole connection to the world.
type tool struct {
	args         []string
	in, out, err *os.File
	getenv       func(string) string
	now          func() time.Time
}

// run does what the arguments say and returns the exit code.
func (t tool) run() int {
	signals := watchSignals()
	defer signals.stop()
	code, err := t.dispatch(signals)
	var wrong usageError
	switch {
	case err == nil:
		return code
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(t.out, usage, flagHelp())
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(t.err, "localcluster: %v\n\n%s%s", err, usage, flagHelp())
		return exitUsage
	default:
		fmt.Fprintf(t.err, "localcluster: %v\n", err)
		return max(code, exitFailed)
	}
}

func (t tool) dispatch(s *signals) (int, error) {
	name, rest := "", []string(nil)
	if len(t.args) > 0 {
		name, rest = t.args[0], t.args[1:]
	}
	switch name {
	case "build":
		return t.build(s.soft, rest)
	case "assets":
		return t.assets(s.soft, rest)
	case "up":
		return t.up(s, rest)
	case "run":
		return t.runCommand(s, rest)
	case "down":
		return t.down(rest)
	case "policies":
		return t.policies(s, rest)
	case "image":
		return t.image(s.soft, rest)
	case "help", "-h", "--help":
		return exitOK, flag.ErrHelp
	case "":
		return exitUsage, usageError("which command?")
	}
	return exitUsage, usageError(fmt.Sprintf("unknown command %q", name))
}

// build makes every program and says where they are.
func (t tool) build(ctx context.Context, args []string) (int, error) {
	want := allComponents
	switch {
	case len(args) == 1 && args[0] == "--node":
		want = append(slices.Clip(want), nodeComponents...)
	case len(args) > 0:
		return exitUsage, usageError("build takes no arguments but --node")
	}
	c, err := t.ensure(ctx, want)
	if err != nil {
		return exitFailed, err
	}
	_, err = fmt.Fprintf(t.err, "%d programs of Kubernetes %s are in %s\n", len(want), c.release.kubernetes, c.dir)
	return exitOK, err
}

// assets prints a folder for envtest and nothing else on standard output.
func (t tool) assets(ctx context.Context, args []string) (int, error) {
	if len(args) > 0 {
		return exitUsage, usageError("assets takes no arguments")
	}
	dir := t.getenv(assetsEnv)
	if dir == "" {
		c, err := t.ensure(ctx, envtestComponents)
		if err != nil {
			return exitFailed, err
		}
		return t.printDir(c.dir)
	}
	for _, p := range envtestComponents {
		if !executable(filepath.Join(dir, p.name)) {
			return exitFailed, fmt.Errorf("reading %s: %s has no program %s", assetsEnv, dir, p.name)
		}
	}
	return t.printDir(dir)
}

func (t tool) printDir(dir string) (int, error) {
	_, err := fmt.Fprintln(t.out, dir)
	return exitOK, err
}

// assetsEnv names envtest's folder of programs; a value set by the caller is used as it is.
const assetsEnv = "KUBEBUILDER_ASSETS"

// ensure returns the cache with at least the wanted programs in it.
func (t tool) ensure(ctx context.Context, want []component) (cache, error) {
	c, err := openCache(t.getenv)
	if err != nil {
		return cache{}, err
	}
	p := &progress{out: t.err, terminal: term.IsTerminal(int(t.err.Fd())), now: t.now}
	return c, builder{cache: c, progress: p}.ensure(ctx, want)
}

func openCache(getenv func(string) string) (cache, error) {
	r, err := ownVersions()
	if err != nil {
		return cache{}, err
	}
	dir, err := cacheDir(getenv, r.kubernetes, runtime.GOOS+"-"+runtime.GOARCH)
	return cache{dir: dir, release: r}, err
}
