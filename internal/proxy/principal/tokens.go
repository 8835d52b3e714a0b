package principal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// maxToken is how long a token may be: what fits into a head.
	maxToken = 32 << 10
	// maxVerified is how many tokens are remembered.
	maxVerified = 16 << 10
	// skew is by how much clocks may differ where a token is not in force yet.
	skew = time.Minute
)

// Tokens verifies tokens of the configured issuers, and remembers those that it has
// verified until they end.
type Tokens struct {
	users   *config.Users
	keyring *Keyring
	now     func() time.Time
	issuers map[string]*issuer

	mu       sync.RWMutex
	verified map[[sha256.Size]byte]verified
}

type issuer struct {
	*config.Issuer

	keys   *keys
	verify *oidc.IDTokenVerifier
}

// verified is a token that was found good, by keys of that epoch.
type verified struct {
	principal *Principal
	keys      *keys
	epoch     int
}

// NewTokens knows the issuers of a configuration.
func NewTokens(users *config.Users, keyring *Keyring, dial Dial, now func() time.Time) *Tokens {
	t := &Tokens{users: users, keyring: keyring, now: now, issuers: map[string]*issuer{}, verified: map[[sha256.Size]byte]verified{}}
	for i := range users.Issuers {
		c := &users.Issuers[i]
		k := newKeys(c, dial, now)
		algorithms := make([]string, len(k.algorithms))
		for n, a := range k.algorithms {
			algorithms[n] = string(a)
		}
		t.issuers[c.URL] = &issuer{Issuer: c, keys: k, verify: oidc.NewVerifier(c.URL, k, &oidc.Config{
			// One of several audiences is looked for below, and so is the end: in an
			// emergency a token may count a while longer.
			SkipClientIDCheck: true, SkipExpiryCheck: true,
			SupportedSigningAlgs: algorithms, Now: now,
		})}
	}
	return t
}

// Knowing takes over the keys that others have of the same issuers: a change of the
// configuration must not need an answer of a provider that gives none.
func (t *Tokens) Knowing(before *Tokens) *Tokens {
	if before == nil {
		return t
	}
	for url, i := range t.issuers {
		if was := before.issuers[url]; was != nil && was.Keys == i.Keys && was.Upstream == i.Upstream && was.Roots == i.Roots {
			i.keys.held.Store(was.keys.held.Load())
		}
	}
	return t
}

// Refresh asks the issuers for their keys where it is time to.
func (t *Tokens) Refresh(ctx context.Context) {
	for _, i := range t.issuers {
		if i.keys.stale() {
			_ = i.keys.ask(ctx) // it is kept, and said when a token needs the keys
		}
	}
}

// Unreachable reports whether the issuer of a principal did not answer last time.
func (t *Tokens) Unreachable(p *Principal) bool {
	i := t.issuers[p.Issuer]
	return i != nil && i.keys.unreachable()
}

// Verify says whose token this is. Whether it has ended the caller has to ask.
func (t *Tokens) Verify(ctx context.Context, token []byte) (*Principal, error) {
	if len(token) == 0 || len(token) > maxToken {
		return nil, ErrInvalid
	}
	sum := sha256.Sum256(token)
	t.mu.RLock()
	known, ok := t.verified[sum]
	t.mu.RUnlock()
	if ok {
		if held := known.keys.held.Load(); held != nil && held.epoch == known.epoch {
			return known.principal, nil
		}
	}
	return t.read(ctx, sum, string(token))
}

func (t *Tokens) read(ctx context.Context, sum [sha256.Size]byte, token string) (*Principal, error) {
	i := t.issuers[issuerOf(token)]
	if i == nil {
		return nil, ErrInvalid
	}
	if i.keys.current() == nil && (i.keys.ask(ctx) != nil || i.keys.current() == nil) {
		return nil, ErrUnavailable
	}
	payload := map[string]any{}
	var c claims
	read, err := i.verify.Verify(ctx, token)
	if err != nil {
		return nil, ErrInvalid
	}
	if read.Claims(&c) != nil || read.Claims(&payload) != nil || c.Subject == "" || !overlap(i.Audiences, read.Audience) {
		return nil, ErrInvalid
	}
	if instant(c.NotBefore).After(t.now().Add(skew)) || read.Expiry.Unix() <= 0 {
		return nil, ErrInvalid
	}
	p := t.principal(i, &c, payload, sum)
	p.Ends = read.Expiry
	if held := i.keys.held.Load(); held != nil {
		t.remember(sum, verified{p, i.keys, held.epoch})
	}
	return p, nil
}

func (t *Tokens) principal(i *issuer, c *claims, payload map[string]any, sum [sha256.Size]byte) *Principal {
	p := &Principal{
		Machine: c.machine(i.Issuer), Issuer: i.URL, Subject: c.Subject, Roles: rolesAt(payload, i.RolesClaim),
		MultiFactor: multiFactor(&t.users.Factors, c.Methods, c.Class), Authenticated: instant(c.AuthTime),
	}
	p.Limits = t.users.OfRoles(p.Roles)
	who, name := []byte(i.URL), []byte(c.Subject)
	p.Pseudonym = t.keyring.Of("user", who, name)
	switch {
	case c.Session != "":
		p.Basis, p.Session = BySession, t.keyring.Of("sid", who, []byte(c.Session))
	case !p.Authenticated.IsZero():
		p.Basis, p.Session = ByLogin, t.keyring.Of("login", who, name, strconv.AppendInt(nil, p.Authenticated.Unix(), 10))
	default:
		p.Basis, p.Session = ByToken, t.keyring.Of("token", sum[:])
	}
	return p
}

// remember makes room where there is none: for those that have ended first, and then for
// any. Who is forgotten is verified anew.
func (t *Tokens) remember(sum [sha256.Size]byte, v verified) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.verified) >= maxVerified {
		for old, v := range t.verified {
			if v.principal.Expired(now) {
				delete(t.verified, old)
			}
		}
	}
	for old := range t.verified {
		if len(t.verified) < maxVerified {
			break
		}
		delete(t.verified, old)
	}
	t.verified[sum] = v
}

// issuerOf is whose token it says to be. Nothing is believed yet.
func issuerOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var says struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &says) != nil {
		return ""
	}
	return says.Issuer
}
