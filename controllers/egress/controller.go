// Package egress keeps phi-egress configured, by which calls leave to vendors. Its
// promise: who is let out where to follows from Vendors and PHIWorkloads alone, and what
// somebody else writes in its place is put right.
package egress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Sealer seals what phi-egress goes by.
type Sealer interface {
	Seal(draft sealing.Draft) (sealing.Sealed, error)
}

// Reconciler keeps what phi-egress goes by; there is one.
type Reconciler struct {
	// Engine resolves the profiles of workloads.
	Engine *engine.Engine
	// Loader reads evidence.
	Loader *subject.Loader
	// Owned reads what the operator owns, from a cache.
	Owned *repair.Cached
	// Sealer seals.
	Sealer Sealer
	// Corrector repairs.
	Corrector *repair.Corrector
	// Events takes what people should hear of.
	Events events.EventRecorder
	// ProxyChanged tells that there are other roots, or another signer. Optional.
	ProxyChanged <-chan event.GenericEvent
	Clock        clock.PassiveClock
	// Standing is told how phi-egress stands.
	Standing *Standing

	// given is the generation that this process gave last, zero before the first. There is
	// one object, so one pass at a time.
	given int64
}

// unsealedRecheck is when to seal again that could not be, if nobody tells before that
// it can.
const unsealedRecheck = 10 * time.Minute

// Reconcile keeps phi-egress configured, where it is installed.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (ctrl.Result, error) {
	s := &scope{now: r.Clock.Now()}
	err := steps{r.observe, r.seal, r.repair}.Run(ctx, s)
	if s.service == nil && err == nil {
		r.Standing.tell(nil)
		return ctrl.Result{}, nil
	}
	for i := range s.drift {
		d := &s.drift[i]
		metrics.DriftDetected(d.Kind)
		d.DetectedEvent().About(s.service, r.Events)
		if d.Corrected {
			d.CorrectedEvent().About(s.service, r.Events)
		}
	}
	if errors.Is(err, sealing.ErrNoCertificate) {
		// What stands goes on to count, and everybody is told when there is a certificate.
		log.FromContext(ctx).Info("Could not seal what phi-egress goes by", "reason", err.Error())
		return ctrl.Result{RequeueAfter: unsealedRecheck}, nil
	}
	if err == nil {
		r.Standing.tell(&control.Egress{Ready: s.ready, Exits: gate.Exits(s.configuration, s.now)})
	}
	return outcome.Return(s.recheckAfter(), err, nil)
}

// repair writes what is not as it should be.
func (r *Reconciler) repair(ctx context.Context, s *scope) error {
	if s.service == nil {
		return nil
	}
	var err error
	s.drift, err = r.Corrector.Correct(ctx, repair.Order{
		Namespace: s.service.Namespace,
		Owned:     []engine.Owned{{Object: s.sealed, Enforce: true}, {Object: gate.Policy(s.world, s.configuration), Enforce: true}},
	})
	if err != nil {
		return fmt.Errorf("repairing what phi-egress goes by: %w", err)
	}
	return nil
}

// parsed reads what was sealed.
func parsed(payload []byte) (*config.Configuration, error) {
	c, err := config.Parse(payload)
	if err != nil {
		return nil, fmt.Errorf("reading what was sealed for phi-egress: %w", err)
	}
	return c, nil
}

// earliest is the first of some instants, zero ones left out.
func earliest(instants ...time.Time) time.Time {
	instants = slices.DeleteFunc(instants, time.Time.IsZero)
	if len(instants) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(instants, time.Time.Compare)
}
