package namespace

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

type steps = outcome.Steps[scope]

// scope is what one pass over a namespace learns.
type scope struct {
	namespace *corev1.Namespace
	now       time.Time

	// observe
	scene     *subject.Scene
	effective *engine.Effective
	subject   control.Subject
	// unclaimed are pods that closing the namespace would cut, see
	// subject.Loader.Unclaimed.
	unclaimed []string
	// undeclared are live pods that no workload selects, the oldest first.
	undeclared []*corev1.Pod
	// counted says that the list is complete but for pods of a moment ago.
	counted bool
	// pending says that there are such pods, or some to tell of.
	pending bool

	// repair
	owned []engine.Owned
	drift []repair.Drift
	// strays says that something is left of a workload that does not exist.
	strays bool
	// looked says that the drift is complete.
	looked bool
}

// podsRecheck is when pods are looked at again that something waits for: nothing
// here watches them.
const podsRecheck = 30 * time.Second

// recheckAfter is when the profiles change by themselves, when pods may have gone
// that the namespace waits for, or when there is more to tell; zero is never.
func (s *scope) recheckAfter() time.Duration {
	var after time.Duration
	if s.effective != nil && s.effective.ValidUntil.After(s.now) {
		after = s.effective.ValidUntil.Sub(s.now)
	}
	if (s.strays || len(s.unclaimed) > 0) && (after == 0 || after > podsRecheck) {
		after = podsRecheck
	}
	if s.pending && (after == 0 || after > settleFor) {
		after = settleFor
	}
	return after
}

// outcome is what a pass returns. Beside an error no recheck counts, and where no profile
// governs there would be none of a pod that is too young to be told of: people have been
// told of the error already.
func (s *scope) outcome(stepErr error) (ctrl.Result, error) {
	if s.pending && outcome.IsBlocked(stepErr) {
		stepErr = nil
	}
	return outcome.Return(s.recheckAfter(), stepErr, nil)
}

// stage is that of the namespace: Previewing while one of its workloads is, or
// while pods live that nobody claims.
func (s *scope) stage() hipaav1.Stage {
	if len(s.unclaimed) > 0 {
		return hipaav1.StagePreviewing
	}
	return s.scene.Stage(nil)
}
