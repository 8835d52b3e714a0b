package proxytest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Provider is an identity provider on loopback, by https, with keys that rotate.
type Provider struct {
	testing.TB

	URL string
	// Down breaks every connection; Asked counts questions for keys.
	Down  atomic.Bool
	Asked atomic.Int32

	server *httptest.Server
	mu     sync.Mutex
	keys   map[string]jose.JSONWebKey
}

// NewProvider has an RSA key and one of P-256.
func NewProvider(tb testing.TB) *Provider {
	tb.Helper()
	p := &Provider{TB: tb, keys: map[string]jose.JSONWebKey{}}
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	p.URL = p.server.URL + "/realms/ehr"
	return p.ready()
}

// NewProviderAt answers at a listener. Its certificate names example.com, and so does its
// URL: who asks has to be told where to connect.
func NewProviderAt(tb testing.TB, l net.Listener) *Provider {
	tb.Helper()
	p := &Provider{TB: tb, keys: map[string]jose.JSONWebKey{}, URL: "https://example.com/realms/ehr"}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	_ = p.server.Listener.Close() // of loopback
	p.server.Listener = l
	p.server.StartTLS()
	return p.ready()
}

func (p *Provider) ready() *Provider {
	p.Cleanup(p.server.Close)
	p.AddRSA("rsa")
	p.AddEC("ec")
	return p
}

// Roots is the provider's certificate in PEM.
func (p *Provider) Roots() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}))
}

// Dial connects to loopback, wherever the name may lead.
func (p *Provider) Dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	if p.Down.Load() {
		panic(http.ErrAbortHandler)
	}
	var answer any
	switch r.URL.Path {
	case "/realms/ehr/.well-known/openid-configuration":
		answer = map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/certs", "authorization_endpoint": p.URL, "token_endpoint": p.URL}
	case "/realms/ehr/certs":
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
func (p *Provider) AddRSA(id string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.Fatalf("making a key: %v", err)
	}
	p.add(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
}

// AddEC adds a key for ES256.
func (p *Provider) AddEC(id string) {
	p.add(jose.JSONWebKey{Key: newKey(p), KeyID: id, Algorithm: string(jose.ES256), Use: "sig"})
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

// Sign signs claims by a key, whether or not the provider still has it.
func Sign(tb testing.TB, key jose.JSONWebKey, claims any, headers map[string]any) string {
	tb.Helper()
	options := new(jose.SignerOptions).WithType("JWT")
	for name, value := range headers {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		tb.Fatalf("signing: %v", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatalf("writing claims: %v", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		tb.Fatalf("signing: %v", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatalf("writing a token: %v", err)
	}
	return text
}

// Token is signed by the provider's key of P-256.
func (p *Provider) Token(now time.Time, change map[string]any) string {
	p.Helper()
	return Sign(p, p.Key("ec"), p.Claims(now, change), nil)
}

// Stranger is a key that no provider has, under the name of one.
func Stranger(tb testing.TB, id string) jose.JSONWebKey {
	tb.Helper()
	return jose.JSONWebKey{Key: newKey(tb), KeyID: id, Algorithm: string(jose.ES256)}
}
