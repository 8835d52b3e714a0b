// Package inbound is the side of a proxy that peers call. Its promise: nobody reaches
// the application but a peer that the configuration of this moment admits, by mutual
// TLS, with messages that have one reading; and nobody can hold more than a bounded
// share of this process.
package inbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// Server serves the ports of a configuration. Verifier, Metrics and Now are needed.
type Server struct {
	Verifier *identity.Verifier
	Metrics  *Metrics
	Now      func() time.Time
	// Host is the address to listen on; all where it is empty.
	Host string
	// Pod is the pod's address, for applications that do not listen on loopback.
	Pod netip.Addr
	// Captured says that rules of the pod bring who calls to a listener of somebody else,
	// who hands connections to Take. Nothing listens here then.
	Captured bool
	// Users asks who makes a request; nil asks nobody. It has to have the configuration
	// before Apply has it.
	Users *users.Gate

	// exchanges are the requests of HTTP that are under way on all ports, and calls those
	// of gRPC: each peer has its share of them.
	exchanges, calls door.Budget

	mu      sync.Mutex
	ports   map[int]*port
	drained bool
}

const (
	// maxExchanges is how many requests are under way at once. Each holds heads, at most
	// four times as long as the longest that is taken, and pieces of bodies.
	maxExchanges = 2048
	// maxCalls is how many calls of gRPC are open at once.
	maxCalls = 8192
)

// ErrDrained means that the server was told to end.
var ErrDrained = errors.New("the proxy is ending")

// Apply serves this configuration from now on. What it takes away goes first and always:
// ports, and the connections of peers that may no longer call. Then ports are opened, one
// by one; those that cannot be are told of, the others are served, and the next Apply
// tries again.
func (s *Server) Apply(ctx context.Context, c *config.Configuration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return ErrDrained
	}
	if s.ports == nil {
		s.ports = map[int]*port{}
		s.exchanges.Bound(maxExchanges)
		s.calls.Bound(maxCalls)
	}
	wanted := map[int]*config.Inbound{}
	for i := range c.Inbound {
		wanted[c.Inbound[i].Listen] = &c.Inbound[i]
	}
	for number, p := range s.ports {
		if in := wanted[number]; in != nil {
			p.apply(s.rules(c, in, p.rules.Load()))
			continue
		}
		p.close()
		delete(s.ports, number)
	}
	var failures []error
	for i := range c.Inbound {
		in := &c.Inbound[i]
		if s.ports[in.Listen] != nil {
			continue
		}
		if s.Captured {
			s.ports[in.Listen] = newPort(s, nil, s.rules(c, in, nil))
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(in.Listen)))
		if err != nil {
			failures = append(failures, fmt.Errorf("opening port %d: %w", in.Listen, err))
			continue
		}
		s.ports[in.Listen] = newPort(s, l, s.rules(c, in, nil))
	}
	return errors.Join(failures...)
}

// Drain accepts nobody any more, lets what is under way finish, and cuts it when the
// context ends.
func (s *Server) Drain(ctx context.Context) {
	all := s.all(true)
	for _, p := range all {
		p.door.Drain()
	}
	for _, p := range all {
		p.door.Wait(ctx)
		p.close()
	}
}

// Sweep cuts who has been here for too long. It is to be called every few seconds.
func (s *Server) Sweep() {
	for _, p := range s.all(false) {
		p.door.Sweep()
	}
}

// all are the ports there are, for the last time where the server drains.
func (s *Server) all(drain bool) []*port {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = s.drained || drain
	return slices.Collect(maps.Values(s.ports))
}

// rules are what one port goes by. They never change; a new configuration makes new ones.
type rules struct {
	in      config.Inbound
	limits  config.Limits
	refusal config.Refusal
	domain  string
	grace   time.Duration
	tls     *tls.Config
	// oneWay is for callers from the ranges; nil where there are none.
	oneWay  *tls.Config
	ranges  []netip.Prefix
	app     *application
	streams *streams
	// users asks for users; nil where the configuration does not.
	users *users.Gate
	// exchanges are reused with their buffers.
	exchanges *sync.Pool
}

func (s *Server) rules(c *config.Configuration, in *config.Inbound, before *rules) *rules {
	policy := identity.PolicyOf(c)
	r := &rules{in: *in, limits: in.Limits.OrDefault(), refusal: c.Refusal, domain: policy.TrustDomain, grace: policy.Grace}
	switch in.Protocol {
	case config.HTTP:
		policy.Protocols = []string{"h2", "http/1.1"}
	case config.GRPC:
		policy.Protocols = []string{"h2"}
	case config.TCP:
		// There is no answer to give after the handshake, so it says no.
		policy.Admit = r.in.Admits
	}
	r.tls = s.Verifier.Server(policy)
	r.tls.DynamicRecordSizingDisabled = true // answers leave whole; what is saved is CPU
	if r.ranges = prefixes(in.OneWay); len(r.ranges) > 0 {
		r.oneWay = s.Verifier.OneWay(policy)
		r.oneWay.DynamicRecordSizingDisabled = true
	}
	if before != nil && before.in.Forward == in.Forward {
		r.app = before.app
	} else {
		r.app = &application{port: in.Forward, pod: s.Pod, now: s.Now}
	}
	if c.Users != nil && in.Protocol != config.TCP {
		r.users = s.Users
	}
	size := r.limits.HeadBytes
	r.exchanges = &sync.Pool{New: func() any { return newExchange(size) }}
	if in.Protocol != config.TCP {
		r.streams = newStreams(r)
	}
	return r
}

// sameService reports whether connections may stay: only who may call has changed. What
// was begun without a user does not go on where one is asked for.
func (r *rules) sameService(other *rules) bool {
	return r.users == other.users && r.in.Name == other.in.Name && r.in.Protocol == other.in.Protocol && r.in.Forward == other.in.Forward && r.domain == other.domain
}

// sameRules reports whether a connection would be served alike.
func (r *rules) sameRules(other *rules) bool {
	return r.sameService(other) && r.limits == other.limits && r.refusal == other.refusal &&
		r.grace == other.grace && r.tls.MinVersion == other.tls.MinVersion && slices.Equal(r.in.From, other.in.From) &&
		slices.Equal(r.ranges, other.ranges) && r.in.Plaintext == other.in.Plaintext
}
