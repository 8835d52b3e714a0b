package app

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// wire puts the parts together and adds them to the manager.
func wire(ctx context.Context, mgr manager.Manager, o Options) error {
	judge, err := engine.New(catalog.All())
	if err != nil {
		return fmt.Errorf("building the engine: %w", err)
	}
	judge = judge.Accepting(rule.Customs(judge.ResourceTypes()))
	loader, err := subject.Keeping(ctx, mgr.GetCache(), mgr.GetAPIReader())
	if err != nil {
		return fmt.Errorf("building the loader of admission: %w", err)
	}
	loader.ReportTypes = judge.ReportTypes()
	book := witness.NewBook(mgr.GetAPIReader(), mgr.GetClient(), o.Namespace)
	ledger := uses.New(mgr.GetAPIReader(), mgr.GetClient().Status(), clock.RealClock{})
	if err := mgr.Add(ledger); err != nil {
		return fmt.Errorf("adding the ledger of exceptions: %w", err)
	}
	// Its cache is filled while the webhooks are served.
	backstopped, err := backstop.NewWatch(ctx, mgr.GetCache(), mutatingConfiguration, clock.RealClock{})
	if err != nil {
		return fmt.Errorf("building the watch of the backstop: %w", err)
	}
	gate := &admission.Gate{
		Engine:   judge,
		Loader:   loader,
		Clock:    clock.RealClock{},
		Reviews:  mgr.GetClient(),
		Changes:  book,
		Uses:     ledger,
		Attempts: witness.NewAttempts(mgr.GetEventRecorder("hipaa-operator.io/attempts"), o.Namespace, clock.RealClock{}),
		Backstop: backstopped,
		Observe:  observe,
		// What found no room was not judged, so it is no outcome.
		TurnedAway: metrics.AdmissionTurnedAway,
	}
	if err := addWebhooks(mgr, gate, o); err != nil {
		return err
	}
	watch, err := addGuard(mgr, o)
	if err != nil {
		return err
	}
	evidence := newBell()
	secrets, err := addCanary(mgr, o, evidence)
	if err != nil {
		return err
	}
	policies, err := addIsolation(mgr, o, evidence)
	if err != nil {
		return err
	}
	signing, err := addSigning(ctx, mgr, o)
	if err != nil {
		return err
	}
	loader.Proxy, loader.ProxyImages = signing.proxy(o), o.proxyImages()
	return controllers.Setup(ctx, mgr, signing.shown(controllers.Dependencies{
		Engine:          judge,
		Witness:         book,
		Guard:           watch,
		GuardChanged:    watch.changed,
		Secrets:         secrets.Last,
		Isolation:       policies.Last,
		EvidenceChanged: evidence,
		Serving:         serving(o.WebhookCertDir),
		Clock:           clock.RealClock{},
		Proxy:           loader.Proxy,
		ProxyImages:     loader.ProxyImages,
	}))
}
