package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// byObject makes a control that finds in each object what its name maps to.
func byObject(kinds control.Kinds, finds map[string][]control.Finding) control.Control {
	c := finding(first, kinds)
	c.Check = func(s control.Subject) []control.Finding { return finds[s.Object()] }
	return c
}

func TestVerdictsRollUp(t *testing.T) {
	pods := []*corev1.Pod{phitest.Pod("a").Obj(), phitest.Pod("b").Obj()}
	wrong, unclear := control.Failed("spec", "is wrong"), control.Undecided("spec", "is unclear")
	right := control.Met("spec", "is right")
	exempt := control.NotApplicable("has none")
	on := func(a, b []control.Finding) map[string][]control.Finding {
		return map[string][]control.Finding{"Pod/a": a, "Pod/b": b}
	}
	list := func(f ...control.Finding) []control.Finding { return f }
	for name, tc := range map[string]struct {
		kinds control.Kinds
		finds map[string][]control.Finding
		pods  []*corev1.Pod
		mode  hipaav1.Mode
		want  engine.Result
	}{
		"nothing found anywhere is a Pass": {
			pods: pods, want: engine.Result{Verdict: "Pass", Class: "Observed", Message: "2 judged, nothing found"},
		},
		"no pod at all is Unknown, and never a Pass": {
			want: engine.Result{Verdict: "Unknown", Message: "nothing to judge yet: no Pod"},
		},
		"no pod is Unknown although something else was judged": {
			kinds: control.Pods | control.Workloads, want: engine.Result{Verdict: "Unknown", Message: "nothing to judge yet: no Pod"},
		},
		"the workload as a whole can be judged without pods": {
			kinds: control.Workloads, want: engine.Result{Verdict: "Pass", Class: "Observed", Message: "1 judged, nothing found"},
		},
		"evidence is named, the first and how much more": {
			pods: pods, finds: on(list(right), list(right, right)),
			want: engine.Result{Verdict: "Pass", Class: "Observed", Message: "spec is right (+2 more)"},
		},
		"the weakest class of evidence counts": {
			pods: pods, finds: on(list(right.Known(hipaav1.EvidenceTested)), list(right.Known(hipaav1.EvidenceAttested))),
			want: engine.Result{Verdict: "Pass", Class: "Attested", Message: "spec is right (+1 more)"},
		},
		"tested everywhere is Tested": {
			pods: pods, finds: on(list(right.Known(hipaav1.EvidenceTested)), list(right.Known(hipaav1.EvidenceTested))),
			want: engine.Result{Verdict: "Pass", Class: "Tested", Message: "spec is right (+1 more)"},
		},
		"one Fail outweighs everything": {
			pods: pods, finds: on(list(unclear, right), list(wrong, unclear, wrong)),
			want: engine.Result{Verdict: "Fail", Class: "Observed", Message: "Pod/b: spec is wrong; do what first-control asks (+1 more)"},
		},
		"one Unknown outweighs what is right": {
			pods: pods, finds: on(list(right), list(unclear)),
			want: engine.Result{Verdict: "Unknown", Message: "Pod/b: spec is unclear; do what first-control asks"},
		},
		"what decides only live counts live": {
			pods: pods, finds: on(list(wrong.OnlyLive()), nil),
			want: engine.Result{Verdict: "Fail", Class: "Observed", Message: "Pod/a: spec is wrong; do what first-control asks"},
		},
		"connections leave nothing to judge, and pods that are right pass in Enforce": {
			kinds: control.Pods | control.Connections, pods: pods, finds: on(list(right), list(right)),
			want: engine.Result{Verdict: "Pass", Class: "Observed", Message: "spec is right (+1 more)"},
		},
		"connections that are not refused are Unknown at best": {
			kinds: control.Pods | control.Connections, pods: pods, mode: hipaav1.ModeWarn, finds: on(list(right), list(right)),
			want: engine.Result{Verdict: "Unknown", Mode: hipaav1.ModeWarn, Message: "mode Warn refuses no connection, and what came of those there were cannot be seen"},
		},
		"connections that are not refused hide no Fail": {
			kinds: control.Pods | control.Connections, pods: pods, mode: hipaav1.ModeAudit, finds: on(list(wrong), nil),
			want: engine.Result{Verdict: "Fail", Mode: hipaav1.ModeAudit, Class: "Observed", Message: "Pod/a: spec is wrong; do what first-control asks"},
		},
		"connections alone are nothing to judge": {
			kinds: control.Connections, pods: pods, want: engine.Result{Verdict: "Unknown", Message: "nothing to judge yet: no Connection"},
		},
		"exempt everywhere is NotApplicable": {
			pods: pods, finds: on(list(exempt), list(exempt)),
			want: engine.Result{Verdict: "NotApplicable", Class: "Observed", Message: "has none"},
		},
		"exempt on somebody's word is known by that": {
			pods: pods, finds: on(list(exempt), list(exempt.Known(hipaav1.EvidenceAttested))),
			want: engine.Result{Verdict: "NotApplicable", Class: "Attested", Message: "has none"},
		},
		"exempt here on somebody's word, and right there, is known by that": {
			pods: pods, finds: on(list(exempt.Known(hipaav1.EvidenceAttested)), list(right)),
			want: engine.Result{Verdict: "Pass", Class: "Attested", Message: "spec is right"},
		},
		"exempt here and right there is a Pass": {
			pods: pods, finds: on(list(exempt), list(right)),
			want: engine.Result{Verdict: "Pass", Class: "Observed", Message: "spec is right"},
		},
		"Off is not judged, and says so": {
			pods: pods, mode: hipaav1.ModeOff, finds: on(list(wrong), nil),
			want: engine.Result{Verdict: "Unknown", Mode: hipaav1.ModeOff, Message: "not judged: the profile's mode for this control is Off"},
		},
		"Audit judges like Enforce": {
			pods: pods, mode: hipaav1.ModeAudit, finds: on(list(wrong), nil),
			want: engine.Result{Verdict: "Fail", Mode: hipaav1.ModeAudit, Class: "Observed", Message: "Pod/a: spec is wrong; do what first-control asks"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.kinds == 0 {
				tc.kinds = control.Pods
			}
			if tc.mode == "" {
				tc.mode, tc.want.Mode = hipaav1.ModeEnforce, hipaav1.ModeEnforce
			}
			tc.want.ID = first
			e := newEngine(t, byObject(tc.kinds, tc.finds))
			effective := resolve(t, e, phitest.Profile("a").Mode(tc.mode))
			s := podSubject(effective, nil)
			s.World.Pods = tc.pods
			results := e.Judge(s, engine.Ruling{Effective: effective, Now: phitest.Epoch})
			if diff := cmp.Diff([]engine.Result{tc.want}, results, cmpopts.IgnoreFields(engine.Result{}, "Violations")); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnExceptionTurnsFailIntoExcepted(t *testing.T) {
	e := newEngine(t, finding(first, control.Workloads, control.Failed("spec", "is wrong")), finding(second, control.Workloads, control.Undecided("spec", "is unclear")))
	effective := resolve(t, e, phitest.Profile("a"))
	exceptions := []*hipaav1.ControlException{
		phitest.Exception("x", "api", first).ApprovedBy("lead").Obj(), phitest.Exception("y", "api", second).ApprovedBy("lead").Obj(),
	}
	results := e.Judge(podSubject(effective, nil), engine.Ruling{Effective: effective, Exceptions: exceptions, Now: phitest.Epoch})
	if got := results[0]; got.Verdict != hipaav1.VerdictExcepted || got.Exception.Name != "x" || got.Violations[0].ExceptedBy != "x" {
		t.Errorf("Fail under an exception comes to %+v", got)
	}
	if got := results[1]; got.Verdict != hipaav1.VerdictUnknown || got.Exception.Name != "y" {
		t.Errorf("Unknown under an exception comes to %s: nobody knows whether there is anything to except, only that it is in force", got.Verdict)
	}
}

func TestMissingEvidenceIsUnknownLive(t *testing.T) {
	c := finding(first, control.Workloads)
	c.NeedsLive = control.IsolationProof | control.NetworkPolicies
	e := newEngine(t, c)
	effective := resolve(t, e, phitest.Profile("a"))
	s := podSubject(effective, nil)
	s.World.Missing = map[control.Evidence]string{control.NetworkPolicies: "forbidden"}
	got := e.Judge(s, engine.Ruling{Effective: effective, Now: phitest.Epoch})[0]
	if got.Verdict != hipaav1.VerdictUnknown || got.Message != "PHIWorkload/api: could not be judged: network policies: forbidden; do what first-control asks" {
		t.Errorf("result = %+v", got)
	}
}

func TestTheStrongestModeOfARuling(t *testing.T) {
	e := newEngine(t, pair()...)
	for name, tc := range map[string]struct {
		profile *phitest.ProfileBuilder
		stage   hipaav1.Stage
		want    hipaav1.Mode
	}{
		"is the strongest of all controls":   {phitest.Profile("a").Mode(hipaav1.ModeAudit).Control(second, hipaav1.ModeEnforce), hipaav1.StageEnforced, hipaav1.ModeEnforce},
		"is capped at Warn while previewing": {phitest.Profile("a"), hipaav1.StagePreviewing, hipaav1.ModeWarn},
		"is not lifted by previewing":        {phitest.Profile("a").Mode(hipaav1.ModeAudit), hipaav1.StagePreviewing, hipaav1.ModeAudit},
		"is Off where everything is":         {phitest.Profile("a").Mode(hipaav1.ModeOff), hipaav1.StageEnforced, hipaav1.ModeOff},
	} {
		t.Run(name, func(t *testing.T) {
			r := engine.Ruling{Effective: resolve(t, e, tc.profile), Stage: tc.stage, Now: phitest.Epoch}
			if got := r.StrongestMode(); got != tc.want {
				t.Errorf("StrongestMode() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAVerdictSaysWhenTimeAloneCanChangeIt(t *testing.T) {
	pods := []*corev1.Pod{phitest.Pod("a").Obj(), phitest.Pod("b").Obj()}
	at := func(d time.Duration) control.Finding {
		return control.Met("spec", "is right").EndsAt(phitest.Epoch.Add(d))
	}
	for name, tc := range map[string]struct {
		a, b []control.Finding
		want time.Duration
	}{
		"never":                             {a: []control.Finding{control.Met("spec", "is right")}},
		"at the end of its finding":         {a: []control.Finding{at(time.Hour)}, want: time.Hour},
		"at the first end of several":       {a: []control.Finding{at(3 * time.Hour)}, b: []control.Finding{at(2 * time.Hour), at(4 * time.Hour)}, want: 2 * time.Hour},
		"not at one that has passed":        {a: []control.Finding{at(-time.Hour)}, b: []control.Finding{at(time.Hour)}, want: time.Hour},
		"not at the instant of the verdict": {a: []control.Finding{at(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []time.Time
			c := finding(first, control.Pods)
			c.Check = func(s control.Subject) []control.Finding {
				asked = append(asked, s.Now)
				return map[string][]control.Finding{"Pod/a": tc.a, "Pod/b": tc.b}[s.Object()]
			}
			e := newEngine(t, c)
			effective := resolve(t, e, phitest.Profile("a"))
			s := podSubject(effective, nil)
			s.World.Pods = pods
			got := e.Judge(s, engine.Ruling{Effective: effective, Now: phitest.Epoch})[0].Until
			want := time.Time{}
			if tc.want != 0 {
				want = phitest.Epoch.Add(tc.want)
			}
			if !got.Equal(want) {
				t.Errorf("until %s, want %s", got, want)
			}
			e.Admit(s.Of(pods[0]), engine.Ruling{Effective: effective, Now: phitest.Epoch})
			if diff := cmp.Diff([]time.Time{phitest.Epoch, phitest.Epoch, phitest.Epoch}, asked); diff != "" {
				t.Errorf("the control is asked as of (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAVerdictWarnsOfWhatWillBeAgainstIt(t *testing.T) {
	right := control.Met("spec", "is right")
	for name, tc := range map[string]struct {
		finds []control.Finding
		want  string
	}{
		"not of evidence that lasts":           {finds: []control.Finding{right}},
		"of the first that does not":           {finds: []control.Finding{right, control.Met("data", "ends").Warning(), control.Met("", "ends too").Warning()}, want: "data ends (+1 more)"},
		"also where something else is against": {finds: []control.Finding{control.Failed("spec", "is wrong"), control.Met("", "ends too").Warning()}, want: "ends too"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, finding(first, control.Workloads, tc.finds...))
			effective := resolve(t, e, phitest.Profile("a"))
			if got := e.Judge(podSubject(effective, nil), engine.Ruling{Effective: effective, Now: phitest.Epoch})[0].Warning; got != tc.want {
				t.Errorf("the warning is %q, want %q", got, tc.want)
			}
		})
	}
}

// Two that trim otherwise would take away what the other reads.
func TestControlsReadATypeInOneWay(t *testing.T) {
	reads := func(id, resource string) control.Control {
		c := finding(id, control.Workloads)
		c.Reports = []control.ReportType{{ResourceType: control.ResourceType{Group: "example.org", Version: "v1", Resource: resource, Kind: "Report"}}}
		return c
	}
	e, err := engine.New([]control.Control{reads(first, "scans"), reads(second, "probes"), reads("third", "scans")})
	if err != nil || len(e.ReportTypes()) != 2 || e.ReportTypes()[0].Resource != "probes" {
		t.Errorf("two types: %v", err)
	}
	trims, everywhere := reads(second, "scans"), reads(second, "scans")
	trims.Reports[0].Trim = func(*unstructured.Unstructured) {}
	everywhere.Reports[0].Everywhere = true
	for name, other := range map[string]control.Control{"trims it": trims, "reads it everywhere": everywhere} {
		if _, err := engine.New([]control.Control{reads(first, "scans"), other}); err == nil {
			t.Errorf("another control %s", name)
		}
	}
}
