package complianceprofile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// statusOf turns what a pass learned into the status. It is pure.
func statusOf(s *scope, stepErr error) hipaav1.ComplianceProfileStatus {
	next := *s.profile.Status.DeepCopy()
	c := &outcome.Conditions{
		Previous: s.profile.Status.Conditions, Generation: s.profile.Generation,
		Now: metav1.NewTime(s.now.UTC().Truncate(time.Second)),
	}
	if !s.judged {
		failure := outcome.ConditionOf(stepErr)
		c.Ready(failure.Status, failure.Reason, failure.Message)
		for _, kind := range []string{hipaav1.ConditionValid, hipaav1.ConditionNotPaused, hipaav1.ConditionAdmissionGuarded} {
			c.NotLookedAt(kind, failure)
		}
		if s.profile.Spec.Rollout != nil && len(s.profile.Spec.Rollout.AcceptedPreviews) > 0 {
			c.NotLookedAt(hipaav1.ConditionAcceptancesFit, failure)
		}
		next.Conditions = c.List()
		return next
	}
	next.ObservedGeneration = s.profile.Generation
	next.Namespaces, next.Workloads, next.Previewing = ptr.To(s.namespaces), ptr.To(s.workloads), ptr.To(s.previewing)
	next.Pause, next.Undeclared = s.paused(), undeclaredOf(s.undeclared)
	valid := validOf(s)
	ready := valid
	if valid.Status == metav1.ConditionTrue && s.guarded.Status == metav1.ConditionFalse && s.guarded.Reason != hipaav1.ReasonPaused {
		ready = s.guarded
		ready.Status = metav1.ConditionUnknown // the guard goes on by itself
	}
	c.Ready(ready.Status, ready.Reason, ready.Message)
	c.Set(hipaav1.ConditionValid, valid.Status, valid.Reason, valid.Message)
	paused := notPausedOf(s)
	c.Set(hipaav1.ConditionNotPaused, paused.Status, paused.Reason, paused.Message)
	c.Set(hipaav1.ConditionAdmissionGuarded, s.guarded.Status, s.guarded.Reason, s.guarded.Message)
	if fit, some := acceptancesFit(s); some {
		c.Set(hipaav1.ConditionAcceptancesFit, fit.Status, fit.Reason, fit.Message)
	}
	next.Conditions = c.List()
	return next
}

func validOf(s *scope) outcome.Condition {
	if len(s.problems) == 0 {
		return outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonValid, Message: "every control, profile and window that it names is known"}
	}
	messages := make([]string, len(s.problems))
	for i, p := range s.problems {
		messages[i] = p.message
	}
	return outcome.Condition{Status: metav1.ConditionFalse, Reason: s.problems[0].reason, Message: strings.Join(messages, "; ")}
}

func notPausedOf(s *scope) outcome.Condition {
	if p := s.paused(); p != nil {
		by := cmp.Or(p.By, "somebody whom admission did not see; the API server's audit log knows")
		return outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonPaused,
			Message: "Warn and Enforce count as Audit until " + p.Until.UTC().Format(time.RFC3339) + ", paused by " + by}
	}
	running := outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonRunning, Message: "no pause is in force"}
	if p := s.profile.Spec.Pause; p != nil && s.now.Before(p.Begins()) {
		running.Message = "spec.pause lasts seven days at most, so it counts from " + p.Begins().UTC().Format(time.RFC3339) + " only; write an earlier end"
	}
	return running
}

// mostListed is how many namespaces a status lists.
const mostListed = 64

// undeclaredOf sums up undeclared pods, and lists where most of them live.
func undeclaredOf(in []hipaav1.UndeclaredIn) *hipaav1.UndeclaredCounts {
	if len(in) == 0 {
		return nil
	}
	counts := &hipaav1.UndeclaredCounts{Namespaces: int32(len(in))} //nolint:gosec // no cluster has that many
	for i := range in {
		counts.Pods += in[i].Pods
	}
	sorted := slices.SortedFunc(slices.Values(in), func(a, b hipaav1.UndeclaredIn) int {
		return cmp.Or(cmp.Compare(b.Pods, a.Pods), cmp.Compare(a.Namespace, b.Namespace))
	})
	counts.In = sorted[:min(len(sorted), mostListed)]
	return counts
}
