package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// startRedis is a real one on loopback. It stops with the test, or before.
func startRedis(t *testing.T) (client *redis.Client, stop func()) {
	t.Helper()
	address, stop := proxytest.Redis(t)
	client = redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialTimeout: time.Second, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	return client, stop
}

func quiet(bool) {}

// patient waits for a machine that has other things to do.
func patient(client *redis.Client, prefix string, on config.OnOutage, observe func(bool)) *Shared {
	s := NewShared(client, prefix, on, observe)
	s.Wait = 20 * time.Second
	return s
}

func TestReplicasLockASessionAlike(t *testing.T) {
	client, _ := startRedis(t)
	n := 0
	for name, looks := range stories {
		n++
		prefix := strconv.Itoa(n) + ":"
		t.Run(name, func(t *testing.T) {
			tell(t, patient(client, prefix, config.Refuse, quiet), looks)
		})
		t.Run(name+", each time at another replica", func(t *testing.T) {
			for i := range looks {
				tell(t, patient(client, "other:"+prefix, config.Refuse, quiet), looks[i:i+1])
			}
		})
	}
}

func TestTheScriptDoesWhatTheMemoryDoes(t *testing.T) {
	client, _ := startRedis(t)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		one := NewMemory()
		minute := 0
		for step := range 40 {
			minute += random.IntN(20)
			l := look{minute: minute, present: random.IntN(3) > 0}
			if random.IntN(4) == 0 {
				l.proved = 1 + random.IntN(minute+10)
			}
			// A replica that has just been started knows nothing itself.
			many := patient(client, fmt.Sprint("random:", round, ":"), config.Refuse, quiet)
			want, err := one.Touch(t.Context(), l.touch())
			if err != nil {
				t.Fatal(err)
			}
			got, err := many.Touch(t.Context(), l.touch())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(0)); diff != "" {
				t.Fatalf("round %d, step %d, %+v (-memory +script):\n%s", round, step, l, diff)
			}
		}
	}
}

func TestActivityAtOneReplicaCountsAtAnother(t *testing.T) {
	client, _ := startRedis(t)
	a, b := patient(client, "p:", config.Refuse, quiet), patient(client, "p:", config.Refuse, quiet)
	tell(t, a, []look{{minute: 0, present: true, change: Began}})
	tell(t, b, []look{{minute: 10, present: true}})
	tell(t, a, []look{{minute: 20, present: true}})
	tell(t, b, []look{{minute: 34}})
	tell(t, a, []look{{minute: 36, locked: true, change: Ended}})
	tell(t, b, []look{{minute: 36, present: true, locked: true}})
	// Another workload's sessions are others.
	tell(t, patient(client, "q:", config.Refuse, quiet), []look{{minute: 36, present: true, change: Began}})
}

func TestTheStoreIsNotAskedEachTime(t *testing.T) {
	client, stop := startRedis(t)
	asked := 0
	a := patient(client, "p:", config.Refuse, func(bool) { asked++ })
	at := func(after time.Duration) (State, error) {
		touch := (look{present: true}).touch()
		touch.Now = noon.Add(after)
		return a.Touch(t.Context(), touch)
	}
	for i := range 140 {
		if _, err := at(time.Duration(i) * 100 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("the store was asked %d times in 14 seconds, want once", asked)
	}
	if _, err := at(15 * time.Second); err != nil || asked != 2 {
		t.Errorf("after 15 seconds: %v, asked %d times", err, asked)
	}
	stop()
	if _, err := at(20 * time.Second); err != nil {
		t.Errorf("what was said a moment ago does not count: %v", err)
	}
	if _, err := at(40 * time.Second); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without the store: %v, want ErrUnavailable", err)
	}
	before := asked
	if _, err := at(40*time.Second + time.Millisecond); !errors.Is(err, ErrUnavailable) || asked != before {
		t.Errorf("a store that did not answer is asked again at once: %v", err)
	}
}

func TestWithoutTheStoreAReplicaMayGoByItself(t *testing.T) {
	client, stop := startRedis(t)
	var failed int
	a := patient(client, "p:", config.Alone, func(reached bool) {
		if !reached {
			failed++
		}
	})
	tell(t, a, []look{{minute: 0, present: true, change: Began}})
	stop()
	tell(t, a, []look{{minute: 10, present: true}, {minute: 20, present: true}, {minute: 36, present: true, locked: true, change: Ended}})
	stranger := (look{minute: 36, present: true}).touch()
	stranger.Key = principal.Pseudonym{7}
	if s, err := a.Touch(t.Context(), stranger); err != nil || s.Change != Began {
		t.Errorf("a new session alone: %v, %v", s, err)
	}
	if failed == 0 {
		t.Error("nobody was told")
	}
}

func TestWhatOneReplicaDidNotTellIsToldLater(t *testing.T) {
	client, _ := startRedis(t)
	a, b := patient(client, "p:", config.Refuse, quiet), patient(client, "p:", config.Refuse, quiet)
	at := func(s *Shared, after time.Duration, present bool) State {
		touch := (look{present: present}).touch()
		touch.Now = noon.Add(after)
		state, err := s.Touch(t.Context(), touch)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	at(a, 0, true)
	at(a, 14*time.Second, true) // the store does not hear of it yet
	at(a, 30*time.Second, false)
	if s := at(b, 15*time.Minute+10*time.Second, false); !s.Locked.IsZero() {
		t.Error("activity that was told later does not count")
	}
	if s := at(b, 15*time.Minute+14*time.Second, false); s.Locked.IsZero() {
		t.Error("the session outlives its limit")
	}
}
