// Package breakglass opens what a safeguard keeps closed, in an emergency. Its promise:
// it works while the identity provider does not, it is always for a stated purpose and
// reason, it ends by itself, and none happens without a record.
package breakglass

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// Fields by which a request says that it is an emergency. They are not passed on, and
// the answer says by FieldUntil that it was one.
const (
	FieldPurpose    = "X-Phi-Purpose-Of-Use"
	FieldReason     = "X-Phi-Reason"
	FieldCredential = "X-Phi-Break-Glass"
	FieldUntil      = "X-Phi-Emergency-Access"
)

// purposes are those of HL7 v3 PurposeOfUse that open anything: emergency treatment and
// break the glass.
var purposes = []string{"ETREAT", "BTG"}

// Bounds of what people say.
const (
	minReason = 10
	maxReason = 500
	// maxLife is how long before its end a credential may have been made, and so how
	// long it has to be remembered that it was used.
	maxLife         = 400 * 24 * time.Hour
	defaultDuration = time.Hour
	maxOpen         = 4096
)

// Reasons for which an emergency opens nothing.
var (
	// ErrUnclear means that purpose or reason are missing or none.
	ErrUnclear = errors.New("an emergency needs a purpose, ETREAT or BTG, and a reason of 10 to 500 bytes")
	// ErrCredential means that the credential is none for here.
	ErrCredential = errors.New("the credential is not valid here")
	// ErrUsed means that the time of the credential is over.
	ErrUsed = errors.New("the credential has been used, and its time is over")
)

// Call is what a request says of an emergency.
type Call struct {
	Purpose, Reason string
	// Credential is one that was handed out beforehand, empty where the user has a token.
	Credential string
}

// Read is what the fields of a request say, or nil where they say nothing.
func Read(claims []http1.Field) (*Call, error) {
	var c *Call
	for _, f := range claims {
		var to func(*Call) *string
		switch {
		case http1.SameName(f.Name, FieldPurpose):
			to = func(c *Call) *string { return &c.Purpose }
		case http1.SameName(f.Name, FieldReason):
			to = func(c *Call) *string { return &c.Reason }
		case http1.SameName(f.Name, FieldCredential):
			to = func(c *Call) *string { return &c.Credential }
		default:
			continue
		}
		if c == nil {
			c = new(Call)
		}
		if *to(c) != "" {
			return nil, ErrUnclear
		}
		*to(c) = string(f.Value)
	}
	if c == nil {
		return nil, nil //nolint:nilnil // most requests are no emergency
	}
	if !slices.Contains(purposes, c.Purpose) || len(c.Reason) < minReason || len(c.Reason) > maxReason || !utf8.ValidString(c.Reason) {
		return nil, ErrUnclear
	}
	return c, nil
}

// Uses remembers when something was used first.
type Uses interface {
	// First is when it was; now, where it never was. It is remembered until keep.
	First(ctx context.Context, what principal.Pseudonym, now, keep time.Time) (time.Time, error)
}

// Glass is what can be broken.
type Glass struct {
	config  *config.BreakGlass
	keyring *principal.Keyring
	keys    []jose.JSONWebKey

	mu   sync.Mutex
	open map[principal.Pseudonym]time.Time
}

// New reads the keys of credentials.
func New(c *config.BreakGlass, keyring *principal.Keyring) (*Glass, error) {
	g := &Glass{config: c, keyring: keyring, open: map[principal.Pseudonym]time.Time{}}
	if c.Credentials == "" {
		return g, nil
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(c.Credentials), &set); err != nil {
		return nil, errors.New("users.breakGlass.credentials: is no JSON Web Key Set")
	}
	for i := range set.Keys {
		if key := set.Keys[i]; !key.Valid() || !key.IsPublic() || key.KeyID == "" {
			return nil, fmt.Errorf("users.breakGlass.credentials: key %d is no public key with an id", i)
		}
	}
	g.keys = set.Keys
	return g, nil
}

// Duration is how long an emergency lasts.
func (g *Glass) Duration() time.Duration {
	if g.config.Duration == 0 {
		return defaultDuration
	}
	return time.Duration(g.config.Duration)
}

// Opens reports whether a route opens at all.
func (g *Glass) Opens(route string) bool { return slices.Contains(g.config.Routes, route) }

// May reports whether the user may open it: by a role, and by a token that has not ended
// or ended a while ago, while nobody could give them a newer one.
func (g *Glass) May(p *principal.Principal, unreachable bool, now time.Time) bool {
	if g.config.OnlyCredentials || len(g.config.Roles) > 0 && !slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains(g.config.Roles, r) }) {
		return false
	}
	return !p.Expired(now) || unreachable && now.Before(p.Ends.Add(time.Duration(g.config.Expired)))
}

// Begin is until when the user's emergency lasts, and whether it begins now: with another
// reason it is another one.
func (g *Glass) Begin(p *principal.Principal, c *Call, now time.Time) (until time.Time, begins bool) {
	key := g.keyring.Of("emergency", p.Pseudonym[:], []byte(c.Purpose), []byte(c.Reason))
	g.mu.Lock()
	defer g.mu.Unlock()
	if until, ok := g.open[key]; ok && now.Before(until) {
		return until, false
	}
	until = now.Add(g.Duration())
	if len(g.open) >= maxOpen {
		for other, end := range g.open {
			if !now.Before(end) {
				delete(g.open, other)
			}
		}
	}
	// Where there is no room it is not remembered, and so recorded again each time.
	if len(g.open) < maxOpen {
		g.open[key] = until
	}
	return until, true
}

// Credential is one that was handed out beforehand.
type Credential struct {
	Principal *principal.Principal
	ID        principal.Pseudonym
	keep      time.Time
}

var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.ES384, jose.PS256, jose.RS256}

// Verify reads a credential: a JWT that one of the keys has signed for this audience,
// with a subject, an id and an end.
func (g *Glass) Verify(text string, now time.Time) (*Credential, error) {
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return nil, ErrCredential
	}
	for i := range g.keys {
		if g.keys[i].KeyID != token.Headers[0].KeyID {
			continue
		}
		var c jwt.Claims
		if token.Claims(g.keys[i].Key, &c) != nil {
			return nil, ErrCredential
		}
		const noLeeway = 0
		expected := jwt.Expected{AnyAudience: jwt.Audience{g.config.Audience}, Time: now}
		if c.ValidateWithLeeway(expected, noLeeway) != nil || c.Subject == "" || c.ID == "" || c.Expiry == nil || c.Expiry.Time().After(now.Add(maxLife)) {
			return nil, ErrCredential
		}
		p := &principal.Principal{Issuer: "break-glass", Subject: c.Subject, Ends: c.Expiry.Time(), MultiFactor: true}
		p.Pseudonym = g.keyring.Of("user", []byte(p.Issuer), []byte(p.Subject))
		return &Credential{Principal: p, ID: g.keyring.Of("credential", []byte(c.ID)), keep: c.Expiry.Time()}, nil
	}
	return nil, ErrCredential
}

// Use begins the time of a credential when it is used first, and ends it: nobody uses it
// again after that. Where the store cannot be asked, what this process knows decides, and
// doubt says so.
func (g *Glass) Use(ctx context.Context, c *Credential, uses Uses, now time.Time) (until time.Time, doubt error, err error) {
	first, doubt := uses.First(ctx, c.ID, now, c.keep.Add(time.Hour))
	until = first.Add(g.Duration())
	if !now.Before(until) {
		return until, doubt, ErrUsed
	}
	return until, doubt, nil
}
