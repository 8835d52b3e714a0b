// Package provider is an identity provider for tests and the demo, as OpenID Connect
// Discovery 1.0 has one look to those who verify its tokens. Its promise: what it says over
// TLS and what it signs is real; nobody ever signs in.
package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// realm is where the provider answers.
const realm = "/realms/ehr"

// Provider is one realm.
type Provider struct {
	// URL is the issuer.
	URL string
	// Down breaks every connection; Asked counts questions for keys.
	Down  atomic.Bool
	Asked atomic.Int32

	server *httptest.Server
	mu     sync.Mutex
	keys   map[string]jose.JSONWebKey
}

// Start answers at a listener of 127.0.0.1 by that address, and at others as example.com:
// its certificate names the two, and who asks has to be told where to connect. It has an RSA
// key and one of P-256.
func Start(l net.Listener) (*Provider, error) {
	p := &Provider{keys: map[string]jose.JSONWebKey{}, URL: "https://example.com" + realm}
	if at, ok := l.Addr().(*net.TCPAddr); ok && at.IP.IsLoopback() {
		p.URL = "https://" + l.Addr().String() + realm
	}
	if err := errors.Join(p.AddRSA("rsa"), p.AddEC("ec")); err != nil {
		return nil, err
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	_ = p.server.Listener.Close() // it had one of its own
	p.server.Listener = l
	p.server.StartTLS()
	return p, nil
}

// Close ends it.
func (p *Provider) Close() { p.server.Close() }

// Roots is the provider's certificate in PEM.
func (p *Provider) Roots() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}))
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	if p.Down.Load() {
		panic(http.ErrAbortHandler)
	}
	var answer any
	switch r.URL.Path {
	case realm + "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/certs", "authorization_endpoint": p.URL, "token_endpoint": p.URL}
	case realm + "/certs":
		p.Asked.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		var set jose.JSONWebKeySet
		for _, key := range p.keys {
			set.Keys = append(set.Keys, key.Public())
		}
		answer = set
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // the caller may be gone
}

// AddRSA adds a key for RS256.
func (p *Provider) AddRSA(id string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	p.add(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	return nil
}

// AddEC adds a key for ES256.
func (p *Provider) AddEC(id string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	p.add(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"})
	return nil
}

func (p *Provider) add(key jose.JSONWebKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[key.KeyID] = key
}

// Remove takes a key out of the set. Tokens by it count for nothing from then on.
func (p *Provider) Remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, id)
}

// Key is one of the provider's keys, with its private half.
func (p *Provider) Key(id string) jose.JSONWebKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[id]
}

// Claims are those of a person who proved itself a minute ago, with changes. Nil takes a
// claim away.
func (p *Provider) Claims(now time.Time, change map[string]any) map[string]any {
	all := map[string]any{
		"iss": p.URL, "sub": "alice", "aud": "patient-api", "sid": "s1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"auth_time": now.Add(-time.Minute).Unix(), "amr": []string{"pwd", "otp"}, "azp": "portal",
	}
	maps.Copy(all, change)
	for name, value := range all {
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

// Token is signed by the provider's key of P-256.
func (p *Provider) Token(now time.Time, change map[string]any) (string, error) {
	return Sign(p.Key("ec"), p.Claims(now, change), nil)
}

// Sign signs claims by a key, whether or not a provider still has it.
func Sign(key jose.JSONWebKey, claims any, headers map[string]any) (string, error) {
	options := new(jose.SignerOptions).WithType("JWT")
	for name, value := range headers {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("writing claims: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("writing a token: %w", err)
	}
	return text, nil
}
