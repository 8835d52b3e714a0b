package complianceprofile

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

type steps = outcome.Steps[scope]

// scope is what one pass over a profile learns.
type scope struct {
	profile *hipaav1.ComplianceProfile
	now     time.Time

	// observe
	profiles   map[string]*hipaav1.ComplianceProfile
	namespaces int32
	workloads  int32
	previewing int32
	// previews are the digests of the present previews of those that the profile
	// governs; empty where there is none.
	previews map[types.NamespacedName]string
	guarded  outcome.Condition

	// judge
	judged   bool
	problems []problem
}

// problem is one thing that a person must mend.
type problem struct{ reason, message string }

// pausedUntil is the end of a pause that is in force; nil is none.
func (s *scope) pausedUntil() *metav1.Time {
	if pause := s.profile.Spec.Pause; pause != nil && s.now.Before(pause.Until.Time) {
		return &pause.Until
	}
	return nil
}

// forgetRestoration is how often it is looked whether the guard still tells of a
// restoration: it stops by itself.
const forgetRestoration = time.Hour

// recheckAfter is when the pause ends, or what the guard tells; zero is never.
func (s *scope) recheckAfter() time.Duration {
	var after time.Duration
	if s.guarded.Reason == hipaav1.ReasonAdmissionRestored {
		after = forgetRestoration
	}
	if until := s.pausedUntil(); until != nil && (after == 0 || until.Sub(s.now) < after) {
		after = until.Sub(s.now)
	}
	return after
}
