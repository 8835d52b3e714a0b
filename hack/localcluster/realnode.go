package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// openSandbox gives a cluster with a real node its namespaces, before anything else starts:
// the whole control plane runs there too, because pods must reach the API server and
// webhooks must be reached from it, and so that clusters side by side share no port.
func (c *cluster) openSandbox(ctx context.Context) error {
	if !c.options.node {
		return nil
	}
	var err error
	kubelet := c.plan.file("kubelet")
	if err := os.Mkdir(kubelet, 0o700); err != nil {
		return fmt.Errorf("making the kubelet's folder: %w", err)
	}
	if c.box, err = newSandbox(kubelet); err != nil {
		return err
	}
	if err := makeCgroups(cgroupRoot, c.plan.cgroup()); err != nil {
		return err
	}
	if err := runInside(ctx, c.box, networkCommands); err != nil {
		return fmt.Errorf("furnishing the node's network: %w", err)
	}
	ports := c.plan.ports
	c.relay, err = newRelay(c.box, ports.etcd, ports.apiServer, ports.manager, ports.scheduler)
	return err
}

// startRuntime starts containerd and gives it the images that a node cannot do without.
func (c *cluster) startRuntime(ctx context.Context) error {
	if !c.options.node {
		return nil
	}
	if err := c.plan.writeContainerd(debianPackages["runc"]); err != nil {
		return err
	}
	runtime, err := c.launch(containerdComponent, c.plan.containerdArgs())
	if err != nil {
		return err
	}
	answers := func(ctx context.Context) error { return c.ctr(ctx, "version") }
	if err := c.await(ctx, runtime, answers); err != nil {
		return err
	}
	for name, program := range map[string]component{pauseImage: pauseComponent, corednsImage: corednsComponent} {
		archive := c.plan.file(program.name + ".tar")
		if err := (image{name: name, programs: []string{c.plan.bin.path(program)}}).writeArchive(archive); err != nil {
			return err
		}
		if err := errors.Join(c.ctr(ctx, "images", "import", archive), os.Remove(archive)); err != nil {
			return fmt.Errorf("importing %s: %w", name, err)
		}
	}
	return nil
}

func (c *cluster) ctr(ctx context.Context, args ...string) error {
	return ctr(ctx, c.plan.bin, containerdFrom(c.box.pid()), args...)
}

// startRealNode starts the kubelet, which exits unless containerd answers, and what makes Services work.
func (c *cluster) startRealNode(ctx context.Context) error {
	if !c.options.node {
		return nil
	}
	if err := c.writeKubeconfigs(map[string]keyPair{"kubelet": c.plan.pki.kubelet, "kube-proxy": c.plan.pki.serviceProxy}); err != nil {
		return err
	}
	if err := errors.Join(
		writeJSON(c.plan.file("kubelet.json"), c.plan.kubeletConfig()),
		writeJSON(c.plan.file("kube-proxy.json"), c.plan.kubeProxyConfig()),
	); err != nil {
		return err
	}
	kubelet, err := c.launch(kubeletComponent, c.plan.kubeletArgs())
	if err != nil {
		return err
	}
	proxy, err := c.launch(kubeProxyComponent, c.plan.kubeProxyArgs())
	if err != nil {
		return err
	}
	admin, err := c.admin.client()
	if err != nil {
		return err
	}
	defer admin.http.CloseIdleConnections()
	if err := installDNS(ctx, admin); err != nil {
		return err
	}
	if err := c.await(ctx, kubelet, func(ctx context.Context) error { return nodeReady(ctx, admin) }); err != nil {
		return err
	}
	return c.await(ctx, proxy, func(ctx context.Context) error { return dnsReady(ctx, admin) })
}

// startPolicies starts this tool once more, as what enforces network policies.
func (c *cluster) startPolicies(context.Context) error {
	if !c.options.policies {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	kubeconfig := c.plan.file("policies.kubeconfig")
	if err := writeFileAtomic(kubeconfig, c.admin.kubeconfig(), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(self, "policies")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	_, err = c.launchCommand(cmd)
	return err
}

// nodeReady is nil once the kubelet reports that pods may come.
func nodeReady(ctx context.Context, c restClient) error {
	var node struct {
		Status struct{ Conditions []condition } `json:"status"`
	}
	if err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/nodes/" + realNodeName}, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
	}
	return errors.New("the node is not ready")
}

// dnsReady is nil once names are answered.
func dnsReady(ctx context.Context, c restClient) error {
	var deployment struct {
		Status struct{ AvailableReplicas int } `json:"status"`
	}
	if err := c.do(ctx, request{method: http.MethodGet, path: "/apis/apps/v1/namespaces/kube-system/deployments/coredns"}, &deployment); err != nil {
		return err
	}
	if deployment.Status.AvailableReplicas == 0 {
		return errors.New("CoreDNS is not available")
	}
	return nil
}

// closeSandbox takes the node away, before any server is asked to end: with pods still asking, some
// would take their whole grace. The kernel does most of it: with the sandbox's first process go servers,
// containers, shims, mounts and links.
func (c *cluster) closeSandbox() error {
	var errs []error
	if c.relay != nil {
		errs = append(errs, c.relay.close())
	}
	if c.box != nil {
		errs = append(errs, c.box.close(), removeCgroups(cgroupRoot, c.plan.cgroup()))
	}
	return errors.Join(errs...)
}

// nodePath lets a node's programs find each other: containerd its own shim before any other's.
func nodePath(bin cache) string {
	return bin.dir + string(filepath.ListSeparator) + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
