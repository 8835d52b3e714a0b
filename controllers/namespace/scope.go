package namespace

import (
	"time"

	corev1 "k8s.io/api/core/v1"

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

	// repair
	drift []repair.Drift
	// looked says that the drift is complete.
	looked bool
}

// recheckAfter is when the profiles change by themselves; zero is never.
func (s *scope) recheckAfter() time.Duration {
	if s.effective == nil || !s.effective.ValidUntil.After(s.now) {
		return 0
	}
	return s.effective.ValidUntil.Sub(s.now)
}
