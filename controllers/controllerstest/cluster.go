// Package controllerstest runs controllers against a real API server. Its
// promise: what a spec sees is what the API server has, and every write that a
// controller makes is counted.
package controllerstest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// Cluster is an API server with the kinds of this project.
type Cluster struct {
	// Admin does as people do.
	Admin client.WithWatch
	// Scheme knows all kinds.
	Scheme *runtime.Scheme

	environment *envtest.Environment
	config      *rest.Config
	writes      writes
	// operator is the one that StartOperator started last.
	operator *Operator
}

// Start starts an API server. Root leads from the test's folder to that of the
// module.
func Start(root string) (*Cluster, error) {
	c := &Cluster{Scheme: runtime.NewScheme()}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(c.Scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	c.environment = &envtest.Environment{
		Scheme:                c.Scheme,
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	var err error
	if c.config, err = c.environment.Start(); err != nil {
		return nil, fmt.Errorf("starting the API server: %w", err)
	}
	// Specs are impatient.
	c.config.QPS, c.config.Burst = 1000, 2000
	if c.Admin, err = client.NewWithWatch(c.config, client.Options{Scheme: c.Scheme}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// Stop stops the API server.
func (c *Cluster) Stop() error {
	if err := c.environment.Stop(); err != nil {
		return fmt.Errorf("stopping the API server: %w", err)
	}
	return nil
}

// Writes lists the writes of every operator so far, dry runs and events too.
func (c *Cluster) Writes() []string { return c.writes.list() }

// Operator is a running manager with all controllers.
type Operator struct {
	cancel context.CancelFunc
	done   chan error
}

// Run starts an operator and returns when its caches are filled.
func (c *Cluster) Run(d controllers.Dependencies) (*Operator, error) {
	counted := rest.CopyConfig(c.config)
	counted.Wrap(c.writes.watch)
	mgr, err := ctrl.NewManager(counted, ctrl.Options{
		Scheme:     c.Scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		Cache:      subject.CacheOptions(),
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := controllers.Setup(ctx, mgr, d); err != nil {
		cancel()
		return nil, fmt.Errorf("adding controllers: %w", err)
	}
	o := &Operator{cancel: cancel, done: make(chan error, 1)}
	go func() { o.done <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		cancel()
		return nil, fmt.Errorf("filling the caches: %w", <-o.done)
	}
	return o, nil
}

// stopPatience is how long a manager may take to stop.
const stopPatience = 40 * time.Second

// Stop stops the operator and waits until it has.
func (o *Operator) Stop() error {
	o.cancel()
	select {
	case err := <-o.done:
		if err != nil {
			return fmt.Errorf("running the manager: %w", err)
		}
		return nil
	case <-time.After(stopPatience):
		return fmt.Errorf("stopping the manager: it still runs after %s", stopPatience)
	}
}
