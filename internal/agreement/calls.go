package agreement

import (
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Calls say whether calls to a vendor get out.
type Calls struct {
	// Open says that they do.
	Open bool
	// Until is when they end by themselves; zero is never.
	Until time.Time
	// Reason is that of the condition.
	Reason string
}

// CallsTo says whether calls to a vendor get out at an instant. An agreement that has
// ended cuts nobody off by itself, unless that was chosen beforehand; one that never
// counted lets nobody out.
func CallsTo(v *hipaav1.Vendor, now time.Time) Calls {
	a := v.Spec.Agreement
	state := StateOf(a, now)
	switch {
	case IsClosed(v):
		return Calls{Reason: hipaav1.ReasonClosedByPeople}
	case state == Expired && len(Missing(a)) > 0:
		return Calls{Reason: hipaav1.ReasonClausesMissing}
	case state == Expired && closesAtEnd(v):
		return Calls{Reason: hipaav1.ReasonClosedAtEnd}
	case state == Expired:
		return Calls{Open: true, Reason: hipaav1.ReasonPastEnd}
	case state != InForce:
		return Calls{Reason: string(state)}
	case closesAtEnd(v):
		return Calls{Open: true, Until: a.Expires.Time, Reason: hipaav1.ReasonInForce}
	default:
		return Calls{Open: true, Reason: hipaav1.ReasonInForce}
	}
}

// closesAtEnd reports whether the end of the agreement closes calls. Where the care of
// patients depends on them, or nobody has said that it does not, it never does.
func closesAtEnd(v *hipaav1.Vendor) bool {
	spared := v.Spec.Continuity == "" || v.Spec.Continuity == hipaav1.ContinuityPatientCare
	return v.Spec.OnEnd == hipaav1.OnEndClose && !spared
}

// IsClosed reports whether two people have decided to close calls, about the agreement
// that stands.
func IsClosed(v *hipaav1.Vendor) bool {
	c := v.Status.Closure
	if c == nil || c.Proposal == nil || c.Approval == nil || c.Proposal.Person == c.Approval.Person {
		return false
	}
	digest, err := v.Spec.Agreement.Fingerprint()
	return err == nil && c.Proposal.AgreementDigest == digest && c.Approval.AgreementDigest == digest
}

// Why says in words why calls do not get out, and who can help; empty where they do.
func (c Calls) Why() string {
	switch c.Reason {
	case hipaav1.ReasonClosedByPeople:
		return "two people have decided to close calls to it: one of them takes it back by removing their word from status.closure"
	case hipaav1.ReasonClosedAtEnd:
		return "its agreement has ended, and spec.onEnd closes calls then: conclude another one"
	case hipaav1.ReasonNoAgreement:
		return "there is no agreement with it: conclude one and have the privacy officer declare it"
	case hipaav1.ReasonClausesMissing:
		return "its agreement lacks clauses that the law asks for: have it amended"
	case hipaav1.ReasonNotYetEffective:
		return "its agreement does not count yet"
	default:
		return ""
	}
}
