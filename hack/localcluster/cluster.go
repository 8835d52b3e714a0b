package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// cluster is a running control plane and what has to be undone when it stops.
type cluster struct {
	plan    plan
	options options
	work    workdir
	now     func() time.Time

	admin     login
	processes []*process // in the order of their start
	died      chan *process
	node      context.CancelFunc
	nodeDone  sync.WaitGroup
	// box and relay are nil unless the cluster has a real node.
	box   *sandbox
	relay *relay
	// written is the content of the kubeconfig at kubeconfigPath, nil before it is there.
	written []byte
}

// portAttempts is how often a cluster is started anew because another program took a port in between.
const portAttempts = 3

// startCluster returns once every part is ready, or after everything it started is gone again.
func startCluster(s *signals, bin cache, o options, now func() time.Time) (*cluster, error) {
	if err := sweepWorkdirs(os.TempDir(), now()); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := newCluster(bin, o, now)
		if err != nil {
			return nil, err
		}
		err = c.start(s.soft)
		if err == nil {
			return c, nil
		}
		err = errors.Join(err, c.stop(s.hard))
		if attempt == portAttempts || s.soft.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
	}
}

func newCluster(bin cache, o options, now func() time.Time) (*cluster, error) {
	work, err := newWorkdir(os.TempDir())
	if err != nil {
		return nil, err
	}
	p, err := newPlan(bin, work.path, o, now())
	if err != nil {
		return nil, errors.Join(err, work.remove())
	}
	return &cluster{plan: p, options: o, work: work, now: now, died: make(chan *process, len(allComponents)+len(nodeComponents))}, nil
}

// start brings the parts up in the order in which they need each other.
func (c *cluster) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		c.openSandbox, c.startRuntime, c.startEtcd, c.startAPIServer, c.startControllers, c.startNode, c.startRealNode, c.startPolicies, c.publish,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) startEtcd(ctx context.Context) error {
	etcd, err := c.launch(etcdComponent, c.plan.etcdArgs())
	if err != nil {
		return err
	}
	asAPIServer, err := readLogin(localURL(c.plan.ports.etcd), "etcd", c.plan.pki.etcdCA.cert, c.plan.pki.etcdClient)
	if err != nil {
		return err
	}
	return c.awaitReady(ctx, etcd, asAPIServer, "/readyz")
}

func (c *cluster) startAPIServer(ctx context.Context) error {
	if err := c.plan.writeAuditPolicy(); err != nil {
		return err
	}
	server, err := c.launch(apiServerComponent, c.plan.apiServerArgs())
	if err != nil {
		return err
	}
	if c.admin, err = c.loginTo(c.plan.ports.apiServer, "local-cluster-admin", c.plan.pki.admin); err != nil {
		return err
	}
	return c.awaitReady(ctx, server, c.admin, "/readyz")
}

// startControllers starts controller-manager and scheduler side by side.
func (c *cluster) startControllers(ctx context.Context) error {
	if err := c.writeKubeconfigs(map[string]keyPair{"controller-manager": c.plan.pki.managerUser, "scheduler": c.plan.pki.schedulerUser}); err != nil {
		return err
	}
	manager, err := c.launch(controllerManagerComponent, c.plan.controllerManagerArgs())
	if err != nil {
		return err
	}
	scheduler, err := c.launch(schedulerComponent, c.plan.schedulerArgs())
	if err != nil {
		return err
	}
	if err := c.awaitAsAdmin(ctx, manager, c.plan.ports.manager, "/healthz"); err != nil {
		return err
	}
	if err := c.awaitAsAdmin(ctx, scheduler, c.plan.ports.scheduler, "/readyz"); err != nil {
		return err
	}
	// Pods cannot be created before their default ServiceAccount exists.
	return c.awaitReady(ctx, manager, c.admin, "/api/v1/namespaces/default/serviceaccounts/default")
}

func (c *cluster) startNode(ctx context.Context) error {
	if !c.options.simulatedNode {
		return nil
	}
	l, err := c.loginTo(c.plan.ports.apiServer, "system:node:"+nodeName, c.plan.pki.node)
	if err != nil {
		return err
	}
	client, err := l.client()
	if err != nil {
		return err
	}
	node := simulatedNode{client: client, version: c.plan.bin.release.kubernetes, since: c.now()}
	if err := node.register(ctx); err != nil {
		return err
	}
	log, err := os.OpenFile(c.plan.file(nodeName+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("starting the simulated node: %w", err)
	}
	nodeCtx, cancel := context.WithCancel(context.Background())
	c.node = cancel
	c.nodeDone.Go(func() {
		defer log.Close()
		(&simulation{node: node, log: log, now: c.now}).run(nodeCtx)
	})
	return nil
}

// publish writes the kubeconfig last: whoever waits for the file waits for a ready cluster.
func (c *cluster) publish(context.Context) error {
	if err := checkKubeconfigPath(c.kubeconfigPath()); err != nil {
		return err
	}
	content := c.admin.kubeconfig()
	if err := writeFileAtomic(c.kubeconfigPath(), content, 0o600); err != nil {
		return err
	}
	c.written = content
	return nil
}

func (c *cluster) kubeconfigPath() string {
	if c.options.kubeconfig != "" {
		return c.options.kubeconfig
	}
	return c.plan.file("admin.kubeconfig")
}

func (c *cluster) launch(what component, args []string) (*process, error) {
	return c.launchCommand(c.command(what, args))
}

func (c *cluster) launchCommand(cmd *exec.Cmd) (*process, error) {
	start := startedByNursery
	if c.box != nil {
		start = c.box.start
	}
	p, err := startProcess(c.plan.dir, cmd, start)
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	go func() {
		<-p.ended
		c.died <- p
	}()
	return p, nil
}

func (c *cluster) command(what component, args []string) *exec.Cmd {
	cmd := exec.Command(c.plan.bin.path(what), args...)
	if c.box != nil {
		cmd.Env = append(os.Environ(), "PATH="+nodePath(c.plan.bin))
	}
	return cmd
}

// writeKubeconfigs writes one for each component that calls the API server, by its name.
func (c *cluster) writeKubeconfigs(users map[string]keyPair) error {
	for file, user := range users {
		l, err := c.loginTo(c.plan.ports.apiServer, file, user)
		if err != nil {
			return err
		}
		if err := writeFileAtomic(c.plan.file(file+".kubeconfig"), l.kubeconfig(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) loginTo(port int, user string, pair keyPair) (login, error) {
	return readLogin(localURL(port), user, c.plan.pki.ca.cert, pair)
}

func (c *cluster) awaitAsAdmin(ctx context.Context, p *process, port int, path string) error {
	l, err := c.loginTo(port, "local-cluster-admin", c.plan.pki.admin)
	if err != nil {
		return err
	}
	return c.awaitReady(ctx, p, l, path)
}

// stop undoes everything in reverse order. It is safe on a cluster that has started in part.
func (c *cluster) stop(hurry context.Context) error {
	var errs []error
	if c.written != nil {
		errs = append(errs, removeKubeconfig(c.kubeconfigPath(), c.written))
	}
	if c.node != nil {
		c.node()
		c.nodeDone.Wait()
	}
	errs = append(errs, c.closeSandbox())
	for _, p := range slices.Backward(c.processes) {
		errs = append(errs, p.stop(hurry))
	}
	return errors.Join(append(errs, c.work.remove())...)
}

// describe tells a person what is there.
func (c *cluster) describe(out io.Writer, took time.Duration) {
	node := "no node: pods stay Pending (--node adds a real one, --simulated-node one that only pretends)"
	switch {
	case c.options.simulatedNode:
		node = nodeName + ": it only pretends to run pods; no container is started"
	case c.options.node:
		node = fmt.Sprintf("%s, a real one; its network is that of process %d: nsenter --net --target %d", realNodeName, c.box.pid(), c.box.pid())
	}
	fmt.Fprintf(out, `Kubernetes %s is ready after %s.
  kubeconfig  %s
  API server  %s
  metrics     %s/metrics (controller-manager), %s/metrics (scheduler), with the admin's certificate
  node        %s
  logs        %s
`, c.plan.bin.release.kubernetes, took.Round(100*time.Millisecond), c.kubeconfigPath(), c.admin.server,
		localURL(c.plan.ports.manager), localURL(c.plan.ports.scheduler), node, c.plan.file("*.log"))
}
