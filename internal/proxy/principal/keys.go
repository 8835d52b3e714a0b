package principal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// patience is how long a provider may take to answer.
	patience = 5 * time.Second
	// freshFor is for how long keys are not asked for anew.
	freshFor = 10 * time.Minute
	// pause is between two questions, whatever tokens ask for.
	pause         = 10 * time.Second
	defaultOutage = 24 * time.Hour
	maxAnswer     = 1 << 20
	maxKeys       = 64
)

// Dial connects to a provider.
type Dial func(ctx context.Context, host string, port uint16) (net.Conn, error)

// keys are those of one issuer: asked for when they are needed and when they are old,
// and kept for a while when nobody answers.
type keys struct {
	issuer     *config.Issuer
	algorithms []jose.SignatureAlgorithm
	client     *http.Client
	now        func() time.Time
	flight     singleflight.Group

	held atomic.Pointer[heldKeys]
	mu   sync.Mutex
	// tried is when the provider was asked last, failed what it said then.
	tried  time.Time
	failed error
}

type heldKeys struct {
	keys []jose.JSONWebKey
	at   time.Time
	// epoch changes when a key goes.
	epoch int
}

func newKeys(issuer *config.Issuer, dial Dial, now func() time.Time) *keys {
	names := issuer.Algorithms
	if len(names) == 0 {
		names = []string{"RS256", "PS256", "ES256"}
	}
	k := &keys{issuer: issuer, now: now}
	for _, name := range names {
		k.algorithms = append(k.algorithms, jose.SignatureAlgorithm(name))
	}
	var roots *x509.CertPool // those of the system
	if issuer.Roots != "" {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(issuer.Roots)) // validated before
	}
	k.client = &http.Client{
		Timeout: patience,
		Transport: bounded{&http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				if issuer.Upstream != "" {
					address = issuer.Upstream
				}
				host, port, ok := config.SplitUpstream(address)
				if !ok {
					return nil, errors.New("the provider's URL has no host")
				}
				return dial(ctx, host, port)
			},
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    patience,
			MaxResponseHeaderBytes: maxAnswer >> 4,
			IdleConnTimeout:        pause,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the provider sends elsewhere") },
	}
	return k
}

// bounded asks by https alone, and reads no more than it should.
type bounded struct{ http.RoundTripper }

// RoundTrip asks.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("the provider's URL has no https")
	}
	res, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxAnswer), res.Body}
	return res, nil
}

// current are the keys that count now, or nil.
func (k *keys) current() *heldKeys {
	held := k.held.Load()
	outage := time.Duration(k.issuer.Outage)
	if outage == 0 {
		outage = defaultOutage
	}
	if held == nil || k.now().Sub(held.at) > outage {
		return nil
	}
	return held
}

// unreachable reports whether the provider did not answer when it was asked last.
func (k *keys) unreachable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed != nil
}

// stale reports whether it is time to ask anew.
func (k *keys) stale() bool {
	held := k.held.Load()
	return held == nil || k.now().Sub(held.at) >= freshFor || k.unreachable()
}

// ask asks the provider, once at a time and not too often.
func (k *keys) ask(ctx context.Context) error {
	_, err, _ := k.flight.Do("", func() (any, error) {
		k.mu.Lock()
		now, err := k.now(), k.failed
		early := !k.tried.IsZero() && now.Sub(k.tried) < pause
		if !early {
			k.tried = now
		}
		k.mu.Unlock()
		if early {
			return nil, err
		}
		got, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.failed = err; err == nil {
			k.hold(got, now)
		}
		return nil, err
	})
	return err
}

// hold puts keys in the place of those before.
func (k *keys) hold(got []jose.JSONWebKey, now time.Time) {
	next := &heldKeys{keys: got, at: now}
	if before := k.held.Load(); before != nil {
		next.epoch = before.epoch
		for i := range before.keys {
			if !slices.ContainsFunc(got, func(g jose.JSONWebKey) bool { return equalKeys(&g, &before.keys[i]) }) {
				next.epoch++
				break
			}
		}
	}
	k.held.Store(next)
}

// equalKeys reports whether two keys stand in a set alike.
func equalKeys(a, b *jose.JSONWebKey) bool {
	x, errA := a.MarshalJSON()
	y, errB := b.MarshalJSON()
	return errA == nil && errB == nil && string(x) == string(y)
}

func (k *keys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), k.client), patience)
	defer cancel()
	from := k.issuer.Keys
	if from == "" {
		provider, err := oidc.NewProvider(ctx, k.issuer.URL)
		if err != nil {
			return nil, ErrUnavailable // what it says may quote the provider
		}
		var metadata struct {
			Keys string `json:"jwks_uri"`
		}
		if err := provider.Claims(&metadata); err != nil || !strings.HasPrefix(metadata.Keys, "https://") {
			return nil, fmt.Errorf("%w: its metadata says not where", ErrUnavailable)
		}
		from = metadata.Keys
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, ErrUnavailable
	}
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, ErrUnavailable
	}
	defer answer.Body.Close()
	var set jose.JSONWebKeySet
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&set) != nil {
		return nil, fmt.Errorf("%w: its answer is none", ErrUnavailable)
	}
	return signing(set.Keys)
}

// signing are the public keys by which something may be signed.
func signing(all []jose.JSONWebKey) ([]jose.JSONWebKey, error) {
	var use []jose.JSONWebKey
	for i := range all {
		if key := all[i]; key.Use != "enc" && key.Valid() && key.IsPublic() {
			use = append(use, key)
		}
	}
	if len(use) == 0 || len(use) > maxKeys {
		return nil, fmt.Errorf("%w: it has no keys, or too many", ErrUnavailable)
	}
	return use, nil
}

// VerifySignature is the payload of a token that one of the keys has signed. A key that
// is not known yet is asked for.
func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, k.algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, ErrInvalid
	}
	if !ofKind(signed) {
		return nil, ErrInvalid
	}
	held := k.current()
	if held != nil && !held.knows(signed.Signatures[0].Header.KeyID) && k.ask(ctx) == nil {
		held = k.current()
	}
	if held == nil {
		return nil, ErrUnavailable
	}
	return held.verify(signed)
}

// ofKind reports whether the token is one by which users prove who they are, and none
// that a provider signs for another purpose, such as to end a session.
func ofKind(signed *jose.JSONWebSignature) bool {
	kind, present := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType]
	if !present {
		return true
	}
	text, _ := kind.(string)
	switch strings.ToLower(text) {
	case "jwt", "at+jwt", "application/at+jwt":
		return true
	}
	return false
}

func (h *heldKeys) knows(id string) bool {
	return id == "" || slices.ContainsFunc(h.keys, func(key jose.JSONWebKey) bool { return key.KeyID == id })
}

func (h *heldKeys) verify(signed *jose.JSONWebSignature) ([]byte, error) {
	header := signed.Signatures[0].Header
	for i := range h.keys {
		key := &h.keys[i]
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, ErrInvalid
}
