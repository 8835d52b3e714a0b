package phiworkload

import (
	"context"
	"slices"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// judge decides the stage, and then every verdict. It reads owned objects from
// the cache where a preview is due, and nothing else.
func (r *Reconciler) judge(ctx context.Context, s *scope) error {
	a := adoption{
		previous: s.workload.Status.Stage, enforces: s.goal.Enforces(), incomplete: len(s.goal.NotFound) > 0, occupied: s.occupied,
	}
	if s.previewDue() {
		var err error
		if s.preview, err = r.previewOf(ctx, s); err != nil {
			return err
		}
		a.agreed = agreed(s)
		s.endsAt(s.now.Add(previewRecheck(s)))
	}
	s.ruling = engine.Ruling{Effective: s.effective, Stage: a.next(), Exceptions: s.scene.Exceptions, Now: s.now}
	switch {
	case len(s.raised) > 0 && !a.agreed:
		s.ruling.Entered = subject.Entered(s.workload)
	case s.ruling.Stage == hipaav1.StageEnforced:
		s.raised, s.preview = nil, nil
	}
	s.results = r.Engine.Judge(s.subject, s.ruling)
	for i := range s.results {
		s.endsAt(s.results[i].Until)
	}
	s.owned, s.unresolved = r.Engine.Owned(s.subject, s.ruling)
	s.overlaps = overlaps(s)
	s.progress = judged
	return nil
}

// previewRecheck is when a preview is made again: templates are not watched. It is
// sooner where somebody waits for it to become empty.
func previewRecheck(s *scope) time.Duration {
	if s.goal.Enforces() {
		return 5 * time.Minute
	}
	return time.Hour
}

// agreed reports whether nothing speaks against enforcing any more.
func agreed(s *scope) bool {
	return s.goal.Overdue(s.now) || isEmpty(s.preview) ||
		s.goal.Accepts(s.workload.Namespace, s.workload.Name, s.preview.Digest)
}

// overlaps names the other workloads that select a pod of this one, sorted.
func overlaps(s *scope) []string {
	var names []string
	for _, pod := range s.subject.World.Pods {
		for _, other := range s.scene.Claiming(pod.Labels) {
			if other.Name != s.workload.Name && !slices.Contains(names, other.Name) {
				names = append(names, other.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
