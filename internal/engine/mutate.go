package engine

import (
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// enforces reports whether a control takes effect on the subject: mode Enforce
// and no exception.
func (e *Engine) enforces(i int, s *control.Subject, r Ruling) bool {
	return r.inForce(i) && r.mode(i) == hipaav1.ModeEnforce && r.exception(s.Workload, r.Effective.controls[i].ID) == nil
}

// Enforcing lists the controls that judge a kind and take effect on the subject,
// sorted.
func (e *Engine) Enforcing(kind control.Kinds, s control.Subject, r Ruling) []string {
	var ids []string
	for i := range r.Effective.controls {
		if r.Effective.controls[i].Judges.Has(kind) && e.enforces(i, &s, r) {
			ids = append(ids, r.Effective.controls[i].ID)
		}
	}
	return ids
}

// Mutate adds to the subject's pod, in place, what enforced controls add.
func (e *Engine) Mutate(s control.Subject, r Ruling) {
	e.eachMutation(s, r, func(string) {})
}

// MutatedBy does what Mutate does and names the controls that changed something.
func (e *Engine) MutatedBy(s control.Subject, r Ruling) []string {
	var changed []string
	before := s.Pod.DeepCopy()
	e.eachMutation(s, r, func(id string) {
		if !equal(*before, *s.Pod) {
			changed = append(changed, id)
			before = s.Pod.DeepCopy()
		}
	})
	return changed
}

func (e *Engine) eachMutation(s control.Subject, r Ruling, after func(id string)) {
	s.Now = r.Now
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if c.Mutate == nil || !e.enforces(i, &s, r) && !lasts(c, &s, r, i) || missingEvidence(s.World, c.Needs) != nil {
			continue
		}
		c.Mutate(s, s.Pod)
		after(c.ID)
	}
}

// lasts reports whether a control that does not take effect goes on adding to pods:
// unless people have turned it off, or excepted the workload.
func lasts(c *control.Control, s *control.Subject, r Ruling, i int) bool {
	return c.Lasts != nil && r.inForce(i) && r.mode(i) != hipaav1.ModeOff && r.exception(s.Workload, c.ID) == nil && c.Lasts(*s)
}

// AdmitUpdate says what an update takes away of what enforced controls added to a pod.
// It refuses also where the same was found before.
func (e *Engine) AdmitUpdate(was *corev1.Pod, s control.Subject, r Ruling) Decision {
	var d Decision
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if c.Keeps == nil || !e.enforces(i, &s, r) && !lasts(c, &s, r, i) {
			continue
		}
		for _, f := range c.Keeps(was, s.Pod) {
			d.add(violation(c, &s, f), hipaav1.ModeEnforce, nil)
		}
	}
	if len(d.Denied) > 0 && s.Workload != nil {
		d.Workloads = []string{s.Workload.Name}
	}
	return d
}

// Default fills in the subject's claim, in place, as enforced controls ask.
func (e *Engine) Default(s control.Subject, r Ruling) {
	s.Now = r.Now
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if c.Default == nil || !e.enforces(i, &s, r) || missingEvidence(s.World, c.Needs) != nil {
			continue
		}
		c.Default(s, s.Claim)
	}
}

// Preview is what Mutate would do to the subject's pod, and the answer to the pod
// that comes of it; the pod that is handed in stays as it is.
func (e *Engine) Preview(s control.Subject, r Ruling) (mutated *corev1.Pod, changedBy []string, d Decision) {
	s.Pod = s.Pod.DeepCopy()
	changedBy = e.MutatedBy(s, r)
	return s.Pod, changedBy, e.Admit(s, r)
}
