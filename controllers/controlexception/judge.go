package controlexception

import (
	"context"
	"fmt"
)

// judge identifies what there is to decide on, and asks the engine whether the
// exception counts.
func (r *Reconciler) judge(_ context.Context, s *scope) error {
	digest, err := s.exception.Spec.Digest()
	if err != nil {
		return fmt.Errorf("identifying the spec: %w", err)
	}
	s.digest = digest
	s.state = s.effective.StateOf(s.exception, s.workload, s.now)
	s.flaw = s.effective.Flaw(s.exception, s.now)
	s.warnings = s.effective.Warnings()
	s.known = s.brought || r.Engine.Knows(s.exception.Spec.ControlID)
	s.judged = true
	return nil
}
