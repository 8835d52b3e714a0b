package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// stage is a cluster with the operator, and the means to narrate.
type stage struct {
	options
	cluster *cluster.Cluster
	// operator is nil where the demo did not start it.
	operator *cluster.Operator
	workdir  string
}

// open starts what the demo needs. What has been started is stopped again when
// it fails half-way.
func open(ctx context.Context, o options) (*stage, error) {
	s := &stage{options: o}
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) start(ctx context.Context) error {
	if s.kubeconfig != "" {
		return s.adopt(ctx)
	}
	s.say("A real control plane from Go modules. The first time it is compiled, which takes some minutes; then it is cached.")
	c, err := cluster.Start(ctx, cluster.Options{Root: s.root, Progress: os.Stderr})
	if err != nil {
		return err
	}
	s.cluster, s.workdir = c, c.Workdir
	s.say("The operator: its manifests, and its manager running beside the cluster (the simulated node runs no containers).")
	if s.operator, err = c.NewOperator(ctx); err != nil {
		return err
	}
	if err := s.operator.Install(ctx); err != nil {
		return err
	}
	if out, err := c.Run(ctx, "apply", "-f", "hack/demo/manifests/kube-dns.yaml"); err != nil {
		return fmt.Errorf("publishing the resolver: %w\n%s", err, out)
	}
	return s.operator.Start(ctx)
}

// adopt uses a cluster of yours, and installs the operator there if it is told
// from which image.
func (s *stage) adopt(ctx context.Context) error {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		return fmt.Errorf("looking for kubectl, which a cluster of yours needs: %w", err)
	}
	workdir, err := os.MkdirTemp("", "hipaa-demo-")
	if err != nil {
		return fmt.Errorf("making a work folder: %w", err)
	}
	s.workdir = workdir
	s.cluster = &cluster.Cluster{Root: s.root, Kubeconfig: s.kubeconfig, Kubectl: kubectl, Workdir: workdir}
	if s.image == "" {
		return nil
	}
	return s.install(ctx)
}

// managerImage is what config/default calls the manager's image.
var managerImage = regexp.MustCompile(`image: \S*hipaa-operator/manager\S*`)

func (s *stage) install(ctx context.Context) error {
	s.say("The operator, from image %s.", s.image)
	rendered, err := s.cluster.Run(ctx, "kustomize", "config/default")
	if err != nil {
		return fmt.Errorf("rendering config/default: %w\n%s", err, rendered)
	}
	manifests := filepath.Join(s.workdir, "operator.yaml")
	content := managerImage.ReplaceAllLiteralString(rendered, "image: "+s.image)
	if err := os.WriteFile(manifests, []byte(content), 0o600); err != nil {
		return fmt.Errorf("writing the operator's manifests: %w", err)
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", manifests},
		{"rollout", "status", "deployment/hipaa-operator-manager", "-n", cluster.Namespace, "--timeout=5m"},
	} {
		if out, err := s.cluster.Run(ctx, args...); err != nil {
			return fmt.Errorf("installing the operator: %w\n%s", err, out)
		}
	}
	return nil
}

func (s *stage) close() {
	if s.operator != nil {
		s.operator.Stop()
	}
	if s.cluster != nil {
		s.cluster.Close()
	}
}
