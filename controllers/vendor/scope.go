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
	// calls says whether calls to it get out.
	calls agreement.Calls
	// ungated says that there is no phi-egress, so that nothing decides which calls leave.
	ungated bool
	// digest is that of the agreement.
	digest string
	// callers are the workloads that name it, sorted.
	callers []hipaav1.VendorCaller
	// warned is the shortest of the warnings before the end that are due; zero is none.
	warned time.Duration
	// changes is when all this is otherwise by itself; zero is never.
	changes time.Time
}

func judge(v *hipaav1.Vendor, callers []hipaav1.VendorCaller, ungated bool, now time.Time) (*scope, error) {
	a := v.Spec.Agreement
	digest, err := a.Fingerprint()
	return &scope{
		vendor: v, now: now, callers: callers, digest: digest, ungated: ungated, calls: agreement.CallsTo(v, now),
		state: agreement.StateOf(a, now), warned: agreement.Warned(a, now), changes: agreement.Changes(a, now),
	}, err
}

// recheckAfter is how long until something changes; zero is never. At its end an
// agreement is already void, so the very instant is right.
func (s *scope) recheckAfter() time.Duration {
	if s.changes.IsZero() {
		return 0
	}
	return s.changes.Sub(s.now)
}
