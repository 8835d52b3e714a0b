package proxytest

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest/provider"
)

// Provider is an identity provider that ends with a test, and fails it.
type Provider struct {
	testing.TB
	*provider.Provider
}

// NewProvider answers on loopback.
func NewProvider(tb testing.TB) *Provider {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return NewProviderAt(tb, l)
}

// NewProviderAt answers at a listener.
func NewProviderAt(tb testing.TB, l net.Listener) *Provider {
	tb.Helper()
	p, err := provider.Start(l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return &Provider{TB: tb, Provider: p}
}

// Dial connects to loopback, wherever the name may lead.
func (p *Provider) Dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
}

// AddRSA adds a key for RS256.
func (p *Provider) AddRSA(id string) { p.must(p.Provider.AddRSA(id)) }

// AddEC adds a key for ES256.
func (p *Provider) AddEC(id string) { p.must(p.Provider.AddEC(id)) }

func (p *Provider) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// Token is signed by the provider's key of P-256.
func (p *Provider) Token(now time.Time, change map[string]any) string {
	p.Helper()
	return Sign(p, p.Key("ec"), p.Claims(now, change), nil)
}

// Sign signs claims by a key, whether or not the provider still has it.
func Sign(tb testing.TB, key jose.JSONWebKey, claims any, headers map[string]any) string {
	tb.Helper()
	text, err := provider.Sign(key, claims, headers)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Stranger is a key that no provider has, under the name of one.
func Stranger(tb testing.TB, id string) jose.JSONWebKey {
	tb.Helper()
	return jose.JSONWebKey{Key: newKey(tb), KeyID: id, Algorithm: string(jose.ES256)}
}
