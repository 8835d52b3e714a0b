package egress

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

type steps = outcome.Steps[scope]

// scope is what one pass learns.
type scope struct {
	now time.Time

	// observe: service is that of phi-egress, nil where it is not installed.
	service *corev1.Service
	world   *gate.World
	ready   int // pods that take calls

	// seal
	configuration *config.Configuration
	sealed        *corev1.ConfigMap
	again         time.Time

	// repair
	drift []repair.Drift
}

// recheckAfter is how long until something is otherwise by itself; zero is never.
func (s *scope) recheckAfter() time.Duration {
	if s.world == nil {
		return 0
	}
	next := earliest(gate.Changes(s.world), s.again)
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(s.now), time.Second)
}
