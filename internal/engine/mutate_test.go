package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// marking makes a control with every ability; it marks what it is handed.
func marking(id string) control.Control {
	c := finding(id, control.Pods|control.Claims)
	c.Needs = control.StorageChain
	c.Mutate = func(_ control.Subject, pod *corev1.Pod) { pod.Labels[id] = "marked" }
	c.Default = func(_ control.Subject, claim *corev1.PersistentVolumeClaim) {
		claim.Labels = map[string]string{id: "marked"}
	}
	c.Owns = func(control.Subject) ([]client.Object, []string) {
		return []client.Object{phitest.Policy(id).Obj()}, []string{id}
	}
	return c
}

// What is written can hang on the instant, as on whether an agreement counts already.
func TestWhatActsIsToldTheInstant(t *testing.T) {
	var told []time.Time
	c := marking(first)
	c.Mutate = func(s control.Subject, _ *corev1.Pod) { told = append(told, s.Now) }
	c.Default = func(s control.Subject, _ *corev1.PersistentVolumeClaim) { told = append(told, s.Now) }
	c.Owns = func(s control.Subject) ([]client.Object, []string) {
		told = append(told, s.Now)
		return nil, nil
	}
	e := newEngine(t, c)
	effective := resolve(t, e, phitest.Profile("a"))
	ruling := engine.Ruling{Effective: effective, Stage: hipaav1.StageEnforced, Now: phitest.Epoch}
	s := podSubject(effective, phitest.Pod("api").Obj())
	e.Mutate(s, ruling)
	e.Default(s.Of(phitest.Claim("data").Obj()), ruling)
	e.Owned(s, ruling)
	if diff := cmp.Diff([]time.Time{phitest.Epoch, phitest.Epoch, phitest.Epoch}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsEnforcedActs(t *testing.T) {
	excepted := []*hipaav1.ControlException{phitest.Exception("x", "api", first).ApprovedBy("lead").Obj()}
	for name, tc := range map[string]struct {
		mode       hipaav1.Mode
		stage      hipaav1.Stage
		entered    map[string]bool
		exceptions []*hipaav1.ControlException
		missing    map[control.Evidence]string
		acts       bool
		owns       []bool // Owned.Enforce of each owned object
	}{
		"Enforce":                            {mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, acts: true, owns: []bool{true}},
		"Enforce, while previewing":          {mode: hipaav1.ModeEnforce, stage: hipaav1.StagePreviewing, owns: []bool{false}},
		"Enforce, where it has entered":      {mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, entered: map[string]bool{first: true}, acts: true, owns: []bool{true}},
		"Enforce, where others have entered": {mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, entered: map[string]bool{second: true}, owns: []bool{false}},
		"Enforce, under an exception":        {mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, exceptions: excepted, owns: []bool{false}},
		"Enforce, without its evidence":      {mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, missing: map[control.Evidence]string{control.StorageChain: "gone"}},
		"Enforce, without other evidence": {
			mode: hipaav1.ModeEnforce, stage: hipaav1.StageEnforced, missing: map[control.Evidence]string{control.FlowPeers: "gone"}, acts: true, owns: []bool{true},
		},
		"Warn":  {mode: hipaav1.ModeWarn, stage: hipaav1.StageEnforced, owns: []bool{false}},
		"Audit": {mode: hipaav1.ModeAudit, stage: hipaav1.StageEnforced, owns: []bool{false}},
		"Off":   {mode: hipaav1.ModeOff, stage: hipaav1.StageEnforced},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, marking(first))
			effective := resolve(t, e, phitest.Profile("a").Mode(tc.mode))
			ruling := engine.Ruling{Effective: effective, Stage: tc.stage, Entered: tc.entered, Exceptions: tc.exceptions, Now: phitest.Epoch}
			s := podSubject(effective, phitest.Pod("api").Obj())
			s.World.Missing = tc.missing
			e.Mutate(s, ruling)
			if got := s.Pod.Labels[first] != ""; got != tc.acts {
				t.Errorf("the pod is mutated: %t, want %t", got, tc.acts)
			}
			claim := s.Of(phitest.Claim("data").Obj())
			e.Default(claim, ruling)
			if got := claim.Claim.Labels[first] != ""; got != tc.acts {
				t.Errorf("the claim is filled in: %t, want %t", got, tc.acts)
			}
			all, unresolved := e.Owned(s, ruling)
			var owns []bool
			for _, owned := range all {
				owns = append(owns, owned.Enforce)
			}
			if diff := cmp.Diff(tc.owns, owns); diff != "" {
				t.Errorf("owned (-want +got):\n%s", diff)
			}
			if got := len(unresolved); got != len(tc.owns) {
				t.Errorf("tells %d unresolved, want %d", got, len(tc.owns))
			}
		})
	}
}

func TestAPreviewShowsWhatComesOfAPodAndTouchesNothing(t *testing.T) {
	wrong := finding(second, control.Pods, control.Failed("spec", "is wrong"))
	idle := finding("idle-control", control.Pods)
	idle.Mutate = func(control.Subject, *corev1.Pod) {}
	e := newEngine(t, marking(first), wrong, idle)
	effective := resolve(t, e, phitest.Profile("a"))
	pod := phitest.Pod("api").Obj()
	mutated, changedBy, d := e.Preview(podSubject(effective, pod), engine.Ruling{Effective: effective, Stage: hipaav1.StageEnforced, Now: phitest.Epoch})
	if diff := cmp.Diff(phitest.Pod("api").Obj(), pod); diff != "" {
		t.Errorf("the pod that was handed in changes:\n%s", diff)
	}
	if diff := cmp.Diff(phitest.Pod("api").Label(first, "marked").Obj(), mutated); diff != "" {
		t.Errorf("the pod that would be (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{first}, changedBy); diff != "" {
		t.Errorf("changed by (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"denied": {"second-control spec"}}, shape(d)); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

func TestEvidenceForMutationIsThatOfControlsThatMutate(t *testing.T) {
	idle := finding(second, control.Pods)
	idle.Needs = control.FlowPeers
	e := newEngine(t, marking(first), idle)
	for kind, want := range map[control.Kinds]control.Evidence{
		control.Pods: control.StorageChain, control.Claims: control.StorageChain, control.Services: 0,
	} {
		if got := e.MutationEvidence(kind); got != want {
			t.Errorf("MutationEvidence(%s) = %s, want %s", kind, got, want)
		}
	}
}

// What others rely on is not left out of new pods, nor taken from those that run, because
// a mode is weaker for a while.
func TestWhatLastsGoesOnUntilPeopleEndIt(t *testing.T) {
	excepted := []*hipaav1.ControlException{phitest.Exception("x", "api", first).ApprovedBy("lead").Obj()}
	for name, tc := range map[string]struct {
		mode       hipaav1.Mode
		lasts      bool
		exceptions []*hipaav1.ControlException
		acts       bool
	}{
		"enforced":                       {mode: hipaav1.ModeEnforce, acts: true},
		"reported only":                  {mode: hipaav1.ModeAudit},
		"reported only, and relied on":   {mode: hipaav1.ModeAudit, lasts: true, acts: true},
		"off, and relied on":             {mode: hipaav1.ModeOff, lasts: true},
		"excepted by people, and relied": {mode: hipaav1.ModeEnforce, lasts: true, exceptions: excepted},
	} {
		t.Run(name, func(t *testing.T) {
			c := marking(first)
			c.Lasts = func(control.Subject) bool { return tc.lasts }
			c.Keeps = func(was, now *corev1.Pod) []control.Finding {
				if was.Labels[first] == now.Labels[first] {
					return nil
				}
				return []control.Finding{control.Failed("metadata.labels", "is not what it was")}
			}
			e := newEngine(t, c)
			effective := resolve(t, e, phitest.Profile("a").Mode(tc.mode))
			ruling := engine.Ruling{Effective: effective, Stage: hipaav1.StageEnforced, Exceptions: tc.exceptions, Now: phitest.Epoch}
			s := podSubject(effective, phitest.Pod("api").Obj())
			e.Mutate(s, ruling)
			if got := s.Pod.Labels[first] != ""; got != tc.acts {
				t.Errorf("the pod is mutated: %t, want %t", got, tc.acts)
			}
			was, now := s.Pod.DeepCopy(), s
			was.Labels[first] = "marked"
			now.Pod = was.DeepCopy()
			now.Pod.Labels[first] = "otherwise"
			if d := e.AdmitUpdate(was, now, ruling); (len(d.Denied) == 1) != tc.acts {
				t.Errorf("an update is answered with %+v", d)
			}
			if d := e.AdmitUpdate(was, s.Of(was), ruling); len(d.Denied) != 0 {
				t.Errorf("an update of something else is answered with %+v", d)
			}
		})
	}
}

// Without what it acts by a control is reported, and has entered nothing.
func TestAControlIsIdleWithoutWhatItActsBy(t *testing.T) {
	c := finding(first, control.Workloads)
	c.Needs = control.Proxies
	e := newEngine(t, c, finding(second, control.Workloads))
	effective := resolve(t, e, phitest.Profile("a"))
	for name, tc := range map[string]struct {
		world control.World
		want  bool
	}{
		"an operator without a proxy": {want: true},
		"one that has it":             {world: control.World{Proxy: phitest.Proxy()}},
		"one that cannot give it yet": {world: control.World{Missing: map[control.Evidence]string{control.Proxies: "no roots"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{Profile: effective.Parameters, Namespace: ehr(), Workload: phitest.Workload("api").Obj(), World: &tc.world}
			for _, result := range e.Judge(s, engine.Ruling{Effective: effective, Now: phitest.Epoch}) {
				want := tc.want && result.ID == first
				if result.Idle != want || e.Idle(result.ID, s.World) != want {
					t.Errorf("%s is idle: %t, want %t", result.ID, result.Idle, want)
				}
			}
		})
	}
}
