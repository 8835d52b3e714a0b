package phiworkload

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
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
	// agreed says that the preview is empty or accepted, or that its time is up.
	agreed bool
}

// next is the stage of the workload from now on. One that first appears under
// Enforce has nothing to lose yet and is enforced from its first pod; a tenant
// wins no time by declaring it. One that was judged without being enforced must
// be previewed first.
func (a adoption) next() hipaav1.Stage {
	switch {
	case !a.enforces && a.incomplete && a.previous == hipaav1.StageEnforced:
		// A profile deleted by mistake sends nobody back to the start.
		return hipaav1.StageEnforced
	case !a.enforces:
		return hipaav1.StagePreviewing
	case a.previous == hipaav1.StagePreviewing && !a.agreed:
		return hipaav1.StagePreviewing
	default:
		return hipaav1.StageEnforced
	}
}
