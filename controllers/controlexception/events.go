package controlexception

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

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
		case hipaav1.EventExceptionEnding:
			continue // told below, about the workload as well
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
	before := meta.FindStatusCondition(x.Status.Conditions, hipaav1.ConditionExpiring)
	after := meta.FindStatusCondition(next.Conditions, hipaav1.ConditionExpiring)
	if after != nil && (before == nil || before.Message != after.Message) {
		event := ending(s, after.Message)
		event.About(x, r.Events)
		event.About(&corev1.ObjectReference{
			APIVersion: hipaav1.GroupVersion.String(), Kind: "PHIWorkload", Namespace: x.Namespace, Name: x.Spec.WorkloadRef.Name, UID: s.workload,
		}, r.Events)
	}
}

// ending warns of the end. Each warning is an action of its own, so that none is
// counted into an earlier one.
func ending(s *scope, message string) outcome.Event {
	x := s.exception
	return outcome.Event{
		Warning: true, Reason: hipaav1.EventExceptionEnding, Action: "Warn" + s.warned().String(),
		Related: &corev1.ObjectReference{APIVersion: hipaav1.GroupVersion.String(), Kind: "ControlException", Namespace: x.Namespace, Name: x.Name, UID: x.UID},
		Note: "ControlException " + x.Name + ", which excuses PHIWorkload/" + x.Spec.WorkloadRef.Name + " from " + x.Spec.ControlID + ", " + message +
			"; what runs stays, and new pods are refused from then on",
	}
}
