// Package complianceprofile reconciles ComplianceProfiles. Its promise: a profile
// that does not mean what its author thinks says so, and says whom it governs.
package complianceprofile

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles,verbs=get;list;watch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles/status,verbs=patch

// Guard tells how the operator's webhook configurations and admission policies
// stand, in the form of the condition AdmissionGuarded.
type Guard interface {
	Condition(now time.Time) metav1.Condition
}

// Census counts the pods of a namespace that no PHIWorkload selects. Looked is false
// where nobody has looked since this process began.
type Census interface {
	Undeclared(namespace string) (in hipaav1.UndeclaredIn, looked bool)
}

// Reconciler keeps one ComplianceProfile at a time.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Engine knows the controls.
	Engine *engine.Engine
	// Guard tells of admission. Nil means that this process does not look.
	Guard Guard
	// Census counts undeclared pods.
	Census Census
	// Events takes what people should hear of.
	Events events.EventRecorder
	Clock  clock.PassiveClock

	versions apply.Versions
}

// Reconcile checks the profile as a whole, counts whom it governs, and looks
// again when its pause ends.
func (r *Reconciler) Reconcile(ctx context.Context, p *hipaav1.ComplianceProfile) (ctrl.Result, error) {
	s := &scope{profile: p, now: r.Clock.Now()}
	stepErr := steps{r.observe, r.judge}.Run(ctx, s)
	next := statusOf(s, stepErr)
	writeErr := r.publish(ctx, s, &next)
	return outcome.Return(s.recheckAfter(), stepErr, writeErr)
}

// publish is the only writer of the status.
func (r *Reconciler) publish(ctx context.Context, s *scope, next *hipaav1.ComplianceProfileStatus) error {
	p := s.profile
	if equality.Semantic.DeepEqual(&p.Status, next) {
		return r.versions.Caught(p)
	}
	status := hipaav1ac.ComplianceProfileStatus()
	if err := apply.Convert(next, status); err != nil {
		return err
	}
	configuration := hipaav1ac.ComplianceProfile(p.Name).WithResourceVersion(p.ResourceVersion).WithStatus(status)
	if err := apply.Status(ctx, r.Client, configuration); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.versions.Wrote(p, *configuration.ResourceVersion)
	r.announce(s, next)
	return nil
}
