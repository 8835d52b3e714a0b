package egress

import (
	"maps"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Standing is how phi-egress stands, told by its controller and heard by others.
type Standing struct {
	now     atomic.Pointer[control.Egress]
	changed chan event.GenericEvent
}

// NewStanding is one of which nothing is known.
func NewStanding() *Standing { return &Standing{changed: make(chan event.GenericEvent, 1)} }

// Now is as the last pass found it; nil before, and where phi-egress is not installed.
func (s *Standing) Now() *control.Egress { return s.now.Load() }

// Changed tells that it is otherwise than before.
func (s *Standing) Changed() <-chan event.GenericEvent { return s.changed }

// tell notes it; one message that waits is enough.
func (s *Standing) tell(next *control.Egress) {
	before := s.now.Swap(next)
	if before == next || before != nil && next != nil && before.Ready == next.Ready && maps.Equal(before.Exits, next.Exits) {
		return
	}
	select {
	case s.changed <- event.GenericEvent{}:
	default:
	}
}
