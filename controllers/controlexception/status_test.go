package controlexception

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const (
	week = 7 * day
	day  = 24 * time.Hour
)

func at(x *hipaav1.ControlException, after time.Duration) *scope {
	return under(phitest.Profile("strict").LongestException(60*day), x, after)
}

// under is what a pass knows where a profile governs the namespace.
func under(profile *phitest.ProfileBuilder, x *hipaav1.ControlException, after time.Duration) *scope {
	now := phitest.Epoch.Add(after)
	judge, err := engine.New(catalog.All())
	if err != nil {
		panic(err)
	}
	effective, err := judge.Resolve([]*hipaav1.ComplianceProfile{profile.Obj()}, phitest.Namespace(x.Namespace).Obj(), nil, now)
	if err != nil {
		panic(err)
	}
	s := &scope{exception: x, now: now, observed: true, effective: effective, known: true}
	return of(phitest.UIDOf(x.Spec.WorkloadRef.Name), s)
}

// of is the same where the workload is another, or none.
func of(workload types.UID, s *scope) *scope {
	known := s.known
	s.workload = workload
	if err := (&Reconciler{Engine: &engine.Engine{}}).judge(context.Background(), s); err != nil {
		panic(err)
	}
	s.known = known
	return s
}

func digestOf(x *hipaav1.ControlException) string {
	digest, err := x.Spec.Digest()
	if err != nil {
		panic(err)
	}
	return digest
}

func brief(status *hipaav1.ControlExceptionStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

func TestStatus(t *testing.T) {
	x := func() *phitest.ExceptionBuilder { return phitest.Exception("legacy", "api", "pod-hardening") } // ends after a day
	tests := map[string]struct {
		give    *scope
		giveErr error
		want    [3]string // Ready, Approved, InForce
	}{
		"nobody has decided": {
			give: at(x().Obj(), 0),
			want: [3]string{"False ApprovalPending", "False ApprovalPending", "False NotApproved"},
		},
		"approved": {
			give: at(x().ApprovedBy("officer").Obj(), 0),
			want: [3]string{"True InForce", "True Approved", "True InForce"},
		},
		"denied": {
			give: at(x().DeniedBy("officer").Obj(), 0),
			want: [3]string{"False Denied", "False Denied", "False NotApproved"},
		},
		"changed after the approval": {
			give: at(x().ApprovedBy("officer").Because("another reason than before").Obj(), 0),
			want: [3]string{"False ApprovalVoid", "False ApprovalVoid", "False NotApproved"},
		},
		"a second before its end": {
			give: at(x().ApprovedBy("officer").Obj(), 24*time.Hour-time.Second),
			want: [3]string{"True InForce", "True Approved", "True InForce"},
		},
		"at its end": {
			give: at(x().ApprovedBy("officer").Obj(), 24*time.Hour),
			want: [3]string{"False Expired", "True Approved", "False Expired"},
		},
		"ended without a decision": {
			give: at(x().Obj(), 48*time.Hour),
			want: [3]string{"False Expired", "False ApprovalPending", "False Expired"},
		},
		"the workload does not exist": {
			give: of("", at(x().ApprovedBy("officer").Obj(), 0)),
			want: [3]string{"False WorkloadNotFound", "False ApprovalVoid", "False NotApproved"},
		},
		"the workload does not exist yet": {
			give: of("", at(x().Obj(), 0)),
			want: [3]string{"False WorkloadNotFound", "False ApprovalPending", "False NotApproved"},
		},
		"another workload took the name after the approval": {
			give: of("another", at(x().ApprovedBy("officer").Obj(), 0)),
			want: [3]string{"False ApprovalVoid", "False ApprovalVoid", "False NotApproved"},
		},
		"ended, for a workload that is gone": {
			give: of("", at(x().ApprovedBy("officer").Obj(), 48*time.Hour)),
			want: [3]string{"False WorkloadNotFound", "False ApprovalVoid", "False Expired"},
		},
		"the control does not exist": {
			give: func() *scope { s := at(x().ApprovedBy("officer").Obj(), 0); s.known = false; return s }(),
			want: [3]string{"False UnknownControl", "True Approved", "True InForce"},
		},
		"too long for the profile": {
			give: at(x().Created(phitest.After(-60*day)).ApprovedBy("officer").Obj(), 0),
			want: [3]string{"False TooLong", "True Approved", "False TooLong"},
		},
		"from a control that takes none": {
			give: under(phitest.Profile("strict").NoExceptions("pod-hardening"), x().ApprovedBy("officer").Obj(), 0),
			want: [3]string{"False NeverExcepted", "True Approved", "False NeverExcepted"},
		},
		"from a control that takes none, before anybody decides": {
			give: under(phitest.Profile("strict").NoExceptions("pod-hardening"), x().Obj(), 0),
			want: [3]string{"False NeverExcepted", "False ApprovalPending", "False NeverExcepted"},
		},
		"from a control that takes none, and ended": {
			give: under(phitest.Profile("strict").NoExceptions("pod-hardening"), x().ApprovedBy("officer").Obj(), 48*time.Hour),
			want: [3]string{"False Expired", "True Approved", "False Expired"},
		},
		"too long, before anybody decides": {
			give: at(x().Created(phitest.After(-60*day)).Obj(), 0),
			want: [3]string{"False TooLong", "False ApprovalPending", "False TooLong"},
		},
		"too long, and ended": {
			give: at(x().Created(phitest.After(-60*day)).ApprovedBy("officer").Obj(), 24*time.Hour),
			want: [3]string{"False Expired", "True Approved", "False Expired"},
		},
		"from an addressable specification, with its record": {
			give: at(phitest.Exception("legacy", "api", "volume-encryption").ApprovedBy("officer").Obj(), 0),
			want: [3]string{"True InForce", "True Approved", "True InForce"},
		},
		"from an addressable specification, without its record": {
			give: at(phitest.Exception("legacy", "api", "volume-encryption").Unrecorded().ApprovedBy("officer").Obj(), 0),
			want: [3]string{"False RecordMissing", "True Approved", "False RecordMissing"},
		},
		"from a required specification, without one": {
			give: at(x().Unrecorded().ApprovedBy("officer").Obj(), 0),
			want: [3]string{"True InForce", "True Approved", "True InForce"},
		},
		"an unexpected error": {
			give:    func() *scope { s := at(x().Obj(), 0); s.judged = false; return s }(),
			giveErr: errors.New("boom"),
			want:    [3]string{"Unknown InternalError", "Unknown InternalError", "Unknown InternalError"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := tt.give.exception.DeepCopy()
			status := statusOf(tt.give, tt.giveErr)
			got := [3]string{brief(&status, hipaav1.ConditionReady), brief(&status, hipaav1.ConditionApproved), brief(&status, hipaav1.ConditionInForce)}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Ready, Approved, InForce (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before.Status.Approval, status.Approval); diff != "" {
				t.Errorf("the approval changed (-was +is):\n%s", diff)
			}
			if tt.give.judged && status.SpecDigest != digestOf(tt.give.exception) {
				t.Errorf("specDigest = %q, want that of the spec", status.SpecDigest)
			}
			tt.give.exception.Status = status
			phitest.ExpectLawfulConditions(t, tt.give.exception)
		})
	}
}

func TestAVoidApprovalSaysWhatItNoLongerCovers(t *testing.T) {
	approved := func() *hipaav1.ControlException {
		return phitest.Exception("legacy", "api", "pod-hardening").ApprovedBy("officer").Obj()
	}
	changed := approved()
	changed.Spec.Reason = "another reason than before"
	restored := approved()
	restored.Generation += 2
	tests := map[string]struct {
		give *scope
		want string
	}{
		"the spec changed and came back": {at(restored, 0), "the spec was changed after the decision, and changed back: remove status.approval and decide again"},
		"the spec changed":               {at(changed, 0), "the spec changed after the decision: it needs a new one"},
		"the workload is gone":           {of("", at(approved(), 0)), "the PHIWorkload that the decision was about is gone"},
		"the workload is another":        {of("another", at(approved(), 0)), "the decision was about an earlier PHIWorkload of that name: remove status.approval and decide again"},
		"both":                           {of("another", at(changed, 0)), "the spec changed after the decision: it needs a new one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status := statusOf(tt.give, nil)
			if got := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionApproved).Message; got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRecheckAfter(t *testing.T) {
	tests := map[string]struct{ giveLeft, want time.Duration }{
		"a month: the week's warning":      {30 * day, 23 * day},
		"a week and a second: that second": {week + time.Second, time.Second},
		"a week: the day's warning":        {week, 6 * day},
		"three days: the day's warning":    {3 * day, 2 * day},
		"a day: the end":                   {day, day},
		"an hour: the end":                 {time.Hour, time.Hour},
		"at the end: never again":          {0, 0},
		"long past: never again":           {-time.Hour, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			x := phitest.Exception("legacy", "api", "pod-hardening").Expires(phitest.After(tt.giveLeft)).Obj()
			if got := at(x, 0).recheckAfter(); got != tt.want {
				t.Errorf("recheckAfter() = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatIsInForceIsNotMet(t *testing.T) {
	const end = "2026-03-03T09:00:00Z"
	for name, tt := range map[string]struct{ give, want string }{
		"a required specification": {"pod-hardening", "not met, risk accepted until " + end},
		"an addressable one":       {"volume-encryption", "not met, an equivalent measure in its place until " + end},
		"one of each":              {"ephemeral-storage", "not met, risk accepted until " + end},
	} {
		t.Run(name, func(t *testing.T) {
			status := statusOf(at(phitest.Exception("legacy", "api", tt.give).ApprovedBy("officer").Obj(), 0), nil)
			if got := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionInForce).Message; got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAFlawSaysWhatToDo(t *testing.T) {
	long := at(phitest.Exception("legacy", "api", "pod-hardening").Created(phitest.After(-60*day)).Obj(), 0)
	bare := at(phitest.Exception("legacy", "api", "volume-encryption").Unrecorded().Obj(), 0)
	for want, give := range map[string]*scope{
		"does not count, because it ends at 2026-03-03T09:00:00Z and spec.exceptions.maximumLength of the profiles allows 60 days from its creation: " +
			"ask again by another exception, or write an end no later than 2026-03-02T09:00:00Z": long,
		"does not count, because its control stands for an addressable specification (45 CFR 164.312(a)(2)(iv)): write spec.record, as 45 CFR 164.306(d)(3) asks": bare,
	} {
		status := statusOf(give, nil)
		if got := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionReady).Message; got != want {
			t.Errorf("says %q, want %q", got, want)
		}
	}
}

func TestTheMessageChangesOnlyWithAWarning(t *testing.T) {
	x := phitest.Exception("legacy", "api", "pod-hardening").Expires(phitest.After(30 * day)).ApprovedBy("officer").Obj()
	var messages []string
	for after := time.Duration(0); after <= 30*day; after += time.Hour {
		status := statusOf(at(x, after), nil)
		message := ""
		if c := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionExpiring); c != nil {
			message = string(c.Status) + " " + c.Message
		}
		if len(messages) == 0 || messages[len(messages)-1] != message {
			messages = append(messages, message)
		}
	}
	want := []string{"", "True ends at 2026-04-01T09:00:00Z, within 7 days", "True ends at 2026-04-01T09:00:00Z, within 1 day", ""}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages over the life of an exception (-want +got):\n%s", diff)
	}
}
