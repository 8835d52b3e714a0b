package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// street is a listener on which a test knocks.
type street struct {
	knocks chan net.Conn
	closed chan struct{}
	fails  chan error
}

func (s *street) Accept() (net.Conn, error) {
	select {
	case c := <-s.knocks:
		return c, nil
	case err := <-s.fails:
		return nil, err
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *street) Close() error   { close(s.closed); return nil }
func (*street) Addr() net.Addr   { return nil }
func (s *street) fail(err error) { s.fails <- err }

// scene is a door whose visitors do what the test says.
type scene struct {
	*testing.T
	*Door
	street *street
	turned []Reason
	lapsed bool
}

// stay holds a visit until its connection ends.
func stay(v *Visit) { _, _ = io.Copy(io.Discard, v.Conn) }

func newScene(t *testing.T, b Bounds, waiting int, serve func(*Visit)) *scene {
	t.Helper()
	s := &scene{T: t, street: &street{knocks: make(chan net.Conn), closed: make(chan struct{}), fails: make(chan error)}}
	s.Door = Open(s.street, b, Options{
		Serve: serve, Now: time.Now, Waiting: waiting,
		Turned: func(r Reason) { s.turned = append(s.turned, r) },
		Lapsed: func(string, time.Time) bool { return s.lapsed },
	})
	t.Cleanup(s.Close)
	return s
}

// knock connects, and waits until the visit has come as far as it can.
func (s *scene) knock() net.Conn {
	here, there := net.Pipe()
	s.Cleanup(func() { _ = here.Close() })
	s.street.knocks <- there
	synctest.Wait()
	return here
}

// isOpen reports whether the other end is there still.
func isOpen(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// as meets everybody who comes as the next of the names, and strangers where it is empty.
func as(names ...string) func(*Visit) {
	return func(v *Visit) {
		name := names[0]
		names = names[1:]
		var met bool
		if name == "" {
			met = v.MeetStranger(time.Now().Add(10 * time.Second))
		} else {
			met = v.Meet(name)
		}
		if met {
			stay(v)
		}
	}
}

func TestOnePeerLeavesRoomForTheOthers(t *testing.T) {
	repeat := func(name string, n int) []string { return slices.Repeat([]string{name}, n) }
	for name, tc := range map[string]struct {
		bounds Bounds
		give   []string
		want   map[string]int
	}{
		"one that wants all, where there may be others": {Bounds{Most: 12}, repeat("a", 20), map[string]int{"a": 6}},
		"one that wants all, where there is no other":   {Bounds{Most: 12, Alone: true}, repeat("a", 20), map[string]int{"a": 12}},
		"one that comes late":                           {Bounds{Most: 12}, slices.Concat(repeat("a", 20), repeat("b", 20)), map[string]int{"a": 6, "b": 3}},
		"three, of which two want all":                  {Bounds{Most: 12}, slices.Concat(repeat("a", 20), repeat("b", 20), repeat("c", 1)), map[string]int{"a": 6, "b": 3, "c": 1}},
		"the only place":                                {Bounds{Most: 1}, []string{"a", "b"}, map[string]int{"a": 1}},
		"strangers take no place":                       {Bounds{Most: 2}, slices.Concat(repeat("", 10), []string{"a", "b"}), map[string]int{"": 10, "a": 1, "b": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, tc.bounds, 8, as(tc.give...))
				got := map[string]int{}
				var conns []net.Conn
				for range tc.give {
					conns = append(conns, s.knock())
				}
				for i, c := range conns {
					if isOpen(c) {
						got[tc.give[i]]++
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tc.want) {
					t.Errorf("in are %v, want %v", got, tc.want)
				}
			})
		})
	}
}

func TestWhoIsSilentGivesWayToWhoComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := newScene(t, Bounds{Most: 1}, 2, stay)
		first, second, third := silent.knock(), silent.knock(), silent.knock()
		if isOpen(first) || !isOpen(second) || !isOpen(third) {
			t.Error("not the oldest of those who wait has gone")
		}
		strange := newScene(t, Bounds{Most: 1}, 2, as(slices.Repeat([]string{""}, maxStrangers+1)...))
		first = strange.knock()
		for range maxStrangers - 1 {
			second = strange.knock()
		}
		if !isOpen(first) {
			t.Error("a stranger went before there was need")
		}
		third = strange.knock()
		if isOpen(first) || !isOpen(second) || !isOpen(third) {
			t.Error("not the oldest stranger has gone")
		}
		if want := []Reason{Crowded}; !slices.Equal(silent.turned, want) || !slices.Equal(strange.turned, want) {
			t.Errorf("turned away were %v and %v", silent.turned, strange.turned)
		}
	})
}

func TestWhoNeedsNoProofIsInAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Bounds{Most: 2}, 0, stay)
		first, second, third := s.knock(), s.knock(), s.knock()
		if !isOpen(first) || !isOpen(second) || isOpen(third) {
			t.Error("the bounds do not hold")
		}
		_ = first.Close()
		synctest.Wait()
		if !isOpen(s.knock()) {
			t.Error("a place that is left stays taken")
		}
		s.Bound(Bounds{Most: 1})
		if !isOpen(second) || isOpen(s.knock()) {
			t.Error("new bounds are for those who come")
		}
	})
}

func TestASweepEndsWhatLastsTooLong(t *testing.T) {
	for name, tc := range map[string]struct {
		serve  func(v *Visit)
		after  time.Duration
		lapsed bool
		stays  bool
		turned []Reason
	}{
		"a stranger in its time":        {as(""), 9 * time.Second, false, true, nil},
		"a stranger after its time":     {as(""), 11 * time.Second, false, false, []Reason{Overdue}},
		"one whose proof is good":       {proved(false), 58 * time.Minute, true, true, nil},
		"one whose proof has ended":     {proved(false), 61 * time.Minute, true, false, []Reason{Expired}},
		"one whose proof counts yet":    {proved(false), 61 * time.Minute, false, true, nil},
		"an idle one near the end":      {proved(true), 59*time.Minute + time.Second, true, false, nil},
		"a busy one near the end":       {proved(false), 59*time.Minute + time.Second, true, true, nil},
		"an idle one near our own end":  {shown, 29*time.Minute + time.Second, true, false, nil},
		"an idle one after our own end": {shown, 31 * time.Minute, true, true, nil},
		"one that proved nothing":       {stay, 24 * time.Hour, true, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, Bounds{Most: 1}, 1, tc.serve)
				s.lapsed = tc.lapsed
				c := s.knock()
				time.Sleep(tc.after) //nolint:forbidigo // the bubble's clock
				s.Sweep()
				s.Sweep()
				if isOpen(c) != tc.stays || !slices.Equal(s.turned, tc.turned) {
					t.Errorf("it is open: %t, turned away were %v", isOpen(c), s.turned)
				}
			})
		})
	}
}

// proved is a peer with a certificate of an hour.
func proved(idle bool) func(*Visit) {
	return func(v *Visit) {
		v.Meet("a")
		v.Prove(Proof{ID: "a", End: time.Now().Add(time.Hour)})
		if idle {
			v.Rest()
		}
		stay(v)
	}
}

// shown is a peer with a certificate of an hour that was shown one of half an hour.
func shown(v *Visit) {
	v.Meet("a")
	v.Prove(Proof{ID: "a", End: time.Now().Add(time.Hour), Own: time.Now().Add(time.Hour / 2)})
	v.Rest()
	stay(v)
}

func TestACutEndsWhateverIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		var visit *Visit
		s := newScene(t, Bounds{Most: 2}, 0, func(v *Visit) {
			visit = v
			v.Note(func() bool { v.Guest = "a"; return true })
			v.Hold(func() { ended++ })
			stay(v)
		})
		c := s.knock()
		s.Cut(func(v *Visit) bool { return v.Guest == "b" })
		if ended != 0 || !isOpen(c) {
			t.Error("who may stay is cut")
		}
		s.Cut(func(v *Visit) bool { return v.Guest == "a" })
		synctest.Wait()
		if ended != 1 || isOpen(c) {
			t.Errorf("the cut ended %d things", ended)
		}
		if visit.Hold(func() { ended++ }) || ended != 2 || visit.Note(func() bool { return true }) {
			t.Error("what is held after the cut goes on")
		}
	})
}

func TestADrainEndsWhatIsIdleAndWaitsForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := 0
		kinds := []func(*Visit){
			stay, // has proved nothing
			func(v *Visit) { v.Meet("a"); v.Rest(); stay(v) },
			func(v *Visit) { v.Meet("b"); v.Rest(); v.Busy(); stay(v) },
			func(v *Visit) { v.Meet("c"); v.Rest(); v.FinishBy(func() { finished++ }); stay(v) },
		}
		s := newScene(t, Bounds{Most: 9}, 4, func(v *Visit) {
			kind := kinds[0]
			kinds = kinds[1:]
			kind(v)
		})
		waits, idle, busy, finishes := s.knock(), s.knock(), s.knock(), s.knock()
		s.Drain()
		if isOpen(waits) || isOpen(idle) || !isOpen(busy) || !isOpen(finishes) || finished != 1 {
			t.Error("a drain ends too much or too little")
		}
		waited := make(chan struct{})
		go func() { s.Wait(t.Context()); close(waited) }()
		_ = finishes.Close()
		synctest.Wait()
		select {
		case <-waited:
			t.Error("somebody is in still")
		default:
		}
		_ = busy.Close()
		<-waited
		s.Wait(t.Context()) // nobody is in
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Bounds{Most: 1}, 0, stay)
		c := s.knock()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		s.Drain()
		s.Wait(ctx)
		if !isOpen(c) {
			t.Error("a wait cuts")
		}
		s.Close()
		if isOpen(c) {
			t.Error("a close does not")
		}
	})
}

// Who was accepted before a door was shut, and would enter after it, is not served.
func TestWhoWasAcceptedBeforeTheDoorWasShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Bounds{Most: 1}, 0, stay)
		s.Shut()
		here, there := net.Pipe()
		if s.enter(there) != nil || isOpen(here) {
			t.Error("it is served")
		}
	})
}

func TestADoorOutlivesAcceptsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Bounds{Most: 1}, 0, stay)
		s.street.fail(errors.New("no descriptors"))
		if !isOpen(s.knock()) {
			t.Error("after a failure nobody is let in")
		}
	})
}

func TestABudgetIsShared(t *testing.T) {
	var b Budget
	b.Bound(4)
	for i, want := range []bool{true, true, false} {
		if got := b.Take("a"); got != want {
			t.Errorf("a takes its %d.: %t", i+1, got)
		}
	}
	if !b.Take("b") || b.Take("b") {
		t.Error("b does not get its one")
	}
	b.Give("a")
	b.Give("a")
	if !b.Take("b") || new(Budget).Take("a") {
		t.Error("what is given back is not there, or what was never there is")
	}
}
