package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// up runs a cluster in the foreground until somebody stops it.
func (t tool) up(s *signals, args []string) (code int, err error) {
	o, err := t.options(args)
	if err != nil {
		return exitUsage, err
	}
	if len(o.command) > 0 {
		return exitUsage, usageError(fmt.Sprintf("up takes no command, got %q; use run", o.command))
	}
	c, err := t.begin(s, o)
	if err != nil {
		return exitFailed, err
	}
	defer func() { err = errors.Join(err, c.stop(s.hard)) }()
	fmt.Fprintln(t.err, "Stop it with Ctrl-C.")
	select {
	case <-s.soft.Done():
		fmt.Fprintln(t.err, "Stopping...")
		return exitOK, nil
	case p := <-c.died:
		return exitFailed, p.earlyEnd()
	}
}

// down removes what killed clusters have left. A living one belongs to its own tool: Ctrl-C there ends it.
func (t tool) down(args []string) (int, error) {
	if len(args) > 0 {
		return exitUsage, usageError("down takes no arguments")
	}
	if err := sweepWorkdirs(os.TempDir(), t.now()); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

func (t tool) options(args []string) (options, error) {
	base, err := t.standpoint()
	if err != nil {
		return options{}, err
	}
	return parseOptions(args, base)
}

// standpoint is the folder where the caller stands. `go run -C hack/localcluster .` moves
// the tool into its own module, but leaves PWD as the caller's shell had set it.
func (t tool) standpoint() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working folder: %w", err)
	}
	pwd := t.getenv("PWD")
	content, err := os.ReadFile(filepath.Join(here, "go.mod"))
	if err != nil || string(content) != ownGoMod || !filepath.IsAbs(pwd) {
		return here, nil //nolint:nilerr // not our module: nobody moved us
	}
	if info, err := os.Stat(pwd); err != nil || !info.IsDir() {
		return here, nil //nolint:nilerr // a stale PWD says nothing
	}
	return pwd, nil
}

// begin builds what is missing, starts the cluster and tells about it.
func (t tool) begin(s *signals, o options) (*cluster, error) {
	if o.kubeconfig != "" {
		if err := checkKubeconfigPath(o.kubeconfig); err != nil {
			return nil, err
		}
	}
	bin, o, err := t.prepare(s.soft, o)
	if err != nil {
		return nil, err
	}
	started := t.now()
	c, err := startCluster(s, bin, o, t.now)
	if err != nil {
		return nil, err
	}
	c.describe(t.err, t.now().Sub(started))
	if o.printEnv {
		for _, setting := range c.environment(t.getenv("PATH")) {
			name, value, _ := strings.Cut(setting, "=")
			fmt.Fprintf(t.out, "export %s=%s\n", name, shellQuote(value))
		}
	}
	return c, nil
}

// prepare builds what the cluster needs. Where there can be no real node, the caller learns why and gets the control plane.
func (t tool) prepare(ctx context.Context, o options) (cache, options, error) {
	want := allComponents
	if o.node {
		bin, err := openCache(t.getenv)
		if err != nil {
			return cache{}, o, err
		}
		if o.obstacle = nodeObstacle(ctx, nodeFolders(bin), t.err); o.obstacle != "" {
			o.node, o.policies = false, false
			fmt.Fprintf(t.err, "no real node here: %s. Going on with the control plane alone.\n", o.obstacle)
		} else {
			want = append(slices.Clip(want), nodeComponents...)
		}
	}
	bin, err := t.ensure(ctx, want)
	return bin, o, err
}

// callerStart starts the caller's command: where there is a real node, in its network, which the pods share.
func (c *cluster) callerStart() func(*exec.Cmd) error {
	if c.box != nil {
		return c.box.startAtNet
	}
	return startedByNursery
}

// environment is what a program needs to work with the cluster: kubectl of the same version comes first in PATH.
func (c *cluster) environment(path string) []string {
	env := []string{
		"KUBECONFIG=" + c.kubeconfigPath(),
		assetsEnv + "=" + c.plan.bin.dir,
		"PATH=" + strings.TrimSuffix(c.plan.bin.dir+string(os.PathListSeparator)+path, string(os.PathListSeparator)),
	}
	if self, err := os.Executable(); err == nil {
		env = append(env, toolEnv+"="+self)
	}
	switch {
	case c.options.obstacle != "":
		env = append(env, noNodeEnv+"="+c.options.obstacle)
	case c.box != nil:
		env = append(env, nodePIDEnv+"="+strconv.Itoa(c.box.pid()),
			containerdEnv+"="+containerdFrom(c.box.pid()))
	}
	return env
}

// What a program learns of this tool, and of the real node or its absence.
const (
	toolEnv       = "LOCALCLUSTER"
	nodePIDEnv    = "LOCALCLUSTER_NODE_PID"
	containerdEnv = "LOCALCLUSTER_CONTAINERD"
	noNodeEnv     = "LOCALCLUSTER_NO_NODE"
)

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
