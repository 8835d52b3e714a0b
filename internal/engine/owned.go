package engine

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Owned is an object that a control wants, and whether the operator may write it.
type Owned struct {
	// ControlID is the control that wants it.
	ControlID string
	// Object is the whole of what the operator owns of it.
	Object client.Object
	// Enforce is false where a difference is reported and not corrected: the
	// mode is not Enforce, or an exception covers the control.
	Enforce bool
}

// Owned lists what the operator owns for the subject's workload, or for its
// namespace where the subject has none, and what the workload declares and no such
// object could express: it stays closed. Both are sorted by control, then in the order
// of the declaration.
func (e *Engine) Owned(s control.Subject, r Ruling) (owned []Owned, unresolved []string) {
	s.Now = r.Now
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if c.Owns == nil || !r.inForce(i) || r.mode(i) == hipaav1.ModeOff || missingEvidence(s.World, c.Needs) != nil {
			continue
		}
		objects, closed := c.Owns(s)
		for _, o := range objects {
			owned = append(owned, Owned{ControlID: c.ID, Object: o, Enforce: e.enforces(i, &s, r)})
		}
		unresolved = append(unresolved, closed...)
	}
	return owned, unresolved
}

// MayPrune reports whether what Owned does not list may be removed: no evidence
// is missing - else the list may be short, and removing would open a door -,
// nothing is paused, and the operator is meant to act, by enforcing or by leaving
// where every control is Off. What declares infrastructure says nothing of what is
// owned.
func (r Ruling) MayPrune(w *control.World) bool {
	if w.Lacks(control.AllEvidence&^control.Infrastructure) || len(r.Effective.Paused) > 0 {
		return false
	}
	strongest := r.StrongestMode()
	return strongest == hipaav1.ModeEnforce || strongest == hipaav1.ModeOff
}
