// Package lockout slows down guessing. Its promise: each failure makes the next try
// wait longer, too many lock the user for a while, and it is always a user that waits,
// never an address that a hospital shares.
package lockout

import (
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

const (
	// patient is how many failures cost nothing.
	patient = 2
	// maxDelay is the longest wait before a user is locked.
	maxDelay = time.Minute
	maxUsers = 1 << 16
)

// Guesses are the failures of users. The zero value knows none.
type Guesses struct {
	mu    sync.Mutex
	users map[principal.Pseudonym]*failures
	room  int
}

type failures struct {
	count int
	// session is the one that failed last: a program that tries again with the same
	// token guesses nothing.
	session principal.Pseudonym
	// until is when the next try may be, ends when all is forgotten.
	until, ends time.Time
	locked      bool
}

// Wait is how long the user has to wait, and whether that is because they are locked.
func (g *Guesses) Wait(user principal.Pseudonym, now time.Time) (left time.Duration, locked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.users[user]
	if f == nil || !now.Before(f.until) {
		return 0, false
	}
	return f.until.Sub(now), f.locked
}

// Failed takes note of a failure. It reports whether the user is locked by it. A session
// that is not zero counts once in a row.
func (g *Guesses) Failed(user, session principal.Pseudonym, l *config.Lockout, now time.Time) bool {
	limits := l.OrDefault()
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.find(user, now)
	if f == nil || session != (principal.Pseudonym{}) && session == f.session {
		return false
	}
	f.session = session
	f.count++
	f.ends = now.Add(time.Duration(limits.Duration))
	switch {
	case f.count >= limits.Failures:
		newly := !f.locked
		f.locked, f.until = true, f.ends
		return newly
	case f.count > patient:
		f.until = now.Add(min(time.Second<<min(f.count-patient-1, 10), maxDelay))
	}
	return false
}

// find is what is known of a user. Where there is no room, those give way who may try
// now; if nobody may, nothing is noted.
func (g *Guesses) find(user principal.Pseudonym, now time.Time) *failures {
	if g.users == nil {
		g.users = map[principal.Pseudonym]*failures{}
	}
	if f := g.users[user]; f != nil && now.Before(f.ends) {
		return f
	}
	most := g.room
	if most == 0 {
		most = maxUsers
	}
	if len(g.users) >= most {
		g.forget(func(f *failures) bool { return !now.Before(f.ends) })
	}
	if len(g.users) >= most {
		g.forget(func(f *failures) bool { return !f.locked })
	}
	if len(g.users) >= most {
		return nil
	}
	f := new(failures)
	g.users[user] = f
	return f
}

func (g *Guesses) forget(those func(*failures) bool) {
	for user, f := range g.users {
		if those(f) {
			delete(g.users, user)
		}
	}
}
