package issuer

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
	clocktesting "k8s.io/utils/clock/testing"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestLimitsAreOfEachKeyAndBounded(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	l := newLimits(clock, rate.Every(10*time.Second), 2, 2)
	ask := func(key string, want bool) {
		t.Helper()
		if l.allow(key) != want {
			t.Errorf("at %s %s is answered %t", clock.Now().Sub(start), key, !want)
		}
	}
	ask("a", true)
	ask("a", true)
	ask("a", false)
	ask("b", true)
	// There is room for two, and both have asked just now.
	ask("c", false)
	clock.SetTime(start.Add(10 * time.Second))
	ask("a", true)
	ask("a", false)
	// b has its whole allowance again: it is forgotten for c.
	ask("c", true)
	ask("b", false)
	clock.SetTime(start.Add(time.Hour))
	ask("b", true)
	if len(l.byKey) != 1 {
		t.Errorf("%d keys are kept", len(l.byKey))
	}
}
