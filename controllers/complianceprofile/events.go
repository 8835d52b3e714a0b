package complianceprofile

import (
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce tells what the new status says otherwise than the old one, and when
// somebody moves the end of a pause.
func (r *Reconciler) announce(s *scope, next *hipaav1.ComplianceProfileStatus) {
	if was, is := s.profile.Status.Pause, next.Pause; was != nil && is != nil && !equality.Semantic.DeepEqual(was, is) {
		moved := outcome.Event{Warning: true, Reason: hipaav1.ReasonPaused, Action: "MovePause", Note: hipaav1.ConditionNotPaused + ": " + notPausedOf(s).Message}
		moved.About(s.profile, r.Events)
	}
	for _, t := range outcome.Transitions(s.profile.Status.Conditions, next.Conditions) {
		switch t.After.Type {
		case hipaav1.ConditionReady, hipaav1.ConditionStalled, hipaav1.ConditionReconciling:
			continue // they repeat the others
		}
		if t.Before != nil || t.After.Status != metav1.ConditionTrue { // else as it should be from the start
			t.Event().About(s.profile, r.Events)
		}
	}
}
