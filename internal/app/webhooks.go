package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/admission/certificates"
)

// The names of the webhook configurations, as in config/webhook.
const (
	validatingConfiguration = "hipaa-operator-validating"
	mutatingConfiguration   = "hipaa-operator-mutating"
)

// webhooks serves the gate on every replica, once there is a certificate. The
// manager is ready when they answer.
type webhooks struct {
	mgr  manager.Manager
	gate *admission.Gate
	// onlyKnown says that callers show a client certificate.
	onlyKnown bool
	ready     <-chan struct{}
	serving   atomic.Pointer[healthz.Checker]
}

func addWebhooks(mgr manager.Manager, gate *admission.Gate, o Options) error {
	w := &webhooks{mgr: mgr, gate: gate, onlyKnown: o.WebhookClientCAFile != ""}
	var err error
	if w.ready, err = certificateReady(mgr, o); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("webhooks", w.check); err != nil {
		return fmt.Errorf("adding a readiness check: %w", err)
	}
	if err := mgr.Add(w); err != nil {
		return fmt.Errorf("adding the webhooks: %w", err)
	}
	return nil
}

// certificateReady is closed when there is a certificate to serve with.
func certificateReady(mgr manager.Manager, o Options) (<-chan struct{}, error) {
	if o.Certificates == CertificatesExternal {
		ready := make(chan struct{})
		close(ready)
		return ready, nil
	}
	return certificates.Rotate(mgr, certificates.Options{
		Namespace:  o.Namespace,
		ExtraNames: o.hostOf(),
		Directory:  o.WebhookCertDir,
		Validating: validatingConfiguration,
		Mutating:   mutatingConfiguration,
	})
}

// NeedLeaderElection says that every replica serves.
func (w *webhooks) NeedLeaderElection() bool { return false }

// Start waits for the certificate; asking the manager for its server starts it.
func (w *webhooks) Start(ctx context.Context) error {
	select {
	case <-w.ready:
	case <-ctx.Done():
		return nil
	}
	server := w.mgr.GetWebhookServer()
	if w.onlyKnown {
		w.gate.Register(onlyKnown{server})
	} else {
		w.gate.Register(server)
	}
	started := server.StartedChecker()
	w.serving.Store(&started)
	return nil
}

func (w *webhooks) check(request *http.Request) error {
	started := w.serving.Load()
	if started == nil {
		return errors.New("the webhook certificate is not there yet")
	}
	return (*started)(request)
}
