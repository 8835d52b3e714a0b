package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

var (
	// noon lies long before what a store's own clock shows: that must not matter.
	noon   = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	limits = config.SessionLimits{Idle: config.Duration(15 * time.Minute), Absolute: config.Duration(12 * time.Hour)}
	key    = principal.Pseudonym{1}
)

// look is a touch at a minute after noon.
type look struct {
	minute  int
	present bool
	// proved is the minute at which the user proved who they are, plus one; 0 is unknown.
	proved int
	locked bool
	change Change
}

func (l look) touch() *Touch {
	t := &Touch{Key: key, Now: noon.Add(time.Duration(l.minute) * time.Minute), Present: l.present, Limits: limits}
	if l.proved > 0 {
		t.Authenticated = noon.Add(time.Duration(l.proved-1) * time.Minute)
	}
	return t
}

// stories are what sessions go through, as every store has to tell them.
var stories = map[string][]look{
	"a user who is there stays": {
		{minute: 0, present: true, change: Began}, {minute: 14, present: true}, {minute: 28, present: true}, {minute: 42, present: true},
	},
	"the limit itself is too late": {
		{minute: 0, present: true, change: Began}, {minute: 15, present: true, locked: true, change: Ended},
	},
	"polling keeps nobody": {
		{minute: 0, present: true, change: Began}, {minute: 10}, {minute: 14}, {minute: 20, locked: true, change: Ended},
	},
	"what is locked stays so, however often it is tried, and is told once": {
		{minute: 0, present: true, change: Began}, {minute: 20, present: true, locked: true, change: Ended},
		{minute: 21, present: true, locked: true}, {minute: 600, present: true, locked: true},
	},
	"who proves it anew goes on": {
		{minute: 0, present: true, proved: 1, change: Began}, {minute: 20, present: true, proved: 1, locked: true, change: Ended},
		{minute: 30, present: true, proved: 30}, {minute: 40, present: true, proved: 30},
	},
	"an older proof than the lock does not open it": {
		{minute: 0, present: true, proved: 1, change: Began}, {minute: 20, present: true, proved: 3, locked: true, change: Ended},
		{minute: 21, present: true, proved: 13, locked: true},
	},
	"who came back before anybody looked goes on": {
		{minute: 0, present: true, proved: 1, change: Began}, {minute: 30, present: true, proved: 29},
	},
	"activity does not outlast the absolute limit": {
		{minute: 0, present: true, proved: 1, change: Began}, {minute: 10, present: true, proved: 1},
		{minute: 730, present: true, proved: 1, locked: true, change: Ended},
	},
	"a login of long ago has used up its time": {
		{minute: 800, present: true, proved: 1, locked: true, change: Ended},
	},
	"a proof from the future counts as of now": {
		{minute: 0, present: true, proved: 500, change: Began}, {minute: 20, present: true, proved: 500},
	},
}

func TestASessionIsLockedAtItsLimit(t *testing.T) {
	for name, looks := range stories {
		t.Run(name, func(t *testing.T) { tell(t, NewMemory(), looks) })
	}
}

func tell(t *testing.T, store Store, looks []look) {
	t.Helper()
	for i, l := range looks {
		got, err := store.Touch(t.Context(), l.touch())
		if err != nil {
			t.Fatalf("look %d: %v", i, err)
		}
		if l.locked != !got.Locked.IsZero() || l.change != got.Change {
			t.Errorf("look %d at minute %d: locked %v, change %d; want %v, %d", i, l.minute, got.Locked, got.Change, l.locked, l.change)
		}
	}
}

func TestAFullMemoryForgetsNobodyWhoseTokenMayComeBack(t *testing.T) {
	m := newMemory(2)
	at := func(minute int, key byte) (State, error) {
		l := (look{minute: minute, present: true}).touch()
		l.Key = principal.Pseudonym{key}
		return m.Touch(t.Context(), l)
	}
	for _, key := range []byte{1, 2} {
		if _, err := at(0, key); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := at(60, 1); err != nil || s.Locked.IsZero() {
		t.Fatalf("an idle session: %v, %v", s, err)
	}
	if _, err := at(61, 3); !errors.Is(err, ErrFull) {
		t.Errorf("a third session of two: %v, want ErrFull", err)
	}
	if s, err := at(62, 1); err != nil || s.Locked.IsZero() {
		t.Errorf("the locked one was forgotten: %v, %v", s, err)
	}
	// Nothing belongs to them any more once their longest time is over.
	if _, err := at(1500, 3); err != nil {
		t.Errorf("there is no room after a day: %v", err)
	}
	if len(m.sessions) != 1 {
		t.Errorf("%d sessions are kept, want the new one", len(m.sessions))
	}
	m.Forget(noon.Add(100 * time.Hour))
	if len(m.sessions) != 0 {
		t.Error("what ended is kept")
	}
}

type cutter int

func (c *cutter) Cut() { *c++ }

func TestWhatALockedSessionHasUnderWayEnds(t *testing.T) {
	var visits Visits
	var idle, young, other Visit
	var cuts, kept cutter
	store := NewMemory()
	begin := func(v *Visit, c Cutter, touches ...*Touch) {
		for _, touch := range touches {
			if _, err := store.Touch(context.Background(), touch); err != nil {
				t.Fatal(err)
			}
		}
		visits.Begin(v, c, touches...)
	}
	first := (look{present: true}).touch()
	narrow := (look{present: true}).touch()
	narrow.Key, narrow.Limits.Idle = principal.Pseudonym{9}, config.Duration(5*time.Minute)
	wide := (look{present: true}).touch()
	wide.Key, wide.Limits.Idle = principal.Pseudonym{8}, config.Duration(time.Hour)
	begin(&idle, &cuts, first)
	begin(&young, &cuts, wide, narrow)
	begin(&other, &kept, wide)
	var told int
	sweep := func(minute int) {
		visits.Sweep(t.Context(), store, noon.Add(time.Duration(minute)*time.Minute), func(*Touch) { told++ })
	}
	sweep(0)
	sweep(4)
	if cuts != 0 || told != 0 {
		t.Fatalf("%d were cut, %d told before the limit", cuts, told)
	}
	sweep(5)
	if cuts != 1 || told != 1 {
		t.Errorf("%d were cut, %d told at the limit of the route; want 1, 1", cuts, told)
	}
	young.End()
	sweep(16)
	if cuts != 2 || told != 2 || kept != 0 {
		t.Errorf("%d were cut, %d told, %d of others; want 2, 2, 0", cuts, told, kept)
	}
	var emergency Visit
	var ended cutter
	visits.BeginUntil(&emergency, &ended, noon.Add(17*time.Minute))
	sweep(16)
	if ended != 0 {
		t.Error("an emergency ends early")
	}
	sweep(17)
	if ended != 1 {
		t.Error("an emergency does not end")
	}
	emergency.End()
	idle.End()
	idle.End()
	other.End()
	if visits.first != nil {
		t.Error("somebody is left")
	}
}
