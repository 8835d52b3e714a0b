package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"
)

// IssuerAccount is who the issuer is.
const IssuerAccount = "hipaa-operator-issuer"

// Issuer is the issuer of certificates as processes beside the cluster: what
// config/issuer installs, but its Deployment.
type Issuer struct {
	cluster    *Cluster
	binary     string
	kubeconfig string
}

// IssuerReplica is one of its processes.
type IssuerReplica struct {
	// Address is where certificates are asked for.
	Address string

	health  string
	process *Process
}

// NewIssuer builds the issuer and installs its rights and its Secret.
func (c *Cluster) NewIssuer(ctx context.Context) (*Issuer, error) {
	i := &Issuer{cluster: c, binary: filepath.Join(c.Workdir, "issuer")}
	if _, err := output(ctx, c.Root, "go", "build", "-o", i.binary, "./cmd/issuer"); err != nil {
		return nil, fmt.Errorf("building the issuer: %w", err)
	}
	for _, file := range []string{"service_account", "role", "binding", "root"} {
		if out, err := c.Run(ctx, "apply", "--server-side", "-f", "config/issuer/"+file+".yaml"); err != nil {
			return nil, fmt.Errorf("installing the issuer: %w\n%s", err, out)
		}
	}
	var err error
	i.kubeconfig, err = c.identity(ctx, IssuerAccount)
	return i, err
}

// Start runs one more replica at an address of this machine, with the rights of the
// issuer's ServiceAccount, and waits until it can sign.
func (i *Issuer) Start(ctx context.Context, host string) (*IssuerReplica, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	r := &IssuerReplica{Address: net.JoinHostPort(host, strconv.Itoa(ports[0])), health: "http://" + local(ports[1]) + "/readyz"}
	r.process, err = Launch(filepath.Join(i.cluster.Workdir, fmt.Sprintf("issuer-%d.log", ports[0])), []string{"KUBECONFIG=" + i.kubeconfig}, i.binary,
		"--namespace="+Namespace, "--bind-address="+r.Address,
		"--health-probe-bind-address="+local(ports[1]), "--metrics-bind-address="+local(ports[2]))
	if err != nil {
		return nil, fmt.Errorf("starting the issuer: %w", err)
	}
	err = Eventually(ctx, "the issuer", time.Minute, func() error {
		if err := r.process.Alive(); err != nil {
			return err
		}
		return ready(ctx, r.health)
	})
	if err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// Stop ends the replica.
func (r *IssuerReplica) Stop() { r.process.Stop() }
