package app

import "sigs.k8s.io/controller-runtime/pkg/event"

// bell tells a controller that something it goes by has changed.
type bell chan event.GenericEvent

func newBell() bell { return make(bell, 1) }

// ring never waits: one message that waits is enough.
func (b bell) ring() {
	select {
	case b <- event.GenericEvent{}:
	default:
	}
}
