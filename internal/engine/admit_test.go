package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// shape is a decision without its words: which control says what where.
func shape(d engine.Decision) map[string][]string {
	shapes := map[string][]string{}
	for word, violations := range map[string][]engine.Violation{"denied": d.Denied, "warned": d.Warned, "audited": d.Audited} {
		for _, v := range violations {
			shapes[word] = append(shapes[word], v.ControlID+" "+v.Path)
		}
	}
	return shapes
}

func TestAdmitAnswersByModeAndStage(t *testing.T) {
	wrong := control.Failed("spec", "is wrong")
	const enforced, previewing = hipaav1.StageEnforced, hipaav1.StagePreviewing
	for name, tc := range map[string]struct {
		finds []control.Finding
		mode  hipaav1.Mode
		stage hipaav1.Stage
		want  map[string][]string
	}{
		"Enforce refuses":                           {finds: []control.Finding{wrong}, mode: hipaav1.ModeEnforce, stage: enforced, want: map[string][]string{"denied": {"first-control spec"}}},
		"Enforce refuses where no stage is said":    {finds: []control.Finding{wrong}, mode: hipaav1.ModeEnforce, want: map[string][]string{"denied": {"first-control spec"}}},
		"Enforce warns while the workload previews": {finds: []control.Finding{wrong}, mode: hipaav1.ModeEnforce, stage: previewing, want: map[string][]string{"warned": {"first-control spec"}}},
		"Warn warns":                {finds: []control.Finding{wrong}, mode: hipaav1.ModeWarn, stage: enforced, want: map[string][]string{"warned": {"first-control spec"}}},
		"Audit records":             {finds: []control.Finding{wrong}, mode: hipaav1.ModeAudit, stage: previewing, want: map[string][]string{"audited": {"first-control spec"}}},
		"Off does not look":         {finds: []control.Finding{wrong}, mode: hipaav1.ModeOff, want: map[string][]string{}},
		"Unknown refuses like Fail": {finds: []control.Finding{control.Undecided("spec", "cannot be told")}, mode: hipaav1.ModeEnforce, want: map[string][]string{"denied": {"first-control spec"}}},
		"what only live evidence decides never does": {finds: []control.Finding{wrong.OnlyLive()}, mode: hipaav1.ModeEnforce, want: map[string][]string{}},
		"evidence and exemptions are no violations":  {finds: []control.Finding{control.Met("spec", "is right"), control.NotApplicable("has none")}, mode: hipaav1.ModeEnforce, want: map[string][]string{}},
		"all findings at once, as the control lists them": {
			finds: []control.Finding{control.Failed("b", "is wrong"), control.Failed("a", "is wrong")},
			mode:  hipaav1.ModeEnforce, want: map[string][]string{"denied": {"first-control b", "first-control a"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, finding(first, control.Pods, tc.finds...))
			effective := resolve(t, e, phitest.Profile("a").Mode(tc.mode))
			d := e.Admit(podSubject(effective, phitest.Pod("api").Obj()), engine.Ruling{Effective: effective, Stage: tc.stage, Now: phitest.Epoch})
			if diff := cmp.Diff(tc.want, shape(d)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdmitAsksOnlyTheControlsOfTheKind(t *testing.T) {
	wrong := control.Failed("spec", "is wrong")
	e := newEngine(t, finding(second, control.Pods|control.Claims, wrong), finding(first, control.Services, wrong))
	effective := resolve(t, e, phitest.Profile("a"))
	ruling := engine.Ruling{Effective: effective, Now: phitest.Epoch}
	s := podSubject(effective, phitest.Pod("api").Obj())
	for name, tc := range map[string]struct {
		give control.Subject
		want string
	}{
		"a pod":     {s, second},
		"a claim":   {s.Of(phitest.Claim("data").Obj()), second},
		"a service": {s.Of(phitest.Service("api").Obj()), first},
		"a policy":  {s.Of(phitest.Policy("p").Obj()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := e.Admit(tc.give, ruling)
			if got := len(d.Denied); (tc.want == "") != (got == 0) || got == 1 && d.Denied[0].ControlID != tc.want {
				t.Errorf("decision = %+v, want a refusal by %q", d, tc.want)
			}
		})
	}
	if kinds := e.Kinds(); kinds != control.Pods|control.Claims|control.Services {
		t.Errorf("Kinds() = %s", kinds)
	}
}

func TestAdmitRefusesWhatItCannotSee(t *testing.T) {
	c := finding(first, control.Pods)
	c.Needs, c.NeedsLive = control.StorageChain, control.IsolationProof
	e := newEngine(t, c)
	effective := resolve(t, e, phitest.Profile("a"))
	ruling := engine.Ruling{Effective: effective, Now: phitest.Epoch}
	s := podSubject(effective, phitest.Pod("api").Obj())
	s.World.Missing = map[control.Evidence]string{control.IsolationProof: "no probe"}
	if d := e.Admit(s, ruling); len(d.Denied) > 0 {
		t.Errorf("refuses for want of what only live judgement asks for: %+v", d.Denied)
	}
	s.World.Missing[control.StorageChain] = "the API server does not answer"
	want := []engine.Violation{{
		ControlID: first, Cites: "45 CFR 164.312(c)(1)", Object: "Pod/api", Remedy: "do what first-control asks", Verdict: hipaav1.VerdictUnknown,
		Message: "could not be judged: claims, volumes and storage classes: the API server does not answer",
	}}
	if diff := cmp.Diff(want, e.Admit(s, ruling).Denied); diff != "" {
		t.Errorf("denied (-want +got):\n%s", diff)
	}
	if e.AdmissionEvidence(control.Pods) != control.StorageChain || e.AdmissionEvidence(control.Claims) != 0 || e.LiveEvidence() != control.StorageChain|control.IsolationProof {
		t.Error("asks loaders for other evidence than its controls need")
	}
}

func TestUndeclaredPods(t *testing.T) {
	e := newEngine(t, finding(first, control.Pods))
	for name, tc := range map[string]struct {
		answer hipaav1.UndeclaredPods
		stage  hipaav1.Stage
		want   map[string][]string
	}{
		"are refused":                           {hipaav1.UndeclaredPodsDeny, hipaav1.StageEnforced, map[string][]string{"denied": {"undeclared-pod metadata.labels"}}},
		"are warned of":                         {hipaav1.UndeclaredPodsWarn, hipaav1.StageEnforced, map[string][]string{"warned": {"undeclared-pod metadata.labels"}}},
		"are warned of while anything previews": {hipaav1.UndeclaredPodsDeny, hipaav1.StagePreviewing, map[string][]string{"warned": {"undeclared-pod metadata.labels"}}},
		"are recorded":                          {hipaav1.UndeclaredPodsAllow, hipaav1.StageEnforced, map[string][]string{"audited": {"undeclared-pod metadata.labels"}}},
	} {
		t.Run(name, func(t *testing.T) {
			effective := resolve(t, e, phitest.Profile("a").Undeclared(tc.answer))
			s := podSubject(effective, phitest.Pod("stray").Obj())
			s.Workload = nil
			d := engine.AdmitUndeclared(s, engine.Ruling{Effective: effective, Stage: tc.stage, Now: phitest.Epoch})
			if diff := cmp.Diff(tc.want, shape(d)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADenialTellsEverythingAtOnce(t *testing.T) {
	e := newEngine(t,
		finding(second, control.Pods, control.Failed("spec.volumes[1]", "is a hostPath").But("use a claim of class %q", "gold")),
		finding(first, control.Pods, control.Failed("spec.hostPID", "is true"), control.Undecided("", "cannot be told")),
	)
	effective := resolve(t, e, phitest.Profile("a"))
	d := e.Admit(podSubject(effective, phitest.Pod("report").Obj()), engine.Ruling{Effective: effective, Now: phitest.Epoch})
	want := strings.TrimPrefix(`
pod "report" in PHI namespace "ehr" lacks 2 safeguards (first-control, second-control)
  first-control   45 CFR 164.312(c)(1): spec.hostPID is true; do what first-control asks
  first-control   45 CFR 164.312(c)(1): cannot be told; do what first-control asks
  second-control  45 CFR 164.312(c)(1): spec.volumes[1] is a hostPath; use a claim of class "gold"
  To ask for an exception: a ControlException for workload "api" and one of: first-control, second-control; somebody else approves it.`, "\n")
	if diff := cmp.Diff(want, engine.Denial(`pod "report" in PHI namespace "ehr"`, d)); diff != "" {
		t.Errorf("denial (-want +got):\n%s", diff)
	}
}

func TestADenialSaysWhatAnExceptionHasToName(t *testing.T) {
	lacking := func(ids ...string) []engine.Violation {
		var list []engine.Violation
		for _, id := range ids {
			list = append(list, engine.Violation{ControlID: id, Cites: "45 CFR 164.312(b)", Message: "is wrong"})
		}
		return list
	}
	tests := map[string]struct {
		give engine.Decision
		want string
	}{
		"one control of one workload": {
			give: engine.Decision{Denied: lacking(first), Workloads: []string{"api"}},
			want: `a ControlException for workload "api" and control first-control; somebody else approves it.`,
		},
		"each control once": {
			give: engine.Decision{Denied: lacking(first, first, second), Workloads: []string{"api"}},
			want: `a ControlException for workload "api" and one of: first-control, second-control; somebody else approves it.`,
		},
		"two workloads over one pod: each needs its own": {
			give: engine.Decision{Denied: lacking(first), Workloads: []string{"api", "db"}},
			want: `a ControlException for each of the workloads "api", "db" and control first-control; somebody else approves it.`,
		},
		"no workload: there is nothing that one could be about": {
			give: engine.Decision{Denied: lacking("undeclared-pod")},
		},
		"the namespace's own rules: one for a workload would not do": {
			give: engine.Decision{Denied: lacking(first), Workloads: []string{"", "api"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, got, _ := strings.Cut(engine.Denial("pod", tt.give), "To ask for an exception: ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("way out (-want +got):\n%s", diff)
			}
		})
	}
}

// A term of the regulation means something else: required as against addressable.
func TestADenialCallsNothingRequired(t *testing.T) {
	e := newEngine(t, finding(first, control.Pods, control.Failed("spec.hostPID", "is true")))
	effective := resolve(t, e, phitest.Profile("a"))
	d := e.Admit(podSubject(effective, phitest.Pod("report").Obj()), engine.Ruling{Effective: effective, Now: phitest.Epoch})
	text := engine.Denial("pod", d)
	if line, _, _ := strings.Cut(text, "\n"); line != "pod lacks 1 safeguard (first-control)" || strings.Contains(text, "required") {
		t.Errorf("denial: %s", text)
	}
}

func TestWarningsTellWhatCoversThem(t *testing.T) {
	d := engine.Decision{Warned: []engine.Violation{
		{ControlID: first, Cites: "45 CFR 164.312(b)", Path: "spec", Message: "is wrong", Remedy: "put it right"},
		{ControlID: second, Cites: "45 CFR 164.312(b)", Message: "is wrong", ExceptedBy: "x"},
	}}
	want := []string{
		"first-control (45 CFR 164.312(b)): spec is wrong; put it right",
		"second-control (45 CFR 164.312(b)): is wrong [covered by ControlException x]",
	}
	if diff := cmp.Diff(want, engine.Warnings(d)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
