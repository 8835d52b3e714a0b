package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// mine is a control of a profile's own; the remedy stands for all of its wording.
func mine(id, remedy string) hipaav1.CustomControl {
	return hipaav1.CustomControl{ID: id, Remedy: remedy}
}

// comprehending compiles everything but what is "broken" into a control that fails.
func comprehending(t *testing.T) *engine.Engine {
	return newEngine(t, pair()...).Accepting(func(c *hipaav1.CustomControl) (control.Control, error) {
		if c.Remedy == "broken" {
			return control.Control{}, errors.New("checks[0]: first\nchecks[1]: second")
		}
		compiled := finding(c.ID, control.Workloads|control.Pods, control.Failed("spec", "is wrong"))
		compiled.Remedy = c.Remedy
		return compiled, nil
	})
}

func bringing(name string, controls ...hipaav1.CustomControl) *phitest.ProfileBuilder {
	return phitest.Profile(name).Brings(controls...)
}

const custom = "custom-safes"

func TestAProfileBringsControlsOfItsOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		profiles  []*phitest.ProfileBuilder
		want      map[string]hipaav1.Mode
		conflicts []string
	}{
		"with its default mode": {
			profiles: []*phitest.ProfileBuilder{bringing("a", mine(custom, "x"))},
			want:     map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Enforce"},
		},
		"with a mode of their own": {
			profiles: []*phitest.ProfileBuilder{bringing("a", mine(custom, "x")).Control(custom, hipaav1.ModeWarn)},
			want:     map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Warn"},
		},
		"which the default of another does not raise": {
			profiles: []*phitest.ProfileBuilder{bringing("a", mine(custom, "x")).Mode(hipaav1.ModeAudit), phitest.Profile("b")},
			want:     map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Audit"},
		},
		"and which another may raise by name": {
			profiles: []*phitest.ProfileBuilder{bringing("a", mine(custom, "x")).Mode(hipaav1.ModeAudit), phitest.Profile("b").Control(custom, hipaav1.ModeEnforce)},
			want:     map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Enforce"},
		},
		"two in the same words are one": {
			profiles: []*phitest.ProfileBuilder{bringing("a", mine(custom, "x")).Mode(hipaav1.ModeAudit), bringing("b", mine(custom, "x"))},
			want:     map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Enforce"},
		},
		"two in other words are a conflict": {
			profiles:  []*phitest.ProfileBuilder{bringing("a", mine(custom, "x")), bringing("b", mine(custom, "y"))},
			want:      map[string]hipaav1.Mode{first: "Enforce", second: "Enforce", custom: "Enforce"},
			conflicts: []string{"customControls[custom-safes] differs between profiles; the first by name counts"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := comprehending(t)
			effective := resolve(t, e, tc.profiles...)
			if diff := cmp.Diff(tc.want, modes(e, effective)); diff != "" {
				t.Errorf("modes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.conflicts, effective.Conflicts); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCustomControlsAreJudgedLikeAnyOther(t *testing.T) {
	e := comprehending(t)
	effective := resolve(t, e, bringing("a", mine(custom, "close it"), mine("custom-doors", "x")).Control("custom-doors", hipaav1.ModeOff))
	s := podSubject(effective, phitest.Pod("api").Obj())
	ruling := engine.Ruling{Effective: effective, Now: phitest.Epoch}
	d := e.Admit(s, ruling)
	if len(d.Denied) != 1 || d.Denied[0].ControlID != custom || d.Denied[0].Sentence() != "spec is wrong; close it" {
		t.Errorf("denied %+v", d.Denied)
	}
	var ids []string
	for _, r := range e.Judge(s.Of(nil), ruling) {
		ids = append(ids, r.ID+" "+string(r.Verdict))
	}
	if want := []string{"custom-doors Unknown", "custom-safes Fail"}; !slices.Equal(ids[:2], want) || len(ids) != 4 {
		t.Errorf("verdicts %q, want %q first, sorted", ids, want)
	}
	x := phitest.Exception("x", "api", custom).ApprovedBy("officer").Obj()
	ruling.Exceptions = []*hipaav1.ControlException{x}
	if d := e.Admit(s, ruling); len(d.Denied) != 0 || len(d.Warned) != 1 || d.Warned[0].ExceptedBy != "x" {
		t.Errorf("under an exception: %+v", d)
	}
	if got := e.Controls(); len(got) != 3 || e.Knows(custom) {
		t.Error("what a profile brings has become part of the catalogue")
	}
}

func TestWhatCannotBeUnderstoodIsUnknown(t *testing.T) {
	for name, e := range map[string]*engine.Engine{"broken": comprehending(t), "not understood here": newEngine(t, pair()...)} {
		effective := resolve(t, e, bringing("a", mine(custom, "broken")))
		s := podSubject(effective, phitest.Pod("api").Obj())
		ruling := engine.Ruling{Effective: effective, Now: phitest.Epoch}
		if d := e.Admit(s, ruling); len(d.Denied) != 0 {
			t.Errorf("%s: refuses %+v", name, d.Denied)
		}
		r := e.Judge(s.Of(nil), ruling)[0]
		if r.ID != custom || r.Verdict != hipaav1.VerdictUnknown || !strings.Contains(r.Message, "cannot be judged as it is written") {
			t.Errorf("%s: %+v", name, r)
		}
		if len(effective.Conflicts) != 1 {
			t.Errorf("%s: conflicts %q", name, effective.Conflicts)
		}
	}
	faulty := bringing("a", mine("custom-fine", "x"), mine(custom, "broken"), mine(first, "x")).Obj()
	want := []string{
		"spec.customControls[1].checks[0]: first", "spec.customControls[1].checks[1]: second",
		"spec.customControls[2].id: the catalogue has a control of this ID",
	}
	if diff := cmp.Diff(want, comprehending(t).Faults(faulty)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if !engine.Brings([]*hipaav1.ComplianceProfile{faulty}, custom) || engine.Brings([]*hipaav1.ComplianceProfile{faulty}, second) {
		t.Error("Brings does not know what the profile brings")
	}
}
