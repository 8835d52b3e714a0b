package session

import (
	"context"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// maxSessions is how many one process remembers, some 15 MiB.
const maxSessions = 1 << 16

// Memory keeps the sessions of one process. When it is full, new ones are refused: who
// has to give way would be somebody whose lock is forgotten, or whose idle time.
type Memory struct {
	mu       sync.Mutex
	sessions map[principal.Pseudonym]*kept
	room     int
	// looked is when all were looked through for those that may be forgotten.
	looked time.Time
}

type kept struct {
	State

	// synced is when the shared store knew of it last, Active as it knew it.
	synced, told time.Time
}

// NewMemory has room for some 65,000 sessions.
func NewMemory() *Memory { return newMemory(maxSessions) }

func newMemory(room int) *Memory {
	return &Memory{sessions: map[principal.Pseudonym]*kept{}, room: room}
}

// Touch looks at a session, and begins it where there is none.
func (m *Memory) Touch(_ context.Context, t *Touch) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, known, err := m.find(t)
	if err != nil {
		return State{}, err
	}
	k.State = t.next(k.State, known, time.Time{})
	return k.State, nil
}

// find is the session, or the room for it.
func (m *Memory) find(t *Touch) (k *kept, known bool, err error) {
	if k = m.sessions[t.Key]; k != nil {
		return k, true, nil
	}
	const rest = time.Second
	if len(m.sessions) >= m.room {
		if t.Now.Sub(m.looked) >= rest {
			m.forget(t.Now)
		}
		if len(m.sessions) >= m.room {
			return nil, false, ErrFull
		}
	}
	k = new(kept)
	m.sessions[t.Key] = k
	return k, false, nil
}

// Forget lets go of sessions that no token can belong to any more.
func (m *Memory) Forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	const rest = time.Minute
	if now.Sub(m.looked) >= rest {
		m.forget(now)
	}
}

func (m *Memory) forget(now time.Time) {
	m.looked = now
	for key, k := range m.sessions {
		if now.After(k.Keep) {
			delete(m.sessions, key)
		}
	}
}
