package app

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// addGate has webhooks judge what enters.
func addGate(ctx context.Context, mgr manager.Manager, o Options, judge *engine.Engine, loader *subject.Loader, book *witness.Book) error {
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
	return addWebhooks(mgr, gate, o)
}
