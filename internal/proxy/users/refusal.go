package users

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Refusal is what a caller is told instead of an answer of the application.
type Refusal struct {
	Status int
	// Reason is one word of a closed set, for metrics.
	Reason string
	// Text is a sentence that quotes nobody.
	Text string
	// Safeguard is the one that refuses; empty where none does.
	Safeguard config.Refusal
	// Fields are those of the answer beside what every refusal has.
	Fields []Field
}

// Field is one of an answer.
type Field struct{ Name, Value string }

// Reasons for which users are refused.
const (
	reasonPath      = "path"
	reasonAnonymous = "no-user"
	reasonToken     = "user-token"
	reasonEnded     = "user-token-ended"
	reasonProvider  = "provider"
	reasonMachine   = "machine"
	reasonPerson    = "person"
	reasonFactors   = "multi-factor"
	reasonAge       = "authentication-age"
	reasonLocked    = "session-locked"
	reasonFull      = "sessions-full"
	reasonStore     = "session-store"
	reasonLockedOut = "user-locked"
	reasonDelayed   = "user-delayed"
	reasonEmergency = "emergency"
)

var refusePath = &Refusal{Status: http.StatusBadRequest, Reason: reasonPath, Text: "the path is written in a way that can be read as two paths"}

// refuseUnready is heard while what the configuration needs to ask for users is missing.
var refuseUnready = &Refusal{Status: http.StatusServiceUnavailable, Reason: reasonStore, Text: "the proxy cannot ask for users yet; its readiness says why"}

const challenge = "WWW-Authenticate"

// unknown asks for a user. The scheme is that of tokens; people's gateways send them to
// where they sign in.
func (s *state) unknown(reason, text, detail string) *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Reason: reason, Text: text, Safeguard: s.users.Refusals.Identity,
		Fields: []Field{{challenge, `Bearer realm="phi"` + detail}},
	}
}

func (s *state) anonymous() *Refusal {
	return s.unknown(reasonAnonymous, "nobody is named who makes this request; sign in", "")
}

func (s *state) badToken() *Refusal {
	return s.unknown(reasonToken, "the token is not valid here; sign in", `, error="invalid_token"`)
}

func (s *state) endedToken() *Refusal {
	return s.unknown(reasonEnded, "the token has ended; get another one", `, error="invalid_token", error_description="the token has ended"`)
}

func (s *state) noProvider() *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Reason: reasonProvider, Safeguard: s.users.Refusals.Identity,
		Text:   "the identity provider cannot be reached, so nobody can tell who makes this request; in an emergency break the glass",
		Fields: []Field{{"Retry-After", "10"}},
	}
}

func (s *state) wrongKind(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Reason: reason, Text: text, Safeguard: s.users.Refusals.Identity}
}

// stepUp asks for another authentication (RFC 9470).
func (s *state) stepUp(r *route, reason, text string) *Refusal {
	detail := `, error="insufficient_user_authentication", error_description="` + text + `"`
	if r.MultiFactor && len(s.users.Factors.Classes) > 0 {
		detail += `, acr_values="` + strings.Join(s.users.Factors.Classes, " ") + `"`
	}
	if r.MaxAge > 0 {
		detail += `, max_age=` + strconv.FormatInt(int64(time.Duration(r.MaxAge)/time.Second), 10)
	}
	f := s.unknown(reason, text, detail)
	f.Safeguard = s.users.Refusals.MultiFactor
	return f
}

func (s *state) locked() *Refusal {
	f := s.unknown(reasonLocked, "the session is locked because it reached its limit; sign in to go on with it",
		`, error="insufficient_user_authentication", error_description="the session is locked", max_age=0`)
	f.Safeguard = s.users.Refusals.Session
	if s.users.Cookie != "" {
		f.Fields = append(f.Fields, Field{"Set-Cookie", s.users.Cookie + "=; Path=/; Max-Age=0; Secure; HttpOnly"})
	}
	return f
}

func (s *state) unavailable(reason, text string) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Reason: reason, Text: text, Safeguard: s.users.Refusals.Session,
		Fields: []Field{{"Retry-After", "1"}},
	}
}

func (s *state) wait(left time.Duration, locked bool) *Refusal {
	f := &Refusal{
		Status: http.StatusTooManyRequests, Reason: reasonDelayed, Safeguard: s.users.Refusals.Lockout,
		Text:   "there were failures before; wait a moment and try again",
		Fields: []Field{{"Retry-After", strconv.FormatInt(int64((left+time.Second-1)/time.Second), 10)}},
	}
	if locked {
		f.Reason, f.Text = reasonLockedOut, "this user is locked for a while after too many failures"
	}
	return f
}

func (s *state) noEmergency(text string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Reason: reasonEmergency, Text: "no emergency opens this: " + text, Safeguard: s.users.Refusals.Identity}
}
