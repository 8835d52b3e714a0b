// Package app wires the manager. Its promise: this is the one place where the
// parts meet; none of them knows another beyond an interface of its own.
package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/version"
)

// Run runs the manager until the context ends.
func Run(ctx context.Context, options Options) error {
	if err := options.complete(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&options.Log)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	metrics.Register()
	mgr, err := newManager(config, options)
	if err != nil {
		return err
	}
	if err := wire(ctx, mgr, options); err != nil {
		return err
	}
	ctrl.Log.WithName("manager").Info("Starting", "version", version.String(), "namespace", options.Namespace)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

func newManager(config *rest.Config, o Options) (manager.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	callers, err := readAuthority(o.WebhookClientCAFile)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.UserAgent = "hipaa-operator/" + version.String()
	// Enough for a fleet to be settled after a start; the API server's own
	// priority and fairness protects it.
	config.QPS, config.Burst = 200, 400
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  subject.CacheOptions(),
		HealthProbeBindAddress: o.HealthAddress,
		Metrics: metricsserver.Options{
			BindAddress:    o.MetricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
			TLSOpts:        []func(*tls.Config){modernTLS},
		},
		WebhookServer: webhook.NewServer(webhook.Options{
			Port:    o.WebhookPort,
			CertDir: o.WebhookCertDir,
			TLSOpts: []func(*tls.Config){modernTLS, verifying(callers)},
		}),
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              "hipaa-operator-manager",
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding a health check: %w", err)
	}
	return mgr, nil
}

// modernTLS is what our own servers speak: TLS 1.3, which has no weak choice left,
// and HTTP/1.1. An API server keeps its connections open either way; without the
// frames of HTTP/2 an answer costs a fifth less CPU, and nobody can open and reset
// streams faster than we end them (CVE-2023-44487).
func modernTLS(c *tls.Config) {
	c.MinVersion = tls.VersionTLS13
	c.NextProtos = []string{"http/1.1"}
}

// hostOf is the host of the base URL, for the certificate; empty inside a cluster.
func (o Options) hostOf() []string {
	base, err := url.Parse(o.WebhookBaseURL)
	if err != nil || base.Hostname() == "" {
		return nil
	}
	return []string{base.Hostname()}
}
