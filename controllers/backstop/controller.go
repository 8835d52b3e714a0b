// Package backstop keeps what the API server holds by itself in step with what the
// operator would answer. Its promise: while the operator is gone, what was in force
// stays in force, and what was to end ends.
package backstop

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// Reconciler keeps the parameters of one Namespace at a time.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Loader gathers evidence.
	Loader *subject.Loader
	// Engine tells what is enforced.
	Engine *engine.Engine
	Clock  clock.PassiveClock
}

// Reconcile writes the parameters of a namespace that holds PHI, if they are others
// than before, and takes them away from one that no longer does.
func (r *Reconciler) Reconcile(ctx context.Context, n *corev1.Namespace) (ctrl.Result, error) {
	if !n.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // the API server takes everything away
	}
	s := &scope{namespace: n, now: r.Clock.Now()}
	if !engine.IsPHI(n) {
		return outcome.Return(0, r.leave(ctx, s), nil)
	}
	err := steps{r.observe, r.judge, r.repair}.Run(ctx, s)
	return outcome.Return(s.recheckAfter(), err, nil)
}
