package namespace

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/event"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// Census counts the undeclared pods of each PHI namespace. It is safe for
// concurrent use.
type Census struct {
	mu      sync.Mutex
	counts  map[string]counted
	changed chan event.GenericEvent
}

// counted is one namespace, with what admission answers there to an undeclared pod.
type counted struct {
	hipaav1.UndeclaredIn

	answer hipaav1.UndeclaredPods
}

// NewCensus knows nothing yet.
func NewCensus() *Census {
	return &Census{counts: map[string]counted{}, changed: make(chan event.GenericEvent, 1)}
}

// Undeclared counts those of a namespace. Looked is false where nobody has looked
// since this process began.
func (c *Census) Undeclared(namespace string) (in hipaav1.UndeclaredIn, looked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, looked := c.counts[namespace]
	return found.UndeclaredIn, looked
}

// Changed tells that some count is another; one message that waits is enough.
func (c *Census) Changed() <-chan event.GenericEvent { return c.changed }

func (c *Census) set(now counted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, looked := c.counts[now.Namespace]
	c.counts[now.Namespace] = now
	if !looked || before.answer != now.answer || before.Pods != now.Pods || !before.LastCreated.Equal(&now.LastCreated) {
		metrics.UndeclaredPods(string(before.answer), -before.Pods)
		metrics.UndeclaredPods(string(now.answer), now.Pods)
		c.notify()
	}
}

func (c *Census) forget(namespace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, looked := c.counts[namespace]; looked {
		delete(c.counts, namespace)
		metrics.UndeclaredPods(string(before.answer), -before.Pods)
		c.notify()
	}
}

func (c *Census) notify() {
	select {
	case c.changed <- event.GenericEvent{}:
	default:
	}
}
