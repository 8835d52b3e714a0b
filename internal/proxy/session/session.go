// Package session ends the sessions of users. Its promise: a session that reached its
// limit is locked until the user has proved anew who they are, and it is never forgotten
// in favour of another one. Nothing but a user's own requests keeps it.
package session

import (
	"context"
	"errors"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// Touch is a look at a session, at the time of a request or without one.
type Touch struct {
	Key principal.Pseudonym
	Now time.Time
	// Present says that the user is there, by a request of their own at Now.
	Present bool
	// Authenticated is when the user proved who they are; zero where that is not known.
	Authenticated time.Time
	// Ends is the end of the token.
	Ends   time.Time
	Limits config.SessionLimits
}

// Change is what a look at a session changed.
type Change uint8

// Changes.
const (
	None Change = iota
	// Began says that the session was not known.
	Began
	// Ended says that it reached its limit and is locked now.
	Ended
)

// State is what is known of a session.
type State struct {
	Started, Active time.Time
	// Locked is when it reached its limit; zero where it did not.
	Locked time.Time
	// Keep is until when it is remembered.
	Keep   time.Time
	Change Change
}

// Reasons for which a session is not served.
var (
	// ErrFull means that there is no room for another session.
	ErrFull = errors.New("there are too many sessions")
	// ErrUnavailable means that the store cannot be reached.
	ErrUnavailable = errors.New("the store of sessions cannot be reached")
)

// Store keeps sessions.
type Store interface {
	// Touch looks at a session, and begins it where there is none.
	Touch(ctx context.Context, t *Touch) (State, error)
}

// second is what claims are exact to.
const second = time.Second

// next is what becomes of a session. The script of the shared store does the same.
func (t *Touch) next(s State, known bool, seen time.Time) State {
	s.Change = None
	proved := t.Authenticated
	if proved.After(t.Now) {
		proved = t.Now
	}
	switch {
	case !known:
		s = State{Started: t.Now, Active: t.Now, Change: Began}
		if !proved.IsZero() {
			s.Started = proved
		}
	case proved.After(s.Started) && (s.Locked.IsZero() || proved.Add(second).After(s.Locked)):
		// The user came back, or proved more.
		s.Started, s.Locked = proved, time.Time{}
		s.Active = later(s.Active, proved)
	}
	if s.Locked.IsZero() {
		s.Active = later(s.Active, seen)
		if end := s.ends(t.Limits); !t.Now.Before(end) {
			s.Locked, s.Change = end, Ended
		} else if t.Present {
			s.Active = later(s.Active, t.Now)
		}
	}
	s.Keep = later(later(s.Keep, t.Ends), s.Started.Add(time.Duration(t.Limits.Absolute)))
	s.Keep = later(s.Keep, t.Now.Add(time.Duration(t.Limits.Idle)))
	return s
}

// ends is when the session reaches its limit, unless the user is there before.
func (s *State) ends(l config.SessionLimits) time.Time {
	idle, absolute := s.Active.Add(time.Duration(l.Idle)), s.Started.Add(time.Duration(l.Absolute))
	if absolute.Before(idle) {
		return absolute
	}
	return idle
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
