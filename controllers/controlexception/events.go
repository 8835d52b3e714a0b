package controlexception

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce tells what the new status says otherwise than the old one, and that
// the end comes nearer.
func (r *Reconciler) announce(s *scope, next *hipaav1.ControlExceptionStatus) {
	x := s.exception
	for _, t := range outcome.Transitions(x.Status.Conditions, next.Conditions) {
		switch t.After.Reason {
		case hipaav1.ReasonNotApproved:
			continue // Approved tells why
		case hipaav1.ReasonWorkloadNotFound, hipaav1.ReasonUnknownControl:
			if t.After.Type != hipaav1.ConditionReady {
				continue
			}
		default:
			if t.After.Type != hipaav1.ConditionApproved && t.After.Type != hipaav1.ConditionInForce {
				continue // they repeat the others
			}
		}
		event := t.Event()
		event.Warning = event.Warning && t.After.Reason != hipaav1.ReasonApprovalPending
		event.About(x, r.Events)
	}
	before := meta.FindStatusCondition(x.Status.Conditions, hipaav1.ConditionInForce)
	after := meta.FindStatusCondition(next.Conditions, hipaav1.ConditionInForce)
	if after != nil && after.Status == metav1.ConditionTrue && remaining(s.left()) != "" && (before == nil || before.Message != after.Message) {
		ending(s, after.Message).About(x, r.Events)
	}
}

// ending warns of the end.
func ending(s *scope, message string) outcome.Event {
	action := "WarnWeek"
	if s.left() <= day {
		action = "WarnDay"
	}
	spec := &s.exception.Spec
	return outcome.Event{
		Warning: true, Reason: hipaav1.EventExceptionEnding, Action: action,
		Note: spec.ControlID + " on PHIWorkload/" + spec.WorkloadRef.Name + " is excused " + message + "; after that new pods are refused",
	}
}
