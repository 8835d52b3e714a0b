// Package controlexception reconciles ControlExceptions. Its promise: whether an
// exception counts is said at every moment of its life, people hear of its end
// before it comes, and the approval is never touched.
package controlexception

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	hipaav1ac "github.com/hipaa-operator/hipaa-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=controlexceptions,verbs=get;list;watch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=controlexceptions/status,verbs=patch

// Reconciler keeps one ControlException at a time.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Engine knows the controls and what makes an exception count.
	Engine *engine.Engine
	// Events takes what people should hear of.
	Events events.EventRecorder
	Clock  clock.PassiveClock

	versions apply.Versions
}

// Reconcile says whether the exception counts, and looks again when that ends.
func (r *Reconciler) Reconcile(ctx context.Context, x *hipaav1.ControlException) (ctrl.Result, error) {
	s := &scope{exception: x, now: r.Clock.Now()}
	stepErr := steps{r.observe, r.judge}.Run(ctx, s)
	next := statusOf(s, stepErr)
	writeErr := r.publish(ctx, s, &next)
	return outcome.Return(s.recheckAfter(), stepErr, writeErr)
}

// publish is the only writer but for the approval and the uses: what it applies leaves
// them out, and it therefore never owns them.
func (r *Reconciler) publish(ctx context.Context, s *scope, next *hipaav1.ControlExceptionStatus) error {
	x := s.exception
	if equality.Semantic.DeepEqual(&x.Status, next) {
		return r.versions.Caught(x)
	}
	owned := *next
	owned.Approval, owned.Uses = nil, nil
	status := hipaav1ac.ControlExceptionStatus()
	if err := apply.Convert(owned, status); err != nil {
		return err
	}
	configuration := hipaav1ac.ControlException(x.Name, x.Namespace).WithResourceVersion(x.ResourceVersion).WithStatus(status)
	if err := apply.Status(ctx, r.Client, configuration); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.versions.Wrote(x, *configuration.ResourceVersion)
	r.announce(s, next)
	return nil
}
