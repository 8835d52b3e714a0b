package vendor

import (
	"k8s.io/apimachinery/pkg/api/meta"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce tells whether the agreement is in force where that is otherwise than before,
// and that its end comes nearer. The workloads that call the vendor hear of it from
// their own verdicts.
func (r *Reconciler) announce(s *scope, next *hipaav1.VendorStatus) {
	v := s.vendor
	for _, t := range outcome.Transitions(v.Status.Conditions, next.Conditions) {
		if t.After.Type == hipaav1.ConditionAgreementInForce || t.After.Type == hipaav1.ConditionCallsOpen {
			t.Event().About(v, r.Events)
		}
	}
	before := meta.FindStatusCondition(v.Status.Conditions, hipaav1.ConditionExpiring)
	after := meta.FindStatusCondition(next.Conditions, hipaav1.ConditionExpiring)
	if after != nil && (before == nil || before.Message != after.Message) {
		// Each warning is an action of its own, so that none is counted into an earlier one.
		outcome.Event{
			Warning: true, Reason: hipaav1.EventAgreementEnding, Action: "Warn" + s.warned.String(),
			Note: "the agreement with Vendor " + v.Name + " " + after.Message +
				"; from then on new flows to it are refused, and workloads that have one fail: renew it, or end the flows",
		}.About(v, r.Events)
	}
}
