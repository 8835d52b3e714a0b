package backstop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// judge says from when everything is refused that CEL can tell, as admission would
// answer now and at every instant at which something ends by itself. Whoever is there
// to see it writes it anew then; the API server needs nobody.
func (r *Reconciler) judge(_ context.Context, s *scope) error {
	s.parameters = &hipaav1.BackstopSpec{Reflects: backstop.States(s.scene.Workloads, s.scene.Exceptions)}
	for _, w := range s.scene.Workloads {
		found, err := r.workload(s, w)
		if err != nil {
			return err
		}
		s.parameters.Workloads = append(s.parameters.Workloads, found)
	}
	return r.others(s)
}

// others is what the API server has to know of objects that are no workload's, and of
// pods that nobody claims.
func (r *Reconciler) others(s *scope) error {
	one, from := control.Subject{Namespace: s.namespace, World: r.world()}, backstop.Instants{}
	err := r.eachInstant(s, nil, func(at time.Time, ruling engine.Ruling) {
		r.note(s, &one, from, ruling)
		answer := engine.AdmitUndeclared(control.Subject{}, ruling)
		if len(answer.Denied) > 0 && s.parameters.UndeclaredPods == nil {
			s.parameters.UndeclaredPods = ptr.To(backstop.From(s.past(at)))
		}
	})
	if err != nil || s.parameters.Ungoverned {
		return err
	}
	s.parameters.Controls = backstop.Holding(r.Engine.Controls(), one, from)
	return nil
}

// world is what the settings of backstops go by beside the workload.
func (r *Reconciler) world() *control.World { return &control.World{ProxyImages: r.Loader.ProxyImages} }

// workload is what the API server has to know of one.
func (r *Reconciler) workload(s *scope, w *hipaav1.PHIWorkload) (hipaav1.BackstopWorkload, error) {
	one := control.Subject{Namespace: s.namespace, Workload: w, World: r.world()}
	from := backstop.Instants{}
	err := r.eachInstant(s, w, func(_ time.Time, ruling engine.Ruling) { r.note(s, &one, from, ruling) })
	if err != nil || s.parameters.Ungoverned {
		return backstop.Workload(w, nil), err
	}
	return backstop.Workload(w, backstop.Holding(r.Engine.Controls(), one, from)), nil
}

// note adds the controls that refuse at an instant. The first one counts: afterwards
// nothing excuses that is known now. So does the profile as it is now.
func (r *Reconciler) note(s *scope, one *control.Subject, from backstop.Instants, ruling engine.Ruling) {
	if one.Profile == nil {
		one.Profile = ruling.Effective.Parameters
	}
	for _, kind := range backstop.Kinds() {
		for _, id := range r.Engine.Enforcing(kind, *one, ruling) {
			if _, holds := from[id]; !holds {
				from[id] = s.past(ruling.Now)
			}
		}
	}
}

// past is zero for now, and what is to come as it is: what is refused already does not
// change as time goes by.
func (s *scope) past(at time.Time) time.Time {
	if !at.After(s.now) {
		return time.Time{}
	}
	return at
}

// foreseen bounds how many ends are looked at: there are as many as people wrote.
const foreseen = 64

// eachInstant asks by which rules a workload, or the namespace, is judged now and
// after each end that is known.
func (r *Reconciler) eachInstant(s *scope, w *hipaav1.PHIWorkload, ask func(time.Time, engine.Ruling)) error {
	ends := s.ends(w)
	for at, left := s.now, foreseen; left > 0; left-- {
		effective, err := r.Engine.Resolve(s.scene.Profiles, s.scene.Namespace, w, at)
		if errors.Is(err, engine.ErrNoProfile) {
			s.parameters.Ungoverned = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("resolving the profiles: %w", err)
		}
		ruling := engine.Ruling{
			Effective: effective, Stage: s.scene.Stage(w), Entered: s.scene.Entered(w), Exceptions: s.scene.Exceptions, Now: at,
		}
		if effective.Enforces() && !effective.Overdue(at) && s.adopting(w) {
			ruling.Stage = hipaav1.StagePreviewing
		}
		ask(at, ruling)
		next := following(append(ends, effective.ValidUntil), at)
		if at.Equal(s.now) && !next.IsZero() && (s.changes.IsZero() || next.Before(s.changes)) {
			s.changes = next
		}
		if next.IsZero() {
			return nil
		}
		at = next
	}
	return nil
}

// ends are when exceptions for a workload do.
func (s *scope) ends(w *hipaav1.PHIWorkload) []time.Time {
	var ends []time.Time
	for _, x := range s.scene.Exceptions {
		if w != nil && x.Spec.WorkloadRef.Name == w.Name {
			ends = append(ends, x.Spec.Expires.Time)
		}
	}
	return slices.Clip(ends)
}

// following is the first of some instants after another; zero is none.
func following(instants []time.Time, after time.Time) time.Time {
	var first time.Time
	for _, at := range instants {
		if at.After(after) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
