package enrol

import (
	"sync"
	"testing"
	"time"
)

// steppedClock waits until a test lets it go on.
type steppedClock struct {
	mu    sync.Mutex
	now   time.Time
	waits chan wait
}

type wait struct {
	length time.Duration
	over   chan time.Time
}

func newClock() *steppedClock { return &steppedClock{now: start, waits: make(chan wait)} }

func (c *steppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steppedClock) After(d time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	c.waits <- wait{d, over}
	return over
}

func (c *steppedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// next is the wait that has begun.
func (c *steppedClock) next(t *testing.T) wait {
	t.Helper()
	select {
	case w := <-c.waits:
		return w
	case <-t.Context().Done():
		t.Fatal("nobody waits")
	}
	return wait{}
}

// pass ends a wait when its time has come.
func (c *steppedClock) pass(w wait) {
	c.advance(w.length)
	w.over <- c.Now()
}
