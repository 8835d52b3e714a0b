package phiworkload

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// minimal is an engine with one control that has nothing to say.
func minimal(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New([]control.Control{{ID: "quiet", Cites: []hipaa.Citation{hipaa.AccessControl}, Since: 1, Judges: control.Pods}})
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	return e
}

// finished is the scope of a pass that found nothing wrong, at Epoch.
func finished(t *testing.T, profiles ...*hipaav1.ComplianceProfile) *scope {
	t.Helper()
	w := phitest.Workload("api").Obj()
	w.Generation = 3
	if profiles == nil {
		profiles = []*hipaav1.ComplianceProfile{phitest.Profile("strict").Obj()}
	}
	namespace := phitest.Namespace(w.Namespace).Obj()
	s := &scope{workload: w, now: phitest.Epoch, progress: replaced, scene: &subject.Scene{Namespace: namespace, Profiles: profiles}}
	r := &Reconciler{Engine: minimal(t)}
	if err := r.resolve(s); err != nil {
		t.Fatalf("resolving: %v", err)
	}
	s.subject = control.Subject{Namespace: namespace, Workload: w, World: &control.World{}, Profile: s.effective.Parameters}
	s.ruling = engine.Ruling{Effective: s.effective, Stage: hipaav1.StageEnforced, Now: s.now}
	s.results = []engine.Result{{ID: "quiet", Verdict: hipaav1.VerdictPass, Class: hipaav1.EvidenceObserved, Mode: hipaav1.ModeEnforce, Message: "seen"}}
	return s
}

func verdicts(list ...hipaav1.Verdict) []engine.Result {
	results := make([]engine.Result, len(list))
	for i, v := range list {
		results[i] = engine.Result{ID: fmt.Sprintf("c%d", i), Verdict: v, Mode: hipaav1.ModeEnforce}
	}
	return results
}

// brief is a condition in one line.
func brief(status *hipaav1.PHIWorkloadStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

func TestConditionsOfAStatus(t *testing.T) {
	stay := func(reason string) repair.Stay { return repair.Stay{Pod: "api-1", Reason: reason, Message: "m"} }
	tests := map[string]struct {
		giveProfiles []*hipaav1.ComplianceProfile
		give         func(*scope)
		giveErr      error
		want         map[string]string // absent conditions are ""
	}{
		"all is well": {
			want: map[string]string{
				"Ready": "True SafeguardsInForce", "Reconciling": "", "Stalled": "", "Released": "",
				"ProfileBound": "True Bound", "SelectorUnique": "True Unique", "FlowsResolved": "True Resolved",
				"SafeguardsMet": "True AllMet", "DriftFree": "True NoDrift", "Enforced": "True Enforced", "PodsProtected": "True NoPods",
				"ContinuityKept": "True PodsWait",
			},
		},
		"care depends on it, and its namespace does not say so": {
			give: func(s *scope) { s.workload.Spec.Continuity = hipaav1.ContinuityPatientCare },
			want: map[string]string{"Ready": "True SafeguardsInForce", "ContinuityKept": "False NamespaceNotPatientCare"},
		},
		"care depends on it, and its namespace says so": {
			give: func(s *scope) {
				s.workload.Spec.Continuity = hipaav1.ContinuityPatientCare
				s.scene.Namespace.Labels[hipaav1.LabelContinuity] = "PatientCare"
			},
			want: map[string]string{"Ready": "True SafeguardsInForce", "ContinuityKept": "True PodsStart"},
		},
		"a control fails: the operator has done its work all the same": {
			give: func(s *scope) {
				s.results = verdicts(hipaav1.VerdictPass, hipaav1.VerdictFail, hipaav1.VerdictUnknown, hipaav1.VerdictExcepted)
			},
			want: map[string]string{"Ready": "True SafeguardsInForce", "SafeguardsMet": "False SafeguardsFailing"},
		},
		"nothing is known yet: nothing is in force": {
			give: func(s *scope) { s.results = verdicts(hipaav1.VerdictUnknown, hipaav1.VerdictUnknown) },
			want: map[string]string{"Ready": "True NothingInForce", "SafeguardsMet": "Unknown EvidenceMissing"},
		},
		"every control fails: nothing is in force": {
			give: func(s *scope) { s.results = verdicts(hipaav1.VerdictFail, hipaav1.VerdictNotApplicable) },
			want: map[string]string{"Ready": "True NothingInForce", "SafeguardsMet": "False SafeguardsFailing"},
		},
		"an exception is not met": {
			give: func(s *scope) { s.results = verdicts(hipaav1.VerdictUnknown, hipaav1.VerdictExcepted) },
			want: map[string]string{"SafeguardsMet": "False SafeguardsExcepted"},
		},
		"unknown is neither met nor failing": {
			give: func(s *scope) { s.results = verdicts(hipaav1.VerdictUnknown, hipaav1.VerdictNotApplicable) },
			want: map[string]string{"SafeguardsMet": "Unknown EvidenceMissing"},
		},
		"no control at all is no pass": {
			give: func(s *scope) { s.results = nil },
			want: map[string]string{"SafeguardsMet": "Unknown EvidenceMissing"},
		},
		"a named profile does not exist": {
			giveProfiles: []*hipaav1.ComplianceProfile{phitest.Profile("strict").Extends("gone").Obj()},
			want:         map[string]string{"Ready": "False ProfileNotFound", "Stalled": "True ProfileNotFound", "ProfileBound": "False ProfileNotFound", "DriftFree": "True NoDrift"},
		},
		"profiles disagree": {
			giveProfiles: []*hipaav1.ComplianceProfile{phitest.Profile("a").EncryptedClass("x").Obj(), phitest.Profile("b").EncryptedClass("y").Obj()},
			want:         map[string]string{"Ready": "False ProfileConflict", "ProfileBound": "False ProfileConflict"},
		},
		"a pause": {
			giveProfiles: []*hipaav1.ComplianceProfile{phitest.Profile("strict").PausedFor(time.Hour).Obj()},
			want:         map[string]string{"Ready": "True ReportedOnly", "Enforced": "False Paused"},
		},
		"the mode is not Enforce": {
			giveProfiles: []*hipaav1.ComplianceProfile{phitest.Profile("strict").Mode(hipaav1.ModeAudit).Obj()},
			give: func(s *scope) {
				s.ruling.Stage, s.preview = hipaav1.StagePreviewing, &hipaav1.Preview{Digest: "sha256:0"}
			},
			want: map[string]string{"Ready": "True ReportedOnly", "Enforced": "False ModeNotEnforce"},
		},
		"the preview is not agreed": {
			give: func(s *scope) {
				s.ruling.Stage, s.preview = hipaav1.StagePreviewing, &hipaav1.Preview{Digest: "sha256:0"}
			},
			want: map[string]string{"Ready": "True ReportedOnly", "Enforced": "False PreviewNotEmpty"},
		},
		"another workload selects its pods": {
			give: func(s *scope) { s.overlaps = []string{"other"} },
			want: map[string]string{"Ready": "True SafeguardsInForce", "SelectorUnique": "False SelectorOverlaps"},
		},
		"a flow is not resolved": {
			give: func(s *scope) { s.unresolved = []string{"egress.to[0]: vendor"} },
			want: map[string]string{"FlowsResolved": "False FlowUnresolved"},
		},
		"evidence is missing": {
			give: func(s *scope) { s.subject.World.Missing = map[control.Evidence]string{control.FlowPeers: "no"} },
			want: map[string]string{"FlowsResolved": "Unknown EvidenceMissing"},
		},
		"drift stands": {
			give: func(s *scope) {
				s.drift = []repair.Drift{{Kind: "NetworkPolicy", Name: "open", Path: ".", Noticed: s.now}}
			},
			want: map[string]string{"Ready": "True SafeguardsInForce", "DriftFree": "False Drifted"},
		},
		"drift was put right": {
			give: func(s *scope) {
				s.drift = []repair.Drift{{Kind: "NetworkPolicy", Name: "open", Path: ".", Noticed: s.now, Corrected: true}}
			},
			want: map[string]string{"DriftFree": "True Corrected"},
		},
		"drift went away without the operator": {
			give: func(s *scope) {
				s.workload.Status.Drift = []hipaav1.Drift{{Object: "NetworkPolicy/open", Path: ".", State: hipaav1.DriftDetected, Time: phitest.After(-time.Hour)}}
			},
			want: map[string]string{"DriftFree": "True DriftResolved"},
		},
		"no pod runs, and the next one would be refused": {
			give: func(s *scope) { s.barred = barredBy("Deployment/api") },
			want: map[string]string{"Ready": "True SafeguardsInForce", "PodsProtected": "False ReplacementWouldBeRefused"},
		},
		"pods lack what is only reported": {
			give: func(s *scope) {
				s.protection = repair.Protection{Pods: 3, Reported: []repair.Reported{{Pod: "api-1", Controls: []string{"x"}}}}
			},
			want: map[string]string{"PodsProtected": "False ReportedOnly"},
		},
		"what is enforced comes before what is reported": {
			give: func(s *scope) {
				s.protection = repair.Protection{
					Pods: 3, Reported: []repair.Reported{{Pod: "api-1", Controls: []string{"x"}}},
					Stays: []repair.Stay{stay(hipaav1.ReasonReplacementAwaitsRestart)},
				}
			},
			want: map[string]string{"PodsProtected": "False ReplacementAwaitsRestart"},
		},
		"pods run as they should": {
			give: func(s *scope) { s.protection.Pods = 3 },
			want: map[string]string{"PodsProtected": "True PodsAdmitted"},
		},
		"pods are being replaced": {
			give: func(s *scope) { s.protection = repair.Protection{Pods: 3, Evicted: []repair.Evicted{{}}} },
			want: map[string]string{"PodsProtected": "False ReplacementPending"},
		},
		"what needs people comes before what time mends": {
			give: func(s *scope) {
				s.protection = repair.Protection{Pods: 3, Stays: []repair.Stay{stay(hipaav1.ReasonReplacementPending), stay(hipaav1.ReasonReplacementNeedsPerson)}}
			},
			want: map[string]string{"PodsProtected": "False ReplacementNeedsPerson"},
		},
		"what waits for a restart comes last": {
			give: func(s *scope) {
				s.protection = repair.Protection{Pods: 3, Stays: []repair.Stay{stay(hipaav1.ReasonReplacementAwaitsRestart), stay(hipaav1.ReasonReplacementPending)}}
			},
			want: map[string]string{"PodsProtected": "False ReplacementPending"},
		},
		"what the next pod lacks comes first": {
			give: func(s *scope) {
				s.protection = repair.Protection{Pods: 3, Stays: []repair.Stay{stay(hipaav1.ReasonReplacementNeedsPerson), stay(hipaav1.ReasonReplacementWouldBeRefused)}}
			},
			want: map[string]string{"PodsProtected": "False ReplacementWouldBeRefused"},
		},
		"blocked: only a person can help": {
			give:    func(s *scope) { s.progress = begun },
			giveErr: outcome.Blocked(hipaav1.ReasonNoProfile, errors.New("no profile")),
			want: map[string]string{
				"Ready": "False NoProfile", "Stalled": "True NoProfile", "Reconciling": "", "ProfileBound": "False NoProfile",
				"SelectorUnique": "Unknown NoProfile", "SafeguardsMet": "Unknown NoProfile", "DriftFree": "Unknown NoProfile", "PodsProtected": "Unknown NoProfile",
			},
		},
		"an unexpected error before judging": {
			give:    func(s *scope) { s.progress = observed },
			giveErr: errors.New("boom"),
			want: map[string]string{
				"Ready": "Unknown InternalError", "Reconciling": "True InternalError", "Stalled": "", "ProfileBound": "True Bound",
				"SafeguardsMet": "Unknown InternalError", "DriftFree": "Unknown InternalError",
			},
		},
		"an unexpected error while repairing": {
			give:    func(s *scope) { s.progress = judged },
			giveErr: errors.New("boom"),
			want:    map[string]string{"Ready": "Unknown InternalError", "SafeguardsMet": "True AllMet", "DriftFree": "Unknown InternalError", "PodsProtected": "Unknown InternalError"},
		},
		"deleted, and pods live": {
			give: func(s *scope) {
				at := phitest.After(0)
				s.workload.DeletionTimestamp, s.alive, s.progress = &at, 2, repaired
			},
			want: map[string]string{"Ready": "Unknown PodsLive", "Reconciling": "True PodsLive", "Released": "False PodsLive", "PodsProtected": "", "DriftFree": "True NoDrift"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t, tt.giveProfiles...)
			if tt.give != nil {
				tt.give(s)
			}
			status := statusOf(s, tt.giveErr)
			got := map[string]string{}
			for kind := range tt.want {
				got[kind] = brief(&status, kind)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			s.workload.Status = status
			phitest.ExpectLawfulConditions(t, s.workload)
		})
	}
}

func barredBy(objects ...string) []hipaav1.PreviewEntry {
	var entries []hipaav1.PreviewEntry
	for _, object := range objects {
		entries = append(entries, hipaav1.PreviewEntry{Object: object, Controls: []string{"x"}, Findings: []string{"spec is wrong; mend it", "and so is that"}})
	}
	return entries
}

func TestMessagesOfConditions(t *testing.T) {
	audit := phitest.Profile("strict").Mode(hipaav1.ModeAudit).Obj()
	tests := map[string]struct {
		giveProfiles []*hipaav1.ComplianceProfile
		give         func(*scope)
		kind, want   string
	}{
		"what is only reported is in force nowhere": {
			giveProfiles: []*hipaav1.ComplianceProfile{audit},
			give: func(s *scope) {
				s.results = verdicts(hipaav1.VerdictPass, hipaav1.VerdictFail, hipaav1.VerdictUnknown, hipaav1.VerdictUnknown)
			},
			kind: hipaav1.ConditionReady, want: "1 of 4 met, 1 failing, 2 unknown; reported only, for the strongest mode now is Audit",
		},
		"nothing in force": {
			give: func(s *scope) { s.results = verdicts(hipaav1.VerdictUnknown, hipaav1.VerdictUnknown) },
			kind: hipaav1.ConditionReady, want: "0 of 2 in force, 2 unknown",
		},
		"pods that lack what is only reported": {
			giveProfiles: []*hipaav1.ComplianceProfile{audit},
			give: func(s *scope) {
				s.protection = repair.Protection{Pods: 3, Reported: []repair.Reported{
					{Pod: "api-1", Controls: []string{"x", "y"}}, {Pod: "api-2", Controls: []string{"w", "x"}},
				}}
			},
			kind: hipaav1.ConditionPodsProtected,
			want: `2 of 3 pods lack safeguards that are reported only, not enforced now: w, x, y; one of them is pod "api-1"`,
		},
		"templates that make no pod": {
			give: func(s *scope) { s.barred = barredBy("CronJob/a", "Deployment/b", "Job/c") },
			kind: hipaav1.ConditionPodsProtected,
			want: "no pod runs, and admission would refuse the next one of CronJob/a: x: spec is wrong; mend it (+1 more); and those of 2 more templates",
		},
		"drift that somebody took away": {
			give: func(s *scope) {
				s.workload.Status.Drift = []hipaav1.Drift{{Object: "NetworkPolicy/open", Path: ".", State: hipaav1.DriftDetected, Time: phitest.After(-time.Hour)}}
				s.resolvers = map[string]string{"NetworkPolicy/open": "rob"}
			},
			kind: hipaav1.ConditionDriftFree,
			want: "last drift 2026-03-02T08:00:00Z on NetworkPolicy/open, there no more since 2026-03-02T09:00:00Z, removed by rob",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t, tt.giveProfiles...)
			tt.give(s)
			got := meta.FindStatusCondition(statusOf(s, nil).Conditions, tt.kind).Message
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.kind, diff)
			}
		})
	}
}

func TestProfilesInOneColumn(t *testing.T) {
	for want, give := range map[string][]string{
		"": nil, "a": {"a"}, "a,b": {"a", "b"}, "a,b,+2": {"a", "b", "c", "d"},
	} {
		if got := summaryOf(give); got != want {
			t.Errorf("summaryOf(%q) = %q, want %q", give, got, want)
		}
	}
}

func TestAnExceptionInForceIsToldWhateverTheVerdict(t *testing.T) {
	end := phitest.After(2 * time.Hour)
	x := phitest.Exception("x", "api", "c0").Expires(end).Obj()
	s := finished(t)
	s.results = verdicts(hipaav1.VerdictExcepted, hipaav1.VerdictPass, hipaav1.VerdictUnknown, hipaav1.VerdictFail)
	for i := range s.results[:3] {
		s.results[i].Exception = x
	}
	for i, c := range statusOf(s, nil).Controls {
		want := &hipaav1.ExceptionReference{Name: "x", Expires: end}
		if i == 3 {
			want = nil
		}
		if diff := cmp.Diff(want, c.Exception); diff != "" {
			t.Errorf("exception of a control with verdict %s (-want +got):\n%s", c.Verdict, diff)
		}
	}
}

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

func TestDriftList(t *testing.T) {
	found := func(name string, corrected bool, after time.Duration) repair.Drift {
		return repair.Drift{Kind: "NetworkPolicy", Name: name, Path: ".", Was: "w", Corrected: corrected, Noticed: phitest.Epoch.Add(after)}
	}
	listed := func(name string, state hipaav1.DriftState, after time.Duration) hipaav1.Drift {
		return hipaav1.Drift{Object: "NetworkPolicy/" + name, Path: ".", Was: "w", State: state, Time: phitest.After(after)}
	}
	resolvedAt := func(d hipaav1.Drift, after time.Duration) hipaav1.Drift {
		d.ResolvedTime = ptr.To(phitest.After(after))
		return d
	}
	detected, corrected, resolved := hipaav1.DriftDetected, hipaav1.DriftCorrected, hipaav1.DriftResolved
	many := func(n int) (drift []repair.Drift, list []hipaav1.Drift) {
		for i := range n {
			drift = append(drift, found(fmt.Sprintf("p%02d", i), false, 0))
			list = append(list, listed(fmt.Sprintf("p%02d", i), detected, 0))
		}
		return drift, list
	}
	overflow, kept := many(25)
	tests := map[string]struct {
		giveBefore      []hipaav1.Drift
		giveFound       []repair.Drift
		giveUnpublished []repair.Drift
		giveProgress    progress
		giveMissing     control.Evidence
		giveLeaving     bool
		want            []hipaav1.Drift
	}{
		"newest first": {
			giveBefore: []hipaav1.Drift{listed("old", corrected, -time.Hour)},
			giveFound:  []repair.Drift{found("new", true, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("new", corrected, 0), listed("old", corrected, -time.Hour)},
		},
		"what stands keeps the time when it was noticed": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)},
			giveFound:  []repair.Drift{found("open", false, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what went away without the operator is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), 0)},
		},
		"what is resolved stays so": {
			giveBefore: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), -time.Minute)},
		},
		"what a lost answer had told as resolved is told once": {
			giveBefore:      []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Minute), 0)},
			giveUnpublished: []repair.Drift{found("open", false, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Minute), 0)},
		},
		"what departs at another place now is not resolved": {
			giveBefore: []hipaav1.Drift{func() hipaav1.Drift {
				d := listed("open", detected, -time.Hour)
				d.Path = "spec.ingress[1]"
				return d
			}()},
			giveFound: []repair.Drift{found("open", false, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", detected, 0)},
		},
		"where evidence is missing nothing is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveMissing: control.NetworkPolicies,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what the cluster does not have is no missing evidence": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveMissing: control.Resolvers,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), 0)},
		},
		"where the namespace goes nothing is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveLeaving: true,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"where nobody looked it stays": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: judged,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what stood and was put right is put right": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)},
			giveFound:  []repair.Drift{found("open", true, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, 0)},
		},
		"what no status has told of yet is told": {
			giveUnpublished: []repair.Drift{found("open", true, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, -time.Minute)},
		},
		"what a lost answer had told of after all is told once": {
			giveBefore:      []hipaav1.Drift{listed("open", corrected, -time.Minute)},
			giveUnpublished: []repair.Drift{found("open", true, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, -time.Minute)},
		},
		"too many: what stands comes before what is history": {
			giveBefore: []hipaav1.Drift{listed("old", corrected, time.Hour)},
			giveFound:  overflow, giveProgress: replaced,
			want: kept[:20],
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t)
			s.workload.Status.Drift, s.drift, s.unpublished, s.progress = tt.giveBefore, tt.giveFound, tt.giveUnpublished, tt.giveProgress
			if tt.giveMissing != 0 {
				s.subject.World.Missing = map[control.Evidence]string{tt.giveMissing: "no"}
			}
			if tt.giveLeaving {
				s.scene.Namespace.DeletionTimestamp = ptr.To(phitest.After(0))
			}
			got := statusOf(s, nil).Drift
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b []hipaav1.Drift) bool { return len(a) == 0 && len(b) == 0 || cmp.Equal(a, b) })); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPreviewDigest(t *testing.T) {
	entries := func() *previewing {
		return &previewing{
			refuse: []hipaav1.PreviewEntry{{Object: "Deployment/b", Controls: []string{"y", "x", "y"}, Message: "m"}, {Object: "Deployment/a", Controls: []string{"x"}}},
			cut:    []hipaav1.PreviewEntry{{Object: "NetworkPolicy/p", Controls: []string{"x"}}},
		}
	}
	of := func(change func(*previewing)) string {
		t.Helper()
		p := entries()
		change(p)
		preview, err := p.preview()
		if err != nil {
			t.Fatalf("preview: %v", err)
		}
		return preview.Digest
	}
	base := of(func(*previewing) {})
	if len(base) != len("sha256:")+64 {
		t.Errorf("digest %q is not a SHA-256", base)
	}
	tests := map[string]struct {
		give func(*previewing)
		same bool
	}{
		"the order in which they were found":  {func(p *previewing) { p.refuse[0], p.refuse[1] = p.refuse[1], p.refuse[0] }, true},
		"the order of the controls":           {func(p *previewing) { p.refuse[0].Controls = []string{"x", "y"} }, true},
		"the wording":                         {func(p *previewing) { p.refuse[0].Message = "other" }, true},
		"one object more":                     {func(p *previewing) { p.refuse = append(p.refuse, hipaav1.PreviewEntry{Object: "Deployment/c"}) }, false},
		"another control":                     {func(p *previewing) { p.refuse[1].Controls = []string{"z"} }, false},
		"the same object in another list":     {func(p *previewing) { p.change, p.cut = p.cut, nil }, false},
		"an object beyond what is listed too": {func(p *previewing) { p.cut = append(p.cut, many(60)...) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := of(tt.give) == base; got != tt.same {
				t.Errorf("same digest: %v, want %v", got, tt.same)
			}
		})
	}
	if got := of(func(p *previewing) { p.refuse[0].Findings = []string{"a", "b"} }); got != base {
		t.Error("the findings are part of the digest")
	}
	long, err := (&previewing{cut: many(60)}).preview()
	if err != nil || len(long.Cut) != 50 || long.Omitted != 10 {
		t.Errorf("60 entries: %d listed, %d omitted, error %v; want 50 and 10", len(long.Cut), long.Omitted, err)
	}
}

func TestAPreviewTellsEveryFindingUpToTheBound(t *testing.T) {
	violations := func(n int) []engine.Violation {
		list := make([]engine.Violation, n)
		for i := range list {
			list[i] = engine.Violation{ControlID: "x", Path: fmt.Sprintf("spec.volumes[%d]", i), Message: "is wrong"}
		}
		return list
	}
	for n, want := range map[int]int{1: 1, 10: 10, 11: 11, 25: 11} {
		preview, err := (&previewing{refuse: []hipaav1.PreviewEntry{entryFor("Deployment/a", violations(n))}}).preview()
		if err != nil {
			t.Fatalf("preview: %v", err)
		}
		findings := preview.Refuse[0].Findings
		if len(findings) != want || findings[0] != "spec.volumes[0] is wrong" {
			t.Errorf("of %d findings %d are told, want %d: %q", n, len(findings), want, findings)
		}
		if last := findings[len(findings)-1]; n > 10 && last != fmt.Sprintf("and %d more", n-10) {
			t.Errorf("of %d findings the last line is %q", n, last)
		}
	}
}

func many(n int) []hipaav1.PreviewEntry {
	entries := make([]hipaav1.PreviewEntry, n)
	for i := range entries {
		entries[i].Object = fmt.Sprintf("Pod/%03d", i)
	}
	return entries
}

func TestAPauseDoesNotSendAWorkloadBack(t *testing.T) {
	s := finished(t, phitest.Profile("strict").PausedFor(time.Hour).Obj())
	if s.effective.Enforces() || !s.goal.Enforces() {
		t.Errorf("enforces: %v with the pause, %v without; want false, true", s.effective.Enforces(), s.goal.Enforces())
	}
	if s.scene.Profiles[0].Spec.Pause == nil {
		t.Error("the profile of the cache was changed")
	}
	if got := s.recheckAfter(); got != time.Hour {
		t.Errorf("looks again after %s, want the end of the pause in 1h", got)
	}
}

func TestDisjointSelectors(t *testing.T) {
	in := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"db"}}}}
	tests := map[string]struct {
		giveA, giveB *metav1.LabelSelector
		want         bool
	}{
		"different values of one label":         {phitest.Labels("app", "api"), phitest.Labels("app", "db", "tier", "x"), true},
		"the same value":                        {phitest.Labels("app", "api"), phitest.Labels("app", "api", "tier", "x"), false},
		"different labels":                      {phitest.Labels("app", "api"), phitest.Labels("tier", "x"), false},
		"everything":                            {phitest.Labels(), phitest.Labels("app", "api"), false},
		"expressions are not looked into":       {phitest.Labels("app", "api"), &in, false},
		"the second says it, the first as well": {phitest.Labels("app", "db", "tier", "x"), phitest.Labels("app", "api"), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := disjoint(tt.giveA, tt.giveB); got != tt.want {
				t.Errorf("disjoint() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhatIsLeftOverMayOnlyGoWhereTheListIsComplete(t *testing.T) {
	tests := map[string]struct {
		give func(*phitest.ProfileBuilder) *phitest.ProfileBuilder
		lack bool
		want bool
	}{
		"enforced": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b }, false, true},
		"off: the security team has taken the control away": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Mode(hipaav1.ModeOff) }, false, true},
		"evidence is missing: the list may be short":        {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b }, true, false},
		"paused":  {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.PausedFor(time.Hour) }, false, false},
		"audited": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Mode(hipaav1.ModeAudit) }, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t, tt.give(phitest.Profile("strict")).Obj())
			if tt.lack {
				s.subject.World.Missing = map[control.Evidence]string{control.FlowPeers: "no"}
			}
			if got := s.ruling.MayPrune(s.subject.World); got != tt.want {
				t.Errorf("MayPrune() = %v, want %v", got, tt.want)
			}
		})
	}
}
