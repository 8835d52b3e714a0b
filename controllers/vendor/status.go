package vendor

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	next.Conditions = c.List()
	return next
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
