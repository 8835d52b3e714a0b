// Package namespace keeps what the operator owns for a PHI namespace as a whole.
// Its promise: a pod that no workload claims any more stays closed, and a
// namespace that is given up is left clean, but not before its workloads.
package namespace

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// Reconciler keeps one Namespace at a time.
type Reconciler struct {
	// Client reads from the cache, and what the operator owns from a cache of that.
	Client *repair.Cached
	// Live asks the API server.
	Live client.Reader
	// Loader gathers evidence.
	Loader *subject.Loader
	// Engine tells what is owned.
	Engine *engine.Engine
	// Corrector repairs. It must be the one of the PHIWorkload controller: they
	// share what they know to have been in place.
	Corrector *repair.Corrector
	// Events takes what people should hear of.
	Events events.EventRecorder
	// Census takes the counts of undeclared pods.
	Census *Census
	Clock  clock.PassiveClock

	standing standing
	// heard are the undeclared pods of which people have been told, by namespace.
	heard map[string]map[types.UID]bool
	// started is when this process began to look.
	started time.Time
}

// Reconcile keeps what the namespace owns while it holds PHI, and cleans up when
// it no longer does. A namespace has no status of ours: events and metrics tell.
func (r *Reconciler) Reconcile(ctx context.Context, n *corev1.Namespace) (ctrl.Result, error) {
	if !n.DeletionTimestamp.IsZero() {
		r.forget(n.Name)
		r.Corrector.Forget(n.Name)
		return ctrl.Result{}, nil // the API server takes everything away, nothing new in
	}
	s := &scope{namespace: n, now: r.Clock.Now()}
	if !engine.IsPHI(n) {
		r.forget(n.Name)
		return outcome.Return(0, r.leave(ctx, s), nil)
	}
	err := steps{r.observe, r.repair}.Run(ctx, s)
	r.announce(s, err)
	r.report(s)
	return s.outcome(err)
}

// forget is for a namespace that holds no PHI any more, or goes.
func (r *Reconciler) forget(namespace string) {
	r.standing.clear(namespace)
	delete(r.heard, namespace)
	r.Census.forget(namespace)
}
