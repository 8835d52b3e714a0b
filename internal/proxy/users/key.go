package users

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// keyWait is how long the store may take to tell the key, and keyAge for how long nobody
// asks again.
const (
	keyWait = time.Second
	keyAge  = 15 * time.Second
)

// openKeyring takes the key of a file. Without one the process has its own, and replicas
// with a store the one that is kept there: it lasts as long as the sessions that it names
// do, and nobody who cannot read those has it. While the store does not answer the own
// one counts; the first who reaches an empty store puts theirs, so that nothing changes
// for them.
func (s *state) openKeyring() error {
	var err error
	if s.users.KeyFile != "" {
		s.keyring, err = principal.ReadKeyring(s.users.KeyFile)
		return err
	}
	if s.gate.key == nil {
		s.gate.key = principal.NewKey()
	}
	if s.shares() {
		if common, err := s.commonKey(s.gate.key); err == nil {
			s.gate.key = common
			s.agreed = s.gate.Now()
		} // otherwise agree asks again
	}
	s.key, s.keyring = s.gate.key, principal.NewKeyring(s.gate.key)
	return nil
}

// shares reports whether the key is the one in the store.
func (s *state) shares() bool { return s.users.KeyFile == "" && s.client != nil }

var errNoKey = errors.New("what stands in the store is no key")

// commonKey is the key in the store, which is this one where there was none.
func (s *state) commonKey(own []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keyWait)
	defer cancel()
	name := s.prefix() + "key"
	if err := s.client.SetNX(ctx, name, base64.StdEncoding.EncodeToString(own), 0).Err(); err != nil {
		return nil, fmt.Errorf("keeping the key of sessions: %w", err)
	}
	text, err := s.client.Get(ctx, name).Result()
	if err != nil {
		return nil, fmt.Errorf("asking for the key of sessions: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) < len(own) {
		return nil, errNoKey
	}
	return key, nil
}

// agree goes over to the key that other replicas have, where the store could not be asked
// before, and puts it back where the store has lost it.
func (g *Gate) agree(context.Context) {
	s := g.state.Load()
	if s == nil || s == closed || !s.shares() || g.Now().Sub(s.agreed) < keyAge {
		return
	}
	common, err := s.commonKey(s.key)
	if err != nil {
		return // sessions are counted as the store's outage is
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state.Load() != s {
		return
	}
	next := &state{gate: g, users: s.users, workload: s.workload, routes: s.routes, agreed: g.Now()}
	if bytes.Equal(common, s.key) {
		*next = *s
		next.agreed = g.Now()
		g.state.Store(next)
		return
	}
	g.key = common
	if err := next.open(s); err != nil {
		next.close(s)
		return
	}
	g.state.Store(next)
	s.close(next)
}
