package phiworkload

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

func TestStatusIsQuiet(t *testing.T) {
	s := finished(t)
	s.drift = []repair.Drift{{Kind: "NetworkPolicy", Name: "open", Path: ".", Noticed: s.now}}
	first := statusOf(s, nil)
	s.workload.Status = first
	s.now = s.now.Add(time.Hour)
	s.drift[0].Noticed = s.now
	second := statusOf(s, nil)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("a later pass that found the same says otherwise (-first +second):\n%s", diff)
	}
}

// A failover begins when it is declared and ends at its end, whatever happens in between.
func TestStatusTellsSinceWhenAFailoverLasts(t *testing.T) {
	home := func(name string) *phitest.ProfileBuilder {
		return phitest.Profile(name).Regions("us-east-1", "us-east-2")
	}
	failing := home("strict").Failover(phitest.After(2*time.Hour), "us-west-2", "us-east-1")
	s := finished(t, home("strict").Obj())
	w := s.workload
	pass := func(at time.Duration, profiles ...*hipaav1.ComplianceProfile) *scope {
		next := finished(t, profiles...)
		next.workload, next.now, next.lookAgain = w, phitest.Epoch.Add(at), time.Time{}
		if err := (&Reconciler{Engine: minimal(t)}).resolve(next); err != nil {
			t.Fatal(err)
		}
		w.Status = statusOf(next, nil)
		return next
	}
	for _, step := range []struct {
		at       time.Duration
		profiles []*hipaav1.ComplianceProfile
		reason   string
		message  string
		since    time.Duration
		recheck  time.Duration
	}{
		{0, []*hipaav1.ComplianceProfile{home("strict").Obj()}, hipaav1.ReasonNoFailover, "PHI may be in us-east-1, us-east-2, and no failover is in force", 0, 0},
		{
			time.Hour, []*hipaav1.ComplianceProfile{failing.Obj()}, hipaav1.ReasonFailoverInForce,
			"until 2026-03-02T11:00:00Z PHI may be in us-west-2 too, as residency.failover of strict allows", time.Hour, time.Hour,
		},
		{
			90 * time.Minute, []*hipaav1.ComplianceProfile{failing.Obj()}, hipaav1.ReasonFailoverInForce,
			"until 2026-03-02T11:00:00Z PHI may be in us-west-2 too, as residency.failover of strict allows", time.Hour, 30 * time.Minute,
		},
		{
			100 * time.Minute, []*hipaav1.ComplianceProfile{failing.Obj(), home("other").Obj()}, hipaav1.ReasonNoFailover,
			"PHI may be in us-east-1, us-east-2, and no failover is in force", 100 * time.Minute, 20 * time.Minute,
		},
		{2 * time.Hour, []*hipaav1.ComplianceProfile{failing.Obj()}, hipaav1.ReasonNoFailover, "PHI may be in us-east-1, us-east-2, and no failover is in force", 100 * time.Minute, 0},
		{
			3 * time.Hour, []*hipaav1.ComplianceProfile{phitest.Profile("open").Obj()}, hipaav1.ReasonRegionsOpen,
			"no profile says in which regions PHI may be; the security team says so under residency.regions of one", 3 * time.Hour, 0,
		},
	} {
		recheck := pass(step.at, step.profiles...).recheckAfter()
		c := meta.FindStatusCondition(w.Status.Conditions, hipaav1.ConditionHomeRegionsOnly)
		if c.Reason != step.reason || c.Message != step.message || !c.LastTransitionTime.Time.Equal(phitest.Epoch.Add(step.since)) {
			t.Errorf("after %v: %+v", step.at, c)
		}
		if recheck != step.recheck {
			t.Errorf("after %v it is looked again in %v, want %v", step.at, recheck, step.recheck)
		}
	}
}

func TestSafeguardsAreCounted(t *testing.T) {
	s := finished(t)
	s.results = verdicts(hipaav1.VerdictPass, hipaav1.VerdictPass, hipaav1.VerdictFail, hipaav1.VerdictUnknown, hipaav1.VerdictExcepted, hipaav1.VerdictNotApplicable)
	status := statusOf(s, nil)
	if got := status.Safeguards.Summary; got != "2/5" {
		t.Errorf("summary = %s, want 2/5", got)
	}
	want := "2 of 5 in force, 1 failing, 1 unknown, 1 excepted"
	if got := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionReady).Message; got != want {
		t.Errorf("Ready says %q, want %q", got, want)
	}
}

func TestSinceIsCarriedOver(t *testing.T) {
	earlier := phitest.After(-time.Hour)
	s := finished(t)
	s.workload.Status.Controls = []hipaav1.ControlResult{
		{ID: "c0", Verdict: hipaav1.VerdictPass, Since: earlier, Message: "old evidence"},
		{ID: "c1", Verdict: hipaav1.VerdictFail, Since: earlier},
	}
	s.results = verdicts(hipaav1.VerdictPass, hipaav1.VerdictPass, hipaav1.VerdictPass)
	want := map[string]metav1.Time{"c0": earlier, "c1": phitest.After(0), "c2": phitest.After(0)}
	got := map[string]metav1.Time{}
	for _, c := range statusOf(s, nil).Controls {
		got[c.ID] = c.Since
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("since (-want +got):\n%s", diff)
	}
}

func TestWhatAFailedPassLeaves(t *testing.T) {
	before := hipaav1.PHIWorkloadStatus{
		ObservedGeneration: 2, Profiles: []string{"strict"}, Mode: hipaav1.ModeEnforce, Stage: hipaav1.StagePreviewing,
		Controls: []hipaav1.ControlResult{{ID: "quiet", Verdict: hipaav1.VerdictPass, Since: phitest.After(-time.Hour)}},
		Drift:    []hipaav1.Drift{{Object: "NetworkPolicy/open", Path: ".", State: hipaav1.DriftDetected, Time: phitest.After(-time.Hour)}},
	}
	tests := map[string]struct {
		giveErr error
		want    func(*hipaav1.PHIWorkloadStatus)
	}{
		"an unexpected error leaves what was known": {
			giveErr: errors.New("boom"),
			want:    func(*hipaav1.PHIWorkloadStatus) {},
		},
		"blocked takes the verdicts away, but not how far the adoption has come": {
			giveErr: outcome.Blocked(hipaav1.ReasonNoProfile, errors.New("none")),
			want: func(s *hipaav1.PHIWorkloadStatus) {
				s.ObservedGeneration, s.Profiles, s.Mode, s.Controls = 3, nil, "", nil
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t)
			s.workload.Status, s.progress = *before.DeepCopy(), begun
			want := *before.DeepCopy()
			tt.want(&want)
			got := statusOf(s, tt.giveErr)
			got.Conditions = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}
