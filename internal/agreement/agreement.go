// Package agreement says whether a vendor may get PHI. Its promise: whether an agreement
// counts has one home, so that admission, verdicts and the Vendor itself never differ.
package agreement

import (
	"slices"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// State says whether an agreement counts; the words are reasons of conditions.
type State string

// States, in the order in which they are looked for.
const (
	None            State = hipaav1.ReasonNoAgreement
	Expired         State = hipaav1.ReasonExpired
	Incomplete      State = hipaav1.ReasonClausesMissing
	NotYetEffective State = hipaav1.ReasonNotYetEffective
	InForce         State = hipaav1.ReasonInForce
)

// Warnings are the times before its end at which people hear of an agreement, the
// longest first: to make a new one takes lawyers weeks.
var Warnings = []time.Duration{60 * day, 30 * day, 7 * day}

const day = 24 * time.Hour

// StateOf says whether an agreement counts at an instant. Nil is none.
func StateOf(a *hipaav1.Agreement, now time.Time) State {
	switch {
	case a == nil:
		return None
	case !now.Before(a.Expires.Time):
		return Expired
	case len(Missing(a)) > 0:
		return Incomplete
	case now.Before(Begins(a)):
		return NotYetEffective
	default:
		return InForce
	}
}

// Begins is the first instant at which an agreement can count: not before it is signed,
// whatever it says of itself.
func Begins(a *hipaav1.Agreement) time.Time {
	if a.Signed.After(a.Effective.Time) {
		return a.Signed.Time
	}
	return a.Effective.Time
}

// Missing lists the clauses that the law asks for and an agreement does not have, in the
// law's order.
func Missing(a *hipaav1.Agreement) []hipaav1.AgreementClause {
	var missing []hipaav1.AgreementClause
	for _, clause := range hipaav1.AllAgreementClauses {
		if !slices.Contains(a.Clauses, clause) {
			missing = append(missing, clause)
		}
	}
	return missing
}

// Warned is the shortest of the warnings that are due for an agreement in force; zero is
// none.
func Warned(a *hipaav1.Agreement, now time.Time) time.Duration {
	var due time.Duration
	if StateOf(a, now) != InForce {
		return due
	}
	for _, before := range Warnings {
		if a.Expires.Sub(now) <= before {
			due = before
		}
	}
	return due
}

// Changes is the next instant at which what is said of an agreement is otherwise by
// itself: it begins, ends, or comes nearer to its end; zero is never.
func Changes(a *hipaav1.Agreement, now time.Time) time.Time {
	switch StateOf(a, now) {
	case None, Expired:
		return time.Time{}
	case NotYetEffective:
		return Begins(a)
	case Incomplete:
		return a.Expires.Time
	}
	for _, before := range Warnings {
		if begins := a.Expires.Add(-before); now.Before(begins) {
			return begins
		}
	}
	return a.Expires.Time
}
