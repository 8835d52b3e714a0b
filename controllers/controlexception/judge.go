package controlexception

import (
	"context"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// judge asks the engine whether the exception counts.
func (r *Reconciler) judge(_ context.Context, s *scope) error {
	s.state = engine.StateOf(s.exception, s.now)
	s.known = r.Engine.Knows(s.exception.Spec.ControlID)
	s.judged = true
	return nil
}
