package controlexception

import (
	"context"
	"fmt"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// judge identifies what there is to decide on, and asks the engine whether the
// exception counts.
func (r *Reconciler) judge(_ context.Context, s *scope) error {
	digest, err := s.exception.Spec.Digest()
	if err != nil {
		return fmt.Errorf("identifying the spec: %w", err)
	}
	s.digest = digest
	s.state = engine.StateOf(s.exception, s.workload, s.now)
	s.known = s.brought || r.Engine.Knows(s.exception.Spec.ControlID)
	s.judged = true
	return nil
}
