package complianceprofile

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// maxNote bounds the text of an event, as the API server does.
const maxNote = 1000

// announce tells what the new status says otherwise than the old one.
func (r *Reconciler) announce(s *scope, next *hipaav1.ComplianceProfileStatus) {
	for _, t := range outcome.Transitions(s.profile.Status.Conditions, next.Conditions) {
		kind := corev1.EventTypeNormal
		switch {
		case t.After.Type == hipaav1.ConditionReady, t.After.Type == hipaav1.ConditionStalled, t.After.Type == hipaav1.ConditionReconciling:
			continue // they repeat the others
		case t.After.Status != metav1.ConditionTrue:
			kind = corev1.EventTypeWarning
		case t.Before == nil:
			continue // as it should be from the start
		}
		r.Events.Eventf(s.profile, nil, kind, t.After.Reason, t.After.Type, "%s", outcome.Shorten(t.After.Type+": "+t.After.Message, maxNote))
	}
}
