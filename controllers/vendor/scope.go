package vendor

import (
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
)

// scope is what one pass over a Vendor learns.
type scope struct {
	vendor *hipaav1.Vendor
	now    time.Time

	state agreement.State
	// warned is the shortest of the warnings before the end that are due; zero is none.
	warned time.Duration
	// changes is when all this is otherwise by itself; zero is never.
	changes time.Time
}

func judge(v *hipaav1.Vendor, now time.Time) *scope {
	a := v.Spec.Agreement
	return &scope{
		vendor: v, now: now,
		state: agreement.StateOf(a, now), warned: agreement.Warned(a, now), changes: agreement.Changes(a, now),
	}
}

// recheckAfter is how long until something changes; zero is never. At its end an
// agreement is already void, so the very instant is right.
func (s *scope) recheckAfter() time.Duration {
	if s.changes.IsZero() {
		return 0
	}
	return s.changes.Sub(s.now)
}
