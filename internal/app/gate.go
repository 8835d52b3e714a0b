package app

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// addGate completes the gate, and has webhooks ask it about what enters.
func addGate(ctx context.Context, mgr manager.Manager, o Options, gate *admission.Gate) error {
	ledger := uses.New(mgr.GetAPIReader(), mgr.GetClient().Status(), clock.RealClock{})
	if err := mgr.Add(ledger); err != nil {
		return fmt.Errorf("adding the ledger of exceptions: %w", err)
	}
	// Its cache is filled while the webhooks are served.
	backstopped, err := backstop.NewWatch(ctx, mgr.GetCache(), mutatingConfiguration, clock.RealClock{})
	if err != nil {
		return fmt.Errorf("building the watch of the backstop: %w", err)
	}
	gate.Clock, gate.Reviews, gate.Uses, gate.Backstop = clock.RealClock{}, mgr.GetClient(), ledger, backstopped
	gate.Attempts = witness.NewAttempts(mgr.GetEventRecorder("hipaa-operator.io/attempts"), o.Namespace, clock.RealClock{})
	gate.Observe = observe
	// What found no room was not judged, so it is no outcome.
	gate.TurnedAway = metrics.AdmissionTurnedAway
	return addWebhooks(mgr, gate, o)
}
