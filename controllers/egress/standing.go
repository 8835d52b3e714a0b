package egress

import (
	"maps"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Standing is how phi-egress stands, told by its controller and heard by others.
type Standing struct {
	now atomic.Pointer[control.Egress]
	// known says that somebody has looked.
	known   atomic.Bool
	changed chan event.GenericEvent
}

// NewStanding is one of which nothing is known.
func NewStanding() *Standing { return &Standing{changed: make(chan event.GenericEvent, 1)} }

// Now is as the last pass found it; nil before, and where phi-egress is not installed.
func (s *Standing) Now() *control.Egress { return s.now.Load() }

// Installed reports whether it is installed and configured, and whether that is known yet.
func (s *Standing) Installed() (installed, known bool) { return s.now.Load() != nil, s.known.Load() }

// RuleOut notes that there is none, and that nobody will look: the operator has no proxies.
func (s *Standing) RuleOut() { s.known.Store(true) }

// Changed tells that it is otherwise than before.
func (s *Standing) Changed() <-chan event.GenericEvent { return s.changed }

// tell notes it; one message that waits is enough.
func (s *Standing) tell(next *control.Egress) {
	before := s.now.Swap(next)
	first := !s.known.Swap(true)
	if !first && before == next || before != nil && next != nil && before.Ready == next.Ready && maps.Equal(before.Exits, next.Exits) {
		return
	}
	select {
	case s.changed <- event.GenericEvent{}:
	default:
	}
}
