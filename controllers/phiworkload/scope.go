package phiworkload

import (
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

type steps = outcome.Steps[scope]

// progress is how far a pass has come: the last step that finished.
type progress int

const (
	begun progress = iota
	observed
	judged
	repaired
	replaced
)

// scope is what one pass over a workload learns. Each step fills in its part.
type scope struct {
	workload *hipaav1.PHIWorkload
	now      time.Time
	progress progress

	// observe
	scene     *subject.Scene
	effective *engine.Effective
	// goal is what the profiles come to when no pause is in force.
	goal    *engine.Effective
	subject control.Subject
	// occupied says that pods ran before the workload was declared, and raised
	// are controls that a profile has since raised to Enforce, sorted.
	occupied bool
	raised   []string
	// rest is the subject of the namespace, only where a preview is due, and drafts
	// are what makes the workload's pods, read there and where no pod is.
	rest   control.Subject
	drafts []draft

	// judge
	ruling     engine.Ruling
	results    []engine.Result
	owned      []engine.Owned
	preview    *hipaav1.Preview
	overlaps   []string
	unresolved []string

	// repair
	// sealed is the generation of what the proxies are to go by; zero where there is none,
	// or nobody could seal it.
	sealed int64
	// asks says how the proxies ask for users by it.
	asks  hipaav1.UserAsking
	drift []repair.Drift
	// resolvers are who took away what no longer departs, by object.
	resolvers map[string]string
	// unpublished is drift of earlier passes that no status tells of yet.
	unpublished []repair.Drift

	// replace
	protection repair.Protection
	// barred are the templates that admission lets make no pod, where none is.
	barred []hipaav1.PreviewEntry

	// release
	alive int

	lookAgain time.Time
}

// previewDue reports whether what Enforce would do has to be found out: the
// workload, or one of its controls, is not enforced yet or no longer.
func (s *scope) previewDue() bool {
	return !s.goal.Enforces() || s.workload.Status.Stage == hipaav1.StagePreviewing || s.occupied || len(s.raised) > 0
}

// deserted reports whether Enforce takes effect on a workload that has no pod: then
// only its templates tell whether it can come back.
func (s *scope) deserted() bool {
	return s.effective.Enforces() && len(s.subject.World.Pods) == 0
}

// lookedForDrift reports whether the pass saw all that could depart: no step
// failed, all evidence was read, and the namespace is not going away.
func (s *scope) lookedForDrift() bool {
	return s.progress >= repaired && !s.leaving() && !s.subject.World.Unread()
}

// endsAt notes an instant at which something ends by itself.
func (s *scope) endsAt(at time.Time) {
	if at.After(s.now) && (s.lookAgain.IsZero() || at.Before(s.lookAgain)) {
		s.lookAgain = at
	}
}

// recheckAfter is how long from now the next thing ends by itself; zero is never.
func (s *scope) recheckAfter() time.Duration {
	if s.lookAgain.IsZero() {
		return 0
	}
	return s.lookAgain.Sub(s.now)
}

// leaving reports whether nothing may be written into the namespace any more.
func (s *scope) leaving() bool { return !s.scene.Namespace.DeletionTimestamp.IsZero() }
