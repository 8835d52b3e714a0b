// Package vendor reconciles Vendors. Its promise: whether the agreement with a vendor is
// in force is said at every instant, and people hear of its end long before it comes.
package vendor

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	hipaav1ac "github.com/hipaa-operator/hipaa-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=vendors,verbs=get;list;watch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=vendors/status,verbs=patch

// Reconciler keeps one Vendor at a time.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Events takes what people should hear of.
	Events events.EventRecorder
	// Agreements counts agreements by their state.
	Agreements *metrics.Agreements
	// Installed reports whether phi-egress is, by which calls leave, and whether that is
	// known yet.
	Installed func() (installed, known bool)
	// EgressChanged tells that this is otherwise than before.
	EgressChanged <-chan event.GenericEvent
	Clock         clock.PassiveClock

	versions apply.Versions
}

// Reconcile says whether the agreement is in force, and looks again when that may be
// otherwise. Everything that it needs stands in the Vendor; one that is gone is counted
// no more.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (ctrl.Result, error) {
	v := &hipaav1.Vendor{}
	if err := r.Client.Get(ctx, request.NamespacedName, v); err != nil {
		if !apierrors.IsNotFound(err) {
			return ctrl.Result{}, fmt.Errorf("reading vendor %q: %w", request.Name, err)
		}
		v.Name = request.Name
		r.Agreements.Forget(v.Name)
		r.versions.Forget(v)
		return ctrl.Result{}, nil
	}
	callers, err := r.callersOf(ctx, v.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	s, err := judge(v, callers, r.ungated(v), r.Clock.Now())
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("judging vendor %q: %w", v.Name, err)
	}
	r.Agreements.Observe(v.Name, string(s.state), s.warned > 0)
	next := statusOf(s)
	return outcome.Return(s.recheckAfter(), nil, r.publish(ctx, s, &next))
}

// ungated reports whether nothing decides which calls to a vendor leave. Until that is
// known it is what it was, so that a start of the operator changes no condition.
func (r *Reconciler) ungated(v *hipaav1.Vendor) bool {
	if installed, known := r.Installed(); known {
		return !installed
	}
	was := meta.FindStatusCondition(v.Status.Conditions, hipaav1.ConditionCallsOpen)
	return was == nil || was.Reason == hipaav1.ReasonEgressMissing
}

func (r *Reconciler) publish(ctx context.Context, s *scope, next *hipaav1.VendorStatus) error {
	v := s.vendor
	if equality.Semantic.DeepEqual(&v.Status, next) {
		return r.versions.Caught(v)
	}
	status, own := hipaav1ac.VendorStatus(), *next
	own.Closure = nil // what people write stays theirs
	if err := apply.Convert(own, status); err != nil {
		return err
	}
	configuration := hipaav1ac.Vendor(v.Name).WithResourceVersion(v.ResourceVersion).WithStatus(status)
	if err := apply.Status(ctx, r.Client, configuration); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.versions.Wrote(v, *configuration.ResourceVersion)
	r.announce(s, next)
	return nil
}
