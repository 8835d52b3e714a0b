package complianceprofile

import (
	"time"

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
	previews   map[types.NamespacedName]string
	undeclared []hipaav1.UndeclaredIn
	guarded    outcome.Condition

	// judge
	judged   bool
	problems []problem
}

// problem is one thing that a person must mend.
type problem struct{ reason, message string }

// longestUser is how much of a user name the status takes.
const longestUser = 256

// paused is the pause that is in force; nil is none.
func (s *scope) paused() *hipaav1.PauseInForce {
	if !s.profile.Spec.Pause.Holds(s.now) {
		return nil
	}
	return &hipaav1.PauseInForce{Until: s.profile.Spec.Pause.Until, By: outcome.Shorten(s.profile.Annotations[hipaav1.AnnotationPausedBy], longestUser)}
}

// pauseTurns is the next instant at which the pause begins or ends; zero is none.
func (s *scope) pauseTurns() time.Time {
	switch pause := s.profile.Spec.Pause; {
	case pause == nil:
		return time.Time{}
	case s.now.Before(pause.Begins()):
		return pause.Begins()
	default:
		return pause.Until.Time
	}
}

// forgetRestoration is how often it is looked whether the guard still tells of a
// restoration: it stops by itself.
const forgetRestoration = time.Hour

// recheckAfter is when the pause begins or ends, or what the guard tells; zero is never.
func (s *scope) recheckAfter() time.Duration {
	var after time.Duration
	if s.guarded.Reason == hipaav1.ReasonAdmissionRestored {
		after = forgetRestoration
	}
	if left := s.pauseTurns().Sub(s.now); left > 0 && (after == 0 || left < after) {
		after = left
	}
	return after
}
