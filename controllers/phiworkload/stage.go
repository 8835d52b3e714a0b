package phiworkload

import (
	"slices"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// adoption is what decides the stage of a workload.
type adoption struct {
	// previous is the stage that the last pass wrote; empty if there was none.
	previous hipaav1.Stage
	// enforces says that the profiles enforce some control, pauses aside.
	enforces bool
	// incomplete says that profiles are named that do not exist: what they would
	// enforce is not known.
	incomplete bool
	// occupied says that pods ran before the workload was declared.
	occupied bool
	// agreed says that the preview is empty or accepted, or that its time is up.
	agreed bool
}

// next is the stage of the workload from now on. One that first appears under
// Enforce has nothing to lose yet and is enforced from its first pod; a tenant
// wins no time by declaring it. One that was judged without being enforced, or
// whose pods were there first, must be previewed.
func (a adoption) next() hipaav1.Stage {
	switch {
	case !a.enforces && a.incomplete && a.previous == hipaav1.StageEnforced:
		// A profile deleted by mistake sends nobody back to the start.
		return hipaav1.StageEnforced
	case !a.enforces:
		return hipaav1.StagePreviewing
	case a.agreed:
		return hipaav1.StageEnforced
	case a.previous == hipaav1.StagePreviewing, a.previous == "" && a.occupied:
		return hipaav1.StagePreviewing
	default:
		return hipaav1.StageEnforced
	}
}

// raised lists the controls that profiles enforce, that can act and that have not
// entered Enforce for a workload which is enforced otherwise, sorted.
func raised(s *scope, idle func(id string) bool) []string {
	if s.workload.Status.Stage != hipaav1.StageEnforced {
		return nil
	}
	entered := subject.Entered(s.workload)
	return slices.DeleteFunc(s.goal.Enforced(), func(id string) bool { return entered[id] || idle(id) })
}

// stages tells how far each control has come.
type stages struct {
	enforced, waiting []string
	// kept had entered Enforce under a profile that is missing by mistake.
	kept map[string]bool
}

func stagesOf(s *scope) stages {
	t := stages{enforced: s.goal.Enforced(), waiting: s.raised}
	if s.ruling.Stage == hipaav1.StagePreviewing {
		t.waiting = t.enforced
	}
	if len(s.goal.NotFound) > 0 {
		t.kept = subject.Entered(s.workload)
	}
	return t
}

// of is the stage of one control; none where no profile enforces it.
func (t stages) of(id string) hipaav1.Stage {
	switch {
	case slices.Contains(t.waiting, id):
		return hipaav1.StagePreviewing
	case slices.Contains(t.enforced, id), t.kept[id]:
		return hipaav1.StageEnforced
	default:
		return ""
	}
}
