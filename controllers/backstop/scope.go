package backstop

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

type steps = outcome.Steps[scope]

// scope is what one pass over a namespace learns.
type scope struct {
	namespace *corev1.Namespace
	now       time.Time

	// observe
	scene *subject.Scene
	// unclaimed says that closing the namespace would cut pods that nobody claims, and
	// occupied the same of workloads that nobody has judged yet. Both are previewed.
	unclaimed bool
	occupied  map[string]bool

	// judge
	parameters *hipaav1.BackstopSpec
	// changes is the next instant at which the parameters do; zero is never.
	changes time.Time
}

// podsRecheck is when pods are looked at again that something waits for: nothing
// here watches them.
const podsRecheck = 30 * time.Second

// recheckAfter is when something changes by itself, or may have; zero is never.
func (s *scope) recheckAfter() time.Duration {
	var after time.Duration
	if s.changes.After(s.now) {
		after = s.changes.Sub(s.now)
	}
	if (s.unclaimed || len(s.occupied) > 0) && (after == 0 || after > podsRecheck) {
		after = podsRecheck
	}
	return after
}

// adopting reports whether what was there before is still to be previewed, as
// admission asks of the rules of a workload; nil asks for the namespace's.
func (s *scope) adopting(w *hipaav1.PHIWorkload) bool {
	if w == nil {
		return s.unclaimed
	}
	return s.occupied[w.Name]
}
