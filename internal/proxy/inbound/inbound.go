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
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
)

// Server serves the ports of a configuration. All fields but Host and Pod are needed.
type Server struct {
	Verifier *identity.Verifier
	Metrics  *Metrics
	Now      func() time.Time
	// Host is the address to listen on; all where it is empty.
	Host string
	// Pod is the pod's address, for applications that do not listen on loopback.
	Pod netip.Addr

	mu      sync.Mutex
	ports   map[int]*port
	drained bool
}

// ErrDrained means that the server was told to end.
var ErrDrained = errors.New("the proxy is ending")

// Apply serves this configuration from now on. Ports that stay keep their connections,
// except those of peers that may no longer call; if a new port cannot be opened,
// nothing changes.
func (s *Server) Apply(ctx context.Context, c *config.Configuration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return ErrDrained
	}
	opened := map[int]net.Listener{}
	for i := range c.Inbound {
		number := c.Inbound[i].Listen
		if s.ports[number] != nil {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(number)))
		if err != nil {
			for _, l := range opened {
				_ = l.Close()
			}
			return fmt.Errorf("opening port %d: %w", number, err)
		}
		opened[number] = l
	}
	next := make(map[int]*port, len(c.Inbound))
	for i := range c.Inbound {
		in := &c.Inbound[i]
		p := s.ports[in.Listen]
		if p == nil {
			p = newPort(s, opened[in.Listen])
		}
		p.apply(s.rules(c, in, p.rules.Load()))
		if l := opened[in.Listen]; l != nil {
			go p.accept()
		}
		next[in.Listen] = p
	}
	for number, p := range s.ports {
		if next[number] == nil {
			p.close()
		}
	}
	s.ports = next
	return nil
}

// Drain accepts nobody any more, lets what is under way finish, and cuts it when the
// context ends.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.drained = true
	var all []*port
	for _, p := range s.ports {
		all = append(all, p)
	}
	s.mu.Unlock()
	for _, p := range all {
		p.drain()
	}
	for _, p := range all {
		select {
		case <-p.empty():
		case <-ctx.Done():
		}
		p.close()
	}
}

// rules are what one port goes by. They never change; a new configuration makes new ones.
type rules struct {
	in      config.Inbound
	limits  config.Limits
	refusal config.Refusal
	domain  string
	grace   time.Duration
	tls     *tls.Config
	app     *application
	streams *streams
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
	if before != nil && before.in.Forward == in.Forward {
		r.app = before.app
	} else {
		r.app = &application{port: in.Forward, pod: s.Pod, now: s.Now}
	}
	size := r.limits.HeadBytes
	r.exchanges = &sync.Pool{New: func() any { return newExchange(size) }}
	if in.Protocol != config.TCP {
		r.streams = newStreams(r)
	}
	return r
}

// sameService reports whether connections may stay: only who may call has changed.
func (r *rules) sameService(other *rules) bool {
	return r.in.Protocol == other.in.Protocol && r.in.Forward == other.in.Forward && r.domain == other.domain
}

// sameRules reports whether a connection would be served alike.
func (r *rules) sameRules(other *rules) bool {
	return r.sameService(other) && r.limits == other.limits && r.refusal == other.refusal &&
		r.grace == other.grace && r.tls.MinVersion == other.tls.MinVersion && slices.Equal(r.in.From, other.in.From)
}
