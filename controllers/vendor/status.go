package vendor

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// statusOf turns what a pass learned into the status. It is pure.
func statusOf(s *scope) hipaav1.VendorStatus {
	next := *s.vendor.Status.DeepCopy()
	next.ObservedGeneration = s.vendor.Generation
	c := &outcome.Conditions{
		Previous: s.vendor.Status.Conditions, Generation: s.vendor.Generation,
		Now: metav1.NewTime(s.now.UTC().Truncate(time.Second)),
	}
	status := metav1.ConditionFalse
	if s.state == agreement.InForce {
		status = metav1.ConditionTrue
	}
	message := says(s)
	c.Ready(status, string(s.state), message)
	c.Set(hipaav1.ConditionAgreementInForce, status, string(s.state), message)
	if s.warned > 0 {
		c.Set(hipaav1.ConditionExpiring, metav1.ConditionTrue, hipaav1.EventAgreementEnding,
			"ends at "+instant(s.vendor.Spec.Agreement.Expires.Time)+", within "+outcome.Hours(s.warned))
	}
	open, why := s.callsOpen()
	c.Set(hipaav1.ConditionCallsOpen, open, why, s.saysOfCalls())
	next.Conditions = c.List()
	next.Callers, next.Impact, next.AgreementDigest = s.callers[:min(len(s.callers), maxCallers)], impactOf(s.callers), s.digest
	return next
}

// callsOpen says whether calls get out, which nobody knows where nothing decides it.
func (s *scope) callsOpen() (open metav1.ConditionStatus, reason string) {
	switch {
	case s.ungated:
		return metav1.ConditionUnknown, hipaav1.ReasonEgressMissing
	case s.calls.Open:
		return metav1.ConditionTrue, s.calls.Reason
	default:
		return metav1.ConditionFalse, s.calls.Reason
	}
}

// maxCallers bounds the list in the status, as in the API.
const maxCallers = 64

// impactOf counts whom it concerns when calls are closed.
func impactOf(callers []hipaav1.VendorCaller) *hipaav1.VendorImpact {
	care := 0
	for i := range callers {
		if callers[i].Continuity == hipaav1.ContinuityPatientCare {
			care++
		}
	}
	return &hipaav1.VendorImpact{Workloads: ptr.To(int32(len(callers))), PatientCare: ptr.To(int32(care))} //nolint:gosec // as many as there are workloads
}

// saysOfCalls is what there is to know of calls, and whom it concerns.
func (s *scope) saysOfCalls() string {
	concerned := fmt.Sprintf("named by %d PHIWorkloads", len(s.callers))
	if len(s.callers) == 1 {
		concerned = "named by 1 PHIWorkload"
	}
	switch {
	case s.ungated:
		return "phi-egress, which decides what calls leave, is not installed or not configured yet: install the operator with its proxies, as docs/vendors.md says; " + concerned
	case !s.calls.Open:
		return "phi-egress lets no call out: " + s.calls.Why() + "; " + concerned
	case s.calls.Reason == hipaav1.ReasonPastEnd:
		return "calls go on past the end of the agreement, which was at " + instant(s.vendor.Spec.Agreement.Expires.Time) +
			": conclude another one, or let two people close them by status.closure, as docs/vendors.md says; " + concerned
	case !s.calls.Until.IsZero():
		return "calls end with the agreement, at " + instant(s.calls.Until) + "; " + concerned
	default:
		return "phi-egress lets out the calls of workloads that name it; " + concerned
	}
}

// says is what there is to know of the agreement, and who can help.
func says(s *scope) string {
	a := s.vendor.Spec.Agreement
	switch s.state {
	case agreement.None:
		return "there is no agreement: no workload may call this vendor until the privacy officer declares one under spec.agreement"
	case agreement.Expired:
		return "ended at " + instant(a.Expires.Time) + ": new flows are refused and those there are fail; conclude another one, and declare it under spec.agreement"
	case agreement.Incomplete:
		return "lacks what 45 CFR 164.504(e)(2) and 164.314(a)(2)(i) ask for: " + listed(agreement.Missing(a)) +
			"; amend the agreement, and name in spec.agreement.clauses what it has then"
	case agreement.NotYetEffective:
		return "counts from " + instant(agreement.Begins(a)) + ": until then no workload may call this vendor"
	default:
		return "in force until " + instant(a.Expires.Time)
	}
}

// listed lists clauses for people.
func listed(clauses []hipaav1.AgreementClause) string {
	names := make([]string, len(clauses))
	for i, clause := range clauses {
		names[i] = string(clause)
	}
	return strings.Join(names, ", ")
}

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }
