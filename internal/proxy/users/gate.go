// Package users stands between peers and the application where requests are people's.
// Its promise: where a configuration asks for users, no request passes without one who
// proved enough, recently enough, in a session that is not over, or in an emergency that
// is on record; and nothing else is ever told of a user than a pseudonym.
package users

import (
	"context"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/breakglass"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/lockout"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/session"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/sharing"
)

// Gate asks for users. All fields but Wait are needed.
type Gate struct {
	Metrics *Metrics
	Now     func() time.Time
	// Dial connects to identity providers and to the store.
	Dial func(ctx context.Context, host string, port uint16) (net.Conn, error)
	// Output takes records where the configuration names no file.
	Output interface {
		Write(p []byte) (int, error)
	}

	// Wait is how long a request waits for the store; session.AnswerWait where it is zero.
	Wait time.Duration

	state   atomic.Pointer[state]
	visits  session.Visits
	guesses lockout.Guesses
	devices sharing.Sightings

	mu sync.Mutex
	// key is the one of pseudonyms where no file has one.
	key []byte
}

// state is what the gate goes by. It never changes; a new configuration makes a new one.
type state struct {
	gate     *Gate
	users    *config.Users
	workload config.Workload
	keyring  *principal.Keyring
	key      []byte    // of the keyring, where no file has it
	agreed   time.Time // when the store last said that it is the key of all
	tokens   *principal.Tokens
	gateways *principal.Gateways
	routes   []*route
	store    store
	uses     breakglass.Uses
	glass    *breakglass.Glass
	records  record.Recorder
	file     *os.File
	client   *redis.Client
}

// closed lets nobody pass.
var closed = new(state)

// store also forgets.
type store interface {
	session.Store
	Forget(now time.Time)
}

// Apply asks for users by this configuration from now on. Sessions stay as they are,
// unless they are to be kept elsewhere. Where what it needs cannot be had, the one before
// stays, and where there is none nobody passes.
func (g *Gate) Apply(c *config.Configuration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.state.Load()
	if c.Users == nil {
		g.state.Store(nil)
		before.close(nil)
		return nil
	}
	if before != nil && before.workload.UID == c.Workload.UID && reflect.DeepEqual(before.users, c.Users) {
		return nil
	}
	if before == closed {
		before = nil
	}
	s := &state{gate: g, users: c.Users, workload: c.Workload, routes: routesOf(c.Users)}
	if err := s.open(before); err != nil {
		s.close(before)
		if before == nil {
			g.state.Store(closed)
		}
		return err
	}
	g.state.Store(s)
	before.close(s)
	return nil
}

// open makes what the configuration asks for, and takes over what may stay.
func (s *state) open(before *state) error {
	var err error
	if err = s.openStore(before); err != nil {
		return err
	}
	if err = s.openKeyring(); err != nil {
		return err
	}
	s.gateways = principal.NewGateways(s.users, s.keyring)
	var known *principal.Tokens
	if before != nil {
		known = before.tokens
	}
	s.tokens = principal.NewTokens(s.users, s.keyring, s.gate.Dial, s.gate.Now).Knowing(known)
	if s.users.BreakGlass != nil {
		if s.glass, err = breakglass.New(s.users.BreakGlass, s.keyring); err != nil {
			return err
		}
	}
	return s.openRecords()
}

func (s *state) openStore(before *state) error {
	if before != nil && reflect.DeepEqual(before.users.Store, s.users.Store) {
		s.store, s.uses, s.client = before.store, before.uses, before.client
		return nil
	}
	if s.users.Store == nil {
		s.store, s.uses = session.NewMemory(), new(breakglass.Memory)
		return nil
	}
	client, err := session.NewClient(s.users.Store, s.gate.Dial)
	if err != nil {
		return err
	}
	prefix := s.prefix()
	s.client = client
	shared := session.NewShared(client, prefix+"session:", s.users.Store.OnOutage, s.gate.Metrics.asked)
	if s.gate.Wait > 0 {
		shared.Wait = s.gate.Wait
	}
	s.store, s.uses = shared, &breakglass.Shared{Client: client, Prefix: prefix + "credential:", Wait: shared.Wait}
	return nil
}

func (s *state) openRecords() error {
	to := s.gate.Output
	if name := s.users.Records.File; name != "" {
		const mine = 0o600
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, mine)
		if err != nil {
			return fmt.Errorf("opening the records of users: %w", err)
		}
		s.file, to = f, f
	}
	s.records = record.NewWriter(to, s.gate.Metrics.lost.Inc)
	return nil
}

// close lets go of what another state has not taken over.
func (s *state) close(other *state) {
	if s == nil {
		return
	}
	if s.file != nil {
		_ = s.file.Close() // each line was written by itself
	}
	if s.client != nil && (other == nil || other.client != s.client) {
		_ = s.client.Close() // nobody asks it any more
	}
}

// tick is how often what takes long is looked at.
const tick = time.Second

// Run looks after sessions and keys until the context ends.
func (g *Gate) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { g.every(ctx, g.Sweep) })
	// A provider that does not answer must not keep sessions from ending.
	both.Go(func() { g.every(ctx, g.refresh) })
	both.Go(func() { g.every(ctx, g.agree) })
	both.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.Load().close(nil)
}

func (g *Gate) every(ctx context.Context, do func(context.Context)) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			do(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Sweep ends what sessions that are locked have under way.
func (g *Gate) Sweep(ctx context.Context) {
	s := g.state.Load()
	if s == nil || s == closed {
		return
	}
	now := g.Now()
	g.visits.Sweep(ctx, s.store, now, func(t *session.Touch) {
		g.Metrics.locks.Inc()
		s.records.Record(&record.Event{Time: now, Kind: record.Logoff, Workload: s.name(), Session: t.Key.String()})
	})
	s.store.Forget(now)
}

func (g *Gate) refresh(ctx context.Context) {
	if s := g.state.Load(); s != nil && s != closed {
		s.tokens.Refresh(ctx)
	}
}

// prefix keeps workloads apart that have one store.
func (s *state) prefix() string { return "phi:" + s.workload.UID + ":" }

func (s *state) name() string { return s.workload.Namespace + "/" + s.workload.Name }
