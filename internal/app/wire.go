package app

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
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
	if err := addGate(ctx, mgr, o, &admission.Gate{Engine: judge, Loader: loader, Changes: book}); err != nil {
		return err
	}
	watch, err := addGuard(mgr, o)
	if err != nil {
		return err
	}
	evidence, err := addEvidence(mgr, o)
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
		Secrets:         evidence.secrets.Last,
		Isolation:       evidence.policies.Last,
		EvidenceChanged: evidence.changed,
		Serving:         serving(o.WebhookCertDir),
		Clock:           clock.RealClock{},
		Proxy:           loader.Proxy,
		ProxyImages:     loader.ProxyImages,
	}))
}
