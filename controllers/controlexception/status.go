package controlexception

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// statusOf turns what a pass learned into the status. It is pure, and leaves the
// approval as it is.
func statusOf(s *scope, stepErr error) hipaav1.ControlExceptionStatus {
	next := *s.exception.Status.DeepCopy()
	c := &outcome.Conditions{
		Previous: s.exception.Status.Conditions, Generation: s.exception.Generation,
		Now: metav1.NewTime(s.now.UTC().Truncate(time.Second)),
	}
	if !s.judged {
		failure := outcome.ConditionOf(stepErr)
		c.Ready(failure.Status, failure.Reason, failure.Message)
		c.NotLookedAt(hipaav1.ConditionApproved, failure)
		c.NotLookedAt(hipaav1.ConditionInForce, failure)
		next.Conditions = c.List()
		return next
	}
	next.ObservedGeneration, next.SpecDigest = s.exception.Generation, s.digest
	approved, inForce := approvedOf(s), inForceOf(s)
	ready := inForce
	switch {
	case s.workload == "":
		ready = outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonWorkloadNotFound,
			Message: "PHIWorkload \"" + s.exception.Spec.WorkloadRef.Name + "\" does not exist in this namespace"}
	case !s.known:
		ready = outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonUnknownControl,
			Message: "the catalogue has no control \"" + s.exception.Spec.ControlID + "\"; see docs/controls"}
	case s.flaw != "" && s.state != engine.ExceptionExpired:
		ready = inForce // people hear of it before they decide
	case inForce.Status != metav1.ConditionTrue && approved.Status != metav1.ConditionTrue && s.state != engine.ExceptionExpired:
		ready = approved // says what people have to do
	}
	c.Ready(ready.Status, ready.Reason, ready.Message)
	c.Set(hipaav1.ConditionApproved, approved.Status, approved.Reason, approved.Message)
	c.Set(hipaav1.ConditionInForce, inForce.Status, inForce.Reason, inForce.Message)
	if due := s.warned(); s.inForce() && due > 0 {
		c.Set(hipaav1.ConditionExpiring, metav1.ConditionTrue, hipaav1.EventExceptionEnding,
			"ends at "+s.end()+", within "+outcome.Hours(due))
	}
	next.Conditions = c.List()
	return next
}

// approvedOf says whether an approval covers the present spec and workload,
// whatever the time.
func approvedOf(s *scope) outcome.Condition {
	state := s.state
	if state == engine.ExceptionExpired {
		// What it would be if it had not ended.
		state = engine.StateOf(s.exception, s.workload, s.exception.Spec.Expires.Add(-time.Second))
	}
	switch state {
	case engine.ExceptionInForce, engine.ExceptionBarred, engine.ExceptionTooLong, engine.ExceptionUnrecorded:
		return outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonApproved, Message: "approved by " + s.exception.Status.Approval.Approver}
	case engine.ExceptionDenied:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonDenied, Message: "denied by " + s.exception.Status.Approval.Approver}
	case engine.ExceptionVoid:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonApprovalVoid, Message: voidBecause(s)}
	default:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonApprovalPending, Message: "waits for somebody else than the requester to set decision and specDigest in status.approval"}
	}
}

// voidBecause says what a decision no longer covers.
func voidBecause(s *scope) string {
	switch {
	case s.exception.Status.Approval.SpecDigest != s.digest:
		return "the spec changed after the decision: it needs a new one"
	case s.exception.Status.Approval.Generation != s.exception.Generation:
		return "the spec was changed after the decision, and changed back: remove status.approval and decide again"
	case s.workload == "":
		return "the PHIWorkload that the decision was about is gone"
	default:
		return "the decision was about an earlier PHIWorkload of that name: remove status.approval and decide again"
	}
}

// inForceOf says whether the exception counts now.
func inForceOf(s *scope) outcome.Condition {
	end := s.end()
	switch {
	case s.inForce():
		return outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonInForce, Message: s.effective.Standing(s.exception.Spec.ControlID, s.exception.Spec.Expires)}
	case s.state == engine.ExceptionExpired:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonExpired, Message: "ended at " + end}
	case s.flaw == engine.ExceptionBarred:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonNeverExcepted,
			Message: "does not count, because spec.exceptions.neverFor of ComplianceProfile " + strings.Join(s.effective.Barring(s.exception.Spec.ControlID), ", ") +
				" takes no exception from this control: bring the workload in order, or ask those who may change that profile"}
	case s.flaw == engine.ExceptionTooLong:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonTooLong,
			Message: "does not count, because it ends at " + end + " and spec.exceptions.maximumLength of the profiles allows " +
				outcome.Hours(s.effective.LongestException()) + " from its creation: ask again by another exception, or write an end no later than " +
				s.effective.LatestEnd(s.exception, s.now).UTC().Format(time.RFC3339)}
	case s.flaw == engine.ExceptionUnrecorded:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonRecordMissing,
			Message: "does not count, because its control stands for an addressable specification (" +
				hipaa.Join(s.effective.Addressable(s.exception.Spec.ControlID)) + "): write spec.record, as 45 CFR 164.306(d)(3) asks"}
	default:
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonNotApproved, Message: "counts once it is approved, until " + end}
	}
}

func (s *scope) end() string { return s.exception.Spec.Expires.UTC().Format(time.RFC3339) }
