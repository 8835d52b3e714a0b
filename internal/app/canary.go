package app

import (
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/canary"
)

// secretsWatch shows how API servers store Secrets to the controller of workloads.
type secretsWatch struct {
	*canary.Canary
	changed chan event.GenericEvent
}

// addCanary has the leader ask API servers how they store Secrets.
func addCanary(mgr manager.Manager, o Options) (*secretsWatch, error) {
	w := &secretsWatch{changed: make(chan event.GenericEvent, 1)}
	w.Canary = canary.New(canary.Options{
		Config:    mgr.GetConfig(),
		Namespace: o.Namespace,
		Live:      mgr.GetAPIReader(),
		Clock:     clock.RealClock{},
		Changed:   w.notify,
	})
	if err := mgr.Add(w.Canary); err != nil {
		return nil, fmt.Errorf("adding the canary of Secrets: %w", err)
	}
	return w, nil
}

// notify tells that the answer has changed; one message that waits is enough.
func (w *secretsWatch) notify() {
	select {
	case w.changed <- event.GenericEvent{}:
	default:
	}
}
