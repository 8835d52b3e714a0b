package phiworkload

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

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
