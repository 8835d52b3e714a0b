package controlexception

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func at(x *hipaav1.ControlException, after time.Duration) *scope {
	now, workload := phitest.Epoch.Add(after), phitest.UIDOf(x.Spec.WorkloadRef.Name)
	return &scope{
		exception: x, now: now, observed: true, workload: workload,
		judged: true, digest: digestOf(x), known: true, state: engine.StateOf(x, workload, now),
	}
}

// of is the same where the workload is another, or none.
func of(workload types.UID, s *scope) *scope {
	s.workload, s.state = workload, engine.StateOf(s.exception, workload, s.now)
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

func TestTheMessageChangesOnlyWithAWarning(t *testing.T) {
	x := phitest.Exception("legacy", "api", "pod-hardening").Expires(phitest.After(30 * day)).ApprovedBy("officer").Obj()
	var messages []string
	for after := time.Duration(0); after < 30*day; after += time.Hour {
		status := statusOf(at(x, after), nil)
		message := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionInForce).Message
		if len(messages) == 0 || messages[len(messages)-1] != message {
			messages = append(messages, message)
		}
	}
	want := []string{"until 2026-04-01T09:00:00Z", "until 2026-04-01T09:00:00Z, within a week", "until 2026-04-01T09:00:00Z, within a day"}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages over the life of an exception (-want +got):\n%s", diff)
	}
}
