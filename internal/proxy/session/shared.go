package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// slackShare is which part of the idle limit may pass before replicas hear of a
	// user's activity: a session may end by so much early, never late.
	slackShare = 60
	maxSlack   = 15 * time.Second
	// AnswerWait is how long a request waits for the store.
	AnswerWait = 250 * time.Millisecond
	// restTime is how long nobody asks a store that did not answer.
	restTime = time.Second
)

// Shared keeps sessions in a Redis that replicas have in common, and as much of them in
// memory as saves questions.
type Shared struct {
	// Wait is how long a request waits for the store; AnswerWait unless it is changed.
	Wait time.Duration

	memory *Memory
	client redis.Scripter
	prefix string
	alone  bool
	// observe is told each time what became of a question.
	observe func(reached bool)

	mu   sync.Mutex
	down time.Time
}

// NewShared asks the client; prefix keeps workloads apart.
func NewShared(client redis.Scripter, prefix string, on config.OnOutage, observe func(reached bool)) *Shared {
	return &Shared{Wait: AnswerWait, memory: NewMemory(), client: client, prefix: prefix, alone: on == config.Alone, observe: observe}
}

// script does what Touch.next does, in milliseconds since 1970; 0 stands for never. How long
// the store keeps it is told as a duration: the store's clock may be another.
var script = redis.NewScript(`
local now, present, proved, ends = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local idle, absolute, seen = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local held = redis.call('HMGET', KEYS[1], 's', 'a', 'l', 'k')
local started, active, locked, keep = tonumber(held[1]), tonumber(held[2]), tonumber(held[3]), tonumber(held[4])
local change = 0
if proved > now then proved = now end
if not started then
  started, active, locked, keep, change = now, now, 0, 0, 1
  if proved > 0 then started = proved end
elseif proved > started and (locked == 0 or proved + 1000 > locked) then
  started, locked = proved, 0
  active = math.max(active, proved)
end
if locked == 0 then
  active = math.max(active, seen)
  local limit = math.min(active + idle, started + absolute)
  if now >= limit then
    locked, change = limit, 2
  elseif present then
    active = math.max(active, now)
  end
end
keep = math.max(keep, ends, started + absolute, now + idle)
redis.call('HSET', KEYS[1], 's', string.format('%.0f', started), 'a', string.format('%.0f', active), 'l', string.format('%.0f', locked), 'k', string.format('%.0f', keep))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep - now + 1000))
return {started, active, locked, keep, change}
`)

// Touch looks at a session. What this process knows is enough while the limit is far and
// the store has heard of it a moment ago.
func (s *Shared) Touch(ctx context.Context, t *Touch) (State, error) {
	near, state, known, err := s.near(t)
	if near || err != nil {
		return state, err
	}
	if s.asks(t.Now) {
		state, err := s.ask(ctx, t, known)
		s.answered(t.Now, err)
		if err == nil {
			s.hold(t, state)
			return state, nil
		}
	}
	if !s.alone {
		return State{}, ErrUnavailable
	}
	return s.memory.Touch(ctx, t)
}

// Forget lets go of what nothing belongs to any more.
func (s *Shared) Forget(now time.Time) { s.memory.Forget(now) }

func slackOf(l config.SessionLimits) time.Duration {
	return min(time.Duration(l.Idle)/slackShare, maxSlack)
}

// near answers out of memory where that is good enough. If not, seen is activity that
// the store has not heard of.
func (s *Shared) near(t *Touch) (near bool, state State, seen time.Time, err error) {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known, err := m.find(t)
	if err != nil {
		return false, State{}, seen, err
	}
	if !known {
		delete(m.sessions, t.Key) // the store says what it is
		return false, State{}, seen, nil
	}
	slack := slackOf(t.Limits)
	fresh := k.Locked.IsZero() && t.Now.Sub(k.synced) < slack && t.Now.Before(k.ends(t.Limits)) && !t.Authenticated.After(k.Started)
	if fresh {
		k.State = t.next(k.State, true, time.Time{})
		return true, k.State, seen, nil
	}
	if k.Active.After(k.told) {
		seen = k.Active
	}
	return false, State{}, seen, nil
}

// hold remembers what the store said.
func (s *Shared) hold(t *Touch, state State) {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _, err := m.find(t)
	if err != nil {
		return // the store is asked again next time
	}
	if state.Locked.IsZero() {
		state.Active = later(state.Active, k.Active)
	}
	k.State, k.synced, k.told = state, t.Now, state.Active
}

// asks reports whether it is time to ask the store.
func (s *Shared) asks(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down.IsZero() || now.Sub(s.down) >= restTime
}

func (s *Shared) answered(now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = time.Time{}
	if err != nil {
		s.down = now
	}
	s.observe(err == nil)
}

var errAnswer = errors.New("the store answers something else")

func (s *Shared) ask(ctx context.Context, t *Touch, seen time.Time) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	said, err := script.Run(ctx, s.client, []string{s.prefix + t.Key.String()},
		milli(t.Now), flag(t.Present), milli(t.Authenticated), milli(t.Ends),
		time.Duration(t.Limits.Idle).Milliseconds(), time.Duration(t.Limits.Absolute).Milliseconds(), milli(seen)).Int64Slice()
	if err != nil {
		return State{}, err
	}
	if len(said) != 5 {
		return State{}, errAnswer
	}
	return State{
		Started: instant(said[0]), Active: instant(said[1]), Locked: instant(said[2]), Keep: instant(said[3]), Change: Change(said[4]), //nolint:gosec // the script says 0, 1 or 2
	}, nil
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(milli int64) time.Time {
	if milli == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milli)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
