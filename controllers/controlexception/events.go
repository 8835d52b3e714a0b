package controlexception

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// maxNote bounds the text of an event, as the API server does.
const maxNote = 1000

// announce tells what the new status says otherwise than the old one, and that
// the end comes nearer.
func (r *Reconciler) announce(s *scope, next *hipaav1.ControlExceptionStatus) {
	x := s.exception
	for _, t := range outcome.Transitions(x.Status.Conditions, next.Conditions) {
		if t.After.Type != hipaav1.ConditionApproved && t.After.Type != hipaav1.ConditionInForce && t.After.Reason != hipaav1.ReasonWorkloadNotFound {
			continue
		}
		if t.After.Type == hipaav1.ConditionStalled || t.After.Reason == hipaav1.ReasonNotApproved {
			continue // Ready and Approved tell
		}
		kind := corev1.EventTypeNormal
		if t.After.Status != metav1.ConditionTrue && t.After.Reason != hipaav1.ReasonApprovalPending {
			kind = corev1.EventTypeWarning
		}
		r.Events.Eventf(x, nil, kind, t.After.Reason, t.After.Type, "%s", outcome.Shorten(t.After.Message, maxNote))
	}
	before := meta.FindStatusCondition(x.Status.Conditions, hipaav1.ConditionInForce)
	after := meta.FindStatusCondition(next.Conditions, hipaav1.ConditionInForce)
	if after != nil && after.Status == metav1.ConditionTrue && remaining(s.left()) != "" && (before == nil || before.Message != after.Message) {
		action := "WarnWeek"
		if s.left() <= day {
			action = "WarnDay"
		}
		r.Events.Eventf(x, nil, corev1.EventTypeWarning, hipaav1.EventExceptionEnding, action, "%s",
			outcome.Shorten(x.Spec.ControlID+" on PHIWorkload/"+x.Spec.WorkloadRef.Name+" is excused "+after.Message+"; after that new pods are refused", maxNote))
	}
}
