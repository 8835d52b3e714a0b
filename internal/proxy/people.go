package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/resolver"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// people are the users of the application, and how the proxy reaches those who know
// them: identity providers, and the store of sessions.
type people struct {
	gate      *users.Gate
	upstreams *resolver.Upstreams
	// asks says that the configuration names whom to ask for names; if not, the pod's
	// resolver is one of the cluster's.
	asks atomic.Bool
}

func newPeople(o Options, m *users.Metrics) *people {
	p := &people{upstreams: &resolver.Upstreams{Now: o.Now}}
	out := dial.Out(p.lookup, nil)
	p.gate = &users.Gate{Metrics: m, Now: o.Now, Output: o.Records, Dial: func(ctx context.Context, host string, port uint16) (net.Conn, error) {
		conn, err := out(ctx, host, port)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}}
	return p
}

func (p *people) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if p.asks.Load() {
		return p.upstreams.Lookup(ctx, name)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// apply has to come before the ports: nobody passes by a configuration that asks for
// users before somebody asks.
func (p *people) apply(c *config.Configuration) error {
	if c.Resolver != nil {
		p.upstreams.Use(c.Resolver.Upstreams)
	}
	p.asks.Store(c.Resolver != nil)
	return p.gate.Apply(c)
}
