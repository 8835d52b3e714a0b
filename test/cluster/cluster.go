// Package cluster runs a real control plane and the operator beside it, for the
// demo, the end-to-end tests and the benchmarks. Its promise: nothing is left
// when it is closed, and what ends early says why.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Cluster is a control plane of hack/localcluster with a simulated node.
type Cluster struct {
	// Root is the project's root.
	Root string
	// Kubeconfig is that of the administrator.
	Kubeconfig string
	// Kubectl is the path of the kubectl that belongs to the cluster.
	Kubectl string
	// Workdir is a folder that Close removes.
	Workdir string
	// AuditLog is the file to which the API server writes metadata of every
	// request; empty if it was not asked for.
	AuditLog string

	process *Process
}

// Options say what a cluster is started with.
type Options struct {
	// Root is the project's root.
	Root string
	// Progress gets what the first build prints; nil discards it.
	Progress io.Writer
	// Audit asks for an audit log.
	Audit bool
}

// Start builds what is not cached, and starts a cluster.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	workdir, err := os.MkdirTemp("", "hipaa-cluster-")
	if err != nil {
		return nil, fmt.Errorf("making a work folder: %w", err)
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, fmt.Errorf("finding the project's root: %w", err)
	}
	c := &Cluster{Root: root, Workdir: workdir, Kubeconfig: filepath.Join(workdir, "kubeconfig")}
	if o.Audit {
		c.AuditLog = filepath.Join(workdir, "audit.log")
	}
	if err := c.start(ctx, o.Progress); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, progress io.Writer) error {
	tool := filepath.Join(c.Workdir, "localcluster")
	if _, err := output(ctx, filepath.Join(c.Root, "hack", "localcluster"), "go", "build", "-o", tool, "."); err != nil {
		return fmt.Errorf("building hack/localcluster: %w", err)
	}
	build := exec.CommandContext(ctx, tool, "build") //nolint:gosec // the tool that was just built
	build.Stdout, build.Stderr = progress, progress
	if err := build.Run(); err != nil {
		return fmt.Errorf("compiling the control plane: %w", err)
	}
	assets, err := output(ctx, c.Root, tool, "assets")
	if err != nil {
		return fmt.Errorf("looking for kubectl: %w", err)
	}
	c.Kubectl = filepath.Join(strings.TrimSpace(assets), "kubectl")
	args := []string{"up", "--simulated-node", "--kubeconfig", c.Kubeconfig}
	if c.AuditLog != "" {
		args = append(args, "--audit-log", c.AuditLog)
	}
	if c.process, err = Launch(filepath.Join(c.Workdir, "cluster.log"), nil, tool, args...); err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	return Eventually(ctx, "the cluster", 2*time.Minute, func() error {
		if err := c.process.Alive(); err != nil {
			return err
		}
		_, err := c.Run(ctx, "get", "nodes", "--request-timeout=2s")
		return err
	})
}

// Close stops the cluster and removes its folder.
func (c *Cluster) Close() {
	if c.process != nil {
		c.process.Stop()
	}
	_ = os.RemoveAll(c.Workdir)
}

// Run runs kubectl in the project's root and returns all that it printed.
func (c *Cluster) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Kubectl, args...) //nolint:gosec // what tests and the demo ask for is the point
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Eventually asks until there is no error, or the limit has passed, or asking
// again is pointless.
func Eventually(ctx context.Context, what string, limit time.Duration, ask func() error) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if _, pointless := errors.AsType[fatalError](err); pointless {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("waiting %s for %s: %w", limit, what, err)
		case <-ticker.C:
		}
	}
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // commands of this package
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return "", fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return string(out), err
}
