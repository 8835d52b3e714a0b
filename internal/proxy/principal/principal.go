// Package principal says who the user of a request is. Its promise: nobody is a user but
// by a token that a configured issuer signed for this application, or by the word of a
// configured gateway; and users appear elsewhere by pseudonyms only.
package principal

import (
	"errors"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Basis says what tells a session of a user apart from the user's others.
type Basis string

// Bases of sessions, the best first.
const (
	// BySession is the claim sid.
	BySession Basis = "sid"
	// ByCookie is the cookie that the configuration names.
	ByCookie Basis = "cookie"
	// ByLogin is when the user proved who they are.
	ByLogin Basis = "login"
	// ByToken is the token itself: a new token is a new session.
	ByToken Basis = "token"
)

// Principal is a user, or a machine. It never changes.
type Principal struct {
	// Machine says that it is no person.
	Machine bool
	// Issuer is the issuer's URL or the gateway's or peer's identity, Subject who it says it is.
	Issuer, Subject string
	Roles           []string
	// MultiFactor says that it proved itself by more than one factor.
	MultiFactor bool
	// Authenticated is when it proved itself; zero where that is not known.
	Authenticated time.Time
	// Ends is when the token ends; zero where there is none.
	Ends time.Time
	// Limits are those of its sessions.
	Limits config.SessionLimits
	// Pseudonym stands for the user, Session for the session; it is zero where a cookie
	// may tell more.
	Pseudonym, Session Pseudonym
	Basis              Basis
}

// Reasons for which a token counts for nothing.
var (
	// ErrInvalid means that it is no token of a configured issuer for this application.
	ErrInvalid = errors.New("the token is not valid here")
	// ErrUnavailable means that the issuer's keys cannot be had, so that nobody can tell.
	ErrUnavailable = errors.New("the keys of the identity provider cannot be had")
)

// Expired reports whether the token has ended.
func (p *Principal) Expired(now time.Time) bool {
	return !p.Ends.IsZero() && !now.Before(p.Ends)
}
