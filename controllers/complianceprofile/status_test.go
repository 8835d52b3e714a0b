package complianceprofile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func brief(status *hipaav1.ComplianceProfileStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

// looked is the scope of a pass over a profile among others, at Epoch.
func looked(t *testing.T, p *hipaav1.ComplianceProfile, others ...*hipaav1.ComplianceProfile) *scope {
	t.Helper()
	p.Generation = 2
	s := &scope{profile: p, now: phitest.Epoch, profiles: map[string]*hipaav1.ComplianceProfile{p.Name: p}}
	s.guarded = outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonAsInstalled, Message: "m"}
	for _, o := range others {
		s.profiles[o.Name] = o
	}
	e, err := engine.New([]control.Control{{ID: "known"}})
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	if err := (&Reconciler{Engine: e}).judge(t.Context(), s); err != nil {
		t.Fatalf("judging: %v", err)
	}
	return s
}

func TestStatus(t *testing.T) {
	profile := func() *phitest.ProfileBuilder { return phitest.Profile("strict") }
	guarded := func(status metav1.ConditionStatus, reason string) func(*scope) {
		return func(s *scope) { s.guarded = outcome.Condition{Status: status, Reason: reason, Message: "m"} }
	}
	tests := map[string]struct {
		give       *hipaav1.ComplianceProfile
		giveOthers []*hipaav1.ComplianceProfile
		giveChange func(*scope)
		giveErr    error
		want       [4]string // Ready, Valid, NotPaused, AdmissionGuarded
	}{
		"all is well": {
			give: profile().Obj(),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"a control that exists": {
			give: profile().Control("known", hipaav1.ModeAudit).Obj(),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"a control that does not": {
			give: profile().Control("unknown", hipaav1.ModeAudit).Obj(),
			want: [4]string{"False UnknownControl", "False UnknownControl", "True Running", "True AsInstalled"},
		},
		"a ruleset of the future": {
			give: profile().Ruleset("2099.1").Obj(),
			want: [4]string{"False UnknownRuleset", "False UnknownRuleset", "True Running", "True AsInstalled"},
		},
		"a base that does not exist": {
			give: profile().Extends("gone").Obj(),
			want: [4]string{"False ProfileNotFound", "False ProfileNotFound", "True Running", "True AsInstalled"},
		},
		"a base that exists": {
			give: profile().Extends("base").Obj(), giveOthers: []*hipaav1.ComplianceProfile{phitest.Profile("base").Obj()},
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"itself as its base": {
			give: profile().Extends("strict").Obj(),
			want: [4]string{"False ExtendsCycle", "False ExtendsCycle", "True Running", "True AsInstalled"},
		},
		"itself through another": {
			give: profile().Extends("base").Obj(), giveOthers: []*hipaav1.ComplianceProfile{phitest.Profile("base").Extends("strict").Obj()},
			want: [4]string{"False ExtendsCycle", "False ExtendsCycle", "True Running", "True AsInstalled"},
		},
		"a cycle of others is theirs": {
			give: profile().Extends("a").Obj(), giveOthers: []*hipaav1.ComplianceProfile{phitest.Profile("a").Extends("b").Obj(), phitest.Profile("b").Extends("a").Obj()},
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"the same base on two ways is no cycle": {
			give: profile().Extends("a", "b").Obj(), giveOthers: []*hipaav1.ComplianceProfile{phitest.Profile("a").Extends("b").Obj(), phitest.Profile("b").Obj()},
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"a window in a time zone that does not exist": {
			give: profile().Window("Mon-Fri 09:00-16:00 America/Springfield").Obj(),
			want: [4]string{"False InvalidWindow", "False InvalidWindow", "True Running", "True AsInstalled"},
		},
		"a pause is a decision, and no fault": {
			give: profile().PausedFor(time.Hour).Obj(),
			want: [4]string{"True Valid", "True Valid", "False Paused", "True AsInstalled"},
		},
		"a pause that is over": {
			give: profile().PausedFor(-time.Hour).Obj(),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"a pause at its very end": {
			give: profile().PausedFor(0).Obj(),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"a pause of a week": {
			give: profile().PausedFor(hipaav1.LongestPause).Obj(),
			want: [4]string{"True Valid", "True Valid", "False Paused", "True AsInstalled"},
		},
		"a pause that is too long does not count yet": {
			give: profile().PausedFor(hipaav1.LongestPause + time.Second).Obj(),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AsInstalled"},
		},
		"the guard has restored something": {
			give: profile().Obj(), giveChange: guarded(metav1.ConditionTrue, hipaav1.ReasonAdmissionRestored),
			want: [4]string{"True Valid", "True Valid", "True Running", "True AdmissionRestored"},
		},
		"the guard cannot restore something": {
			give: profile().Obj(), giveChange: guarded(metav1.ConditionFalse, hipaav1.ReasonInternalError),
			want: [4]string{"Unknown InternalError", "True Valid", "True Running", "False InternalError"},
		},
		"admission is paused": {
			give: profile().Obj(), giveChange: guarded(metav1.ConditionFalse, hipaav1.ReasonPaused),
			want: [4]string{"True Valid", "True Valid", "True Running", "False Paused"},
		},
		"nobody looks at admission": {
			give: profile().Obj(), giveChange: guarded(metav1.ConditionUnknown, hipaav1.ReasonEvidenceMissing),
			want: [4]string{"True Valid", "True Valid", "True Running", "Unknown EvidenceMissing"},
		},
		"an unexpected error": {
			give: profile().Obj(), giveChange: func(s *scope) { s.judged = false }, giveErr: errors.New("boom"),
			want: [4]string{"Unknown InternalError", "Unknown InternalError", "Unknown InternalError", "Unknown InternalError"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := looked(t, tt.give, tt.giveOthers...)
			if tt.giveChange != nil {
				tt.giveChange(s)
			}
			status := statusOf(s, tt.giveErr)
			got := [4]string{
				brief(&status, hipaav1.ConditionReady), brief(&status, hipaav1.ConditionValid),
				brief(&status, hipaav1.ConditionNotPaused), brief(&status, hipaav1.ConditionAdmissionGuarded),
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Ready, Valid, NotPaused, AdmissionGuarded (-want +got):\n%s", diff)
			}
			tt.give.Status = status
			phitest.ExpectLawfulConditions(t, tt.give)
		})
	}
}

func TestAPauseSaysWhoWroteItAndWhenItEnds(t *testing.T) {
	by := func(user string) *hipaav1.ComplianceProfile {
		p := phitest.Profile("strict").PausedFor(time.Hour).Obj()
		p.Annotations = map[string]string{hipaav1.AnnotationPausedBy: user}
		return p
	}
	long := strings.Repeat("a", 300)
	tests := map[string]struct {
		give    *hipaav1.ComplianceProfile
		want    *hipaav1.PauseInForce
		says    string
		recheck time.Duration
	}{
		"nobody pauses": {give: phitest.Profile("strict").Obj(), says: "no pause is in force"},
		"a pause":       {by("sue"), &hipaav1.PauseInForce{Until: phitest.After(time.Hour), By: "sue"}, "until 2026-03-02T10:00:00Z, paused by sue", time.Hour},
		"a pause that no admission saw": {
			by(""), &hipaav1.PauseInForce{Until: phitest.After(time.Hour)}, "paused by somebody whom admission did not see", time.Hour,
		},
		"a name that the status does not take": {by(long), &hipaav1.PauseInForce{Until: phitest.After(time.Hour), By: long[:253] + "..."}, "paused by aaa", time.Hour},
		"a pause that is too long": {
			phitest.Profile("strict").PausedFor(hipaav1.LongestPause + time.Minute).Obj(), nil, "so it counts from 2026-03-02T09:01:00Z only", time.Minute,
		},
		"a pause that is over": {give: phitest.Profile("strict").PausedFor(-time.Hour).Obj(), says: "no pause is in force"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := looked(t, tt.give)
			status := statusOf(s, nil)
			if diff := cmp.Diff(tt.want, status.Pause); diff != "" {
				t.Errorf("pause (-want +got):\n%s", diff)
			}
			if got := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionNotPaused).Message; !strings.Contains(got, tt.says) {
				t.Errorf("says %q, want %q", got, tt.says)
			}
			if got := s.recheckAfter(); got != tt.recheck {
				t.Errorf("looks again after %v, want %v", got, tt.recheck)
			}
		})
	}
}

func TestUndeclaredPodsAreCountedByNamespace(t *testing.T) {
	in := func(namespace string, pods int32) hipaav1.UndeclaredIn {
		return hipaav1.UndeclaredIn{Namespace: namespace, Pods: pods, LastCreated: phitest.After(0)}
	}
	many := make([]hipaav1.UndeclaredIn, 100)
	for i := range many {
		many[i] = in(fmt.Sprintf("n%02d", i), int32(i)+1)
	}
	if got := undeclaredOf(nil); got != nil {
		t.Errorf("counts %v where there are none", got)
	}
	want := &hipaav1.UndeclaredCounts{Pods: 7, Namespaces: 3, In: []hipaav1.UndeclaredIn{in("b", 3), in("a", 2), in("c", 2)}}
	if diff := cmp.Diff(want, undeclaredOf([]hipaav1.UndeclaredIn{in("c", 2), in("a", 2), in("b", 3)})); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if got := undeclaredOf(many); got.Pods != 5050 || got.Namespaces != 100 || len(got.In) != 64 || got.In[63].Namespace != "n36" {
		t.Errorf("counts %d pods in %d namespaces and lists %d", got.Pods, got.Namespaces, len(got.In))
	}
}

// census knows some namespaces.
type census map[string]hipaav1.UndeclaredIn

func (c census) Undeclared(namespace string) (hipaav1.UndeclaredIn, bool) {
	in, looked := c[namespace]
	return in, looked
}

func TestWhatWasCountedStandsUntilSomebodyHasLooked(t *testing.T) {
	recorded := hipaav1.UndeclaredIn{Namespace: "ehr", Pods: 3, LastCreated: phitest.After(0)}
	tests := map[string]struct {
		give census
		want []hipaav1.UndeclaredIn
	}{
		"nobody has looked":  {census{}, []hipaav1.UndeclaredIn{recorded}},
		"they have gone":     {census{"ehr": {Namespace: "ehr"}}, nil},
		"there are others":   {census{"ehr": {Namespace: "ehr", Pods: 9}}, []hipaav1.UndeclaredIn{{Namespace: "ehr", Pods: 9}}},
		"they are elsewhere": {census{"lab": {Namespace: "lab", Pods: 9}}, []hipaav1.UndeclaredIn{recorded}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := looked(t, phitest.Profile("strict").Obj())
			s.profile.Status.Undeclared = &hipaav1.UndeclaredCounts{Pods: 3, Namespaces: 1, In: []hipaav1.UndeclaredIn{recorded}}
			(&Reconciler{Census: tt.give}).addUndeclared(s, "ehr")
			if diff := cmp.Diff(tt.want, s.undeclared); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryProblemIsTold(t *testing.T) {
	s := looked(t, phitest.Profile("strict").Ruleset("2099.1").Control("unknown", hipaav1.ModeAudit).Extends("gone").Window("Mon 09:00-09:00 UTC").Obj())
	var reasons []string
	for _, p := range s.problems {
		reasons = append(reasons, p.reason)
	}
	want := []string{hipaav1.ReasonUnknownRuleset, hipaav1.ReasonUnknownControl, hipaav1.ReasonProfileNotFound, hipaav1.ReasonInvalidWindow}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
