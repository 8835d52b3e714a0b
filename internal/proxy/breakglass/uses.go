package breakglass

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// errRoom means that nothing more can be remembered.
var errRoom = errors.New("too many credentials are remembered")

// Memory remembers as long as the process lives. The zero value remembers nothing yet.
type Memory struct {
	mu   sync.Mutex
	uses map[principal.Pseudonym]use
}

type use struct{ first, keep time.Time }

// First is when it was used first.
func (m *Memory) First(_ context.Context, what principal.Pseudonym, now, keep time.Time) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.uses[what]; ok {
		return u.first, nil
	}
	if m.uses == nil {
		m.uses = map[principal.Pseudonym]use{}
	}
	if len(m.uses) >= maxOpen {
		for other, u := range m.uses {
			if now.After(u.keep) {
				delete(m.uses, other)
			}
		}
	}
	if len(m.uses) >= maxOpen {
		// Each was signed by who hands them out. In doubt the emergency decides.
		return now, errRoom
	}
	m.uses[what] = use{now, keep}
	return now, nil
}

// Shared remembers in a Redis, and in memory what that could not be told.
type Shared struct {
	Client redis.Scripter
	Prefix string
	// Wait is how long a request waits for it.
	Wait time.Duration

	memory Memory
}

// once keeps the first instant that it is told.
var once = redis.NewScript(`
local first = redis.call('GET', KEYS[1])
if first then return tonumber(first) end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return tonumber(ARGV[1])
`)

// First is when it was used first at any replica. The earlier of what the store and what
// this process knows counts.
func (s *Shared) First(ctx context.Context, what principal.Pseudonym, now, keep time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	known, full := s.memory.First(ctx, what, now, keep)
	said, err := once.Run(ctx, s.Client, []string{s.Prefix + what.String()}, known.UnixMilli(), keep.UnixMilli()).Int64()
	if err != nil {
		return known, errors.Join(err, full)
	}
	if first := time.UnixMilli(said); first.Before(known) {
		return first, nil
	}
	return known, nil
}
