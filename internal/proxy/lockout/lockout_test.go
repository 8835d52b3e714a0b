package lockout

import (
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	limits = &config.Lockout{Failures: 12, Duration: config.Duration(15 * time.Minute)}
	alice  = principal.Pseudonym{1}
	bob    = principal.Pseudonym{2}
	none   principal.Pseudonym
)

func TestEachFailureMakesTheNextTryWaitLonger(t *testing.T) {
	var g Guesses
	now := noon
	for n, seconds := range []int{0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if g.Failed(alice, none, limits, now) {
			t.Fatalf("locked by failure %d", n+1)
		}
		left, locked := g.Wait(alice, now)
		if left != time.Duration(seconds)*time.Second || locked {
			t.Errorf("after failure %d the wait is %s, locked %v; want %ds", n+1, left, locked, seconds)
		}
		now = now.Add(left)
	}
	if !g.Failed(alice, none, limits, now) {
		t.Error("failure 12 locks nobody")
	}
	if g.Failed(alice, none, limits, now) {
		t.Error("a lock is told twice")
	}
	if left, locked := g.Wait(alice, now); left != 15*time.Minute || !locked {
		t.Errorf("locked for %s, %v", left, locked)
	}
	if left, _ := g.Wait(bob, now); left != 0 {
		t.Error("another user waits")
	}
	now = now.Add(15 * time.Minute)
	if left, _ := g.Wait(alice, now); left != 0 {
		t.Error("the lock does not end")
	}
	g.Failed(alice, none, limits, now)
	if left, _ := g.Wait(alice, now); left != 0 {
		t.Error("what was before the lock counts after it")
	}
}

func TestTheSameSessionFailsOnceInARow(t *testing.T) {
	var g Guesses
	for range 100 {
		g.Failed(alice, principal.Pseudonym{9}, limits, noon)
	}
	if left, _ := g.Wait(alice, noon); left != 0 {
		t.Error("a program that tries again locks its user")
	}
}

func TestFailuresAreForgottenInTime(t *testing.T) {
	var g Guesses
	for range 3 {
		g.Failed(alice, none, limits, noon)
	}
	later := noon.Add(15 * time.Minute)
	g.Failed(alice, none, limits, later)
	if left, _ := g.Wait(alice, later); left != 0 {
		t.Error("failures of a quarter of an hour ago count")
	}
}

func TestWhereThereIsNoRoomLocksStay(t *testing.T) {
	g := Guesses{room: 2}
	for range 12 {
		g.Failed(alice, none, limits, noon)
	}
	g.Failed(bob, none, limits, noon)
	for n := range 10 {
		g.Failed(principal.Pseudonym{3, byte(n)}, none, limits, noon)
	}
	if _, locked := g.Wait(alice, noon); !locked {
		t.Error("a lock gave way")
	}
	if len(g.users) > 2 {
		t.Errorf("%d users are remembered, want 2", len(g.users))
	}
	full := Guesses{room: 1}
	for range 12 {
		full.Failed(alice, none, limits, noon)
	}
	if full.Failed(bob, none, limits, noon); len(full.users) != 1 {
		t.Error("there is room where there is none")
	}
}
