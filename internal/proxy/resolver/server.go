package resolver

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// maxUDP is the largest message that crosses every path in one packet.
	maxUDP = 1232
	// maxTCP is how many questions one connection may ask, and idleTCP how long it may
	// wait for the next.
	maxTCP  = 128
	idleTCP = 10 * time.Second
	// maxForwards bounds how many questions wait for upstreams at once.
	maxForwards = 256
)

// Server answers on one address, over UDP and TCP. Until Apply has been called nothing
// exists.
type Server struct {
	// Upstreams answer what is forwarded.
	Upstreams *Upstreams
	// Observe is told what became of each question. Optional.
	Observe func(Outcome)

	table    atomic.Pointer[table]
	forwards atomic.Int64
}

// Apply answers by a configuration from now on.
func (s *Server) Apply(c *config.Configuration) {
	t := tableOf(c)
	if c.Resolver != nil {
		s.Upstreams.Use(c.Resolver.Upstreams)
	}
	s.table.Store(&t)
}

// Serve answers until the context ends, on a packet connection and a listener that it
// closes then. It returns the first error of either.
func (s *Server) Serve(ctx context.Context, packets net.PacketConn, listener net.Listener) error {
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) { s.handle(ctx, w, question) })
	servers := []*dns.Server{
		{PacketConn: packets, Handler: handler, UDPSize: maxUDP},
		{Listener: listener, Handler: handler, MaxTCPQueries: maxTCP, IdleTimeout: func() time.Duration { return idleTCP }, ReadTimeout: idleTCP, WriteTimeout: idleTCP},
	}
	ended := make(chan error, len(servers))
	for _, server := range servers {
		go func() { ended <- server.ActivateAndServe() }()
	}
	select {
	case <-ctx.Done():
	case err := <-ended:
		_, _ = packets.Close(), listener.Close() // the first error tells more
		return fmt.Errorf("answering questions for names on %s: %w", listener.Addr(), cmp.Or(err, net.ErrClosed))
	}
	_, _ = packets.Close(), listener.Close() // both servers end by it
	for range servers {
		<-ended //nolint:errcheck // that it was closed
	}
	return nil
}

func (s *Server) handle(ctx context.Context, w dns.ResponseWriter, question *dns.Msg) {
	reply, outcome := s.reply(ctx, question)
	if s.Observe != nil {
		s.Observe(outcome)
	}
	size := dns.MaxMsgSize
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize
		if asked := question.IsEdns0(); asked != nil {
			size = min(max(size, int(asked.UDPSize())), maxUDP)
		}
	}
	if question.IsEdns0() != nil && reply.IsEdns0() == nil {
		reply.SetEdns0(maxUDP, false)
	}
	reply.Truncate(size)
	_ = w.WriteMsg(reply) // who asked will ask again
}

func (s *Server) reply(ctx context.Context, question *dns.Msg) (*dns.Msg, Outcome) {
	var t table
	if current := s.table.Load(); current != nil {
		t = *current
	}
	if reply, outcome := t.answer(question); reply != nil {
		return reply, outcome
	}
	reply, err := s.forward(ctx, question)
	if err != nil {
		failed := new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
		failed.RecursionAvailable = true
		return failed, Unreachable
	}
	return reply, Forwarded
}

// forward asks an upstream the question, and nothing else that the message holds.
func (s *Server) forward(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	defer s.forwards.Add(-1)
	if s.forwards.Add(1) > maxForwards {
		return nil, errUnreachable
	}
	q := question.Question[0]
	reply, err := s.Upstreams.Exchange(ctx, new(dns.Msg).SetQuestion(q.Name, q.Qtype).SetEdns0(maxUDP, false))
	if err != nil {
		return nil, err
	}
	own := new(dns.Msg).SetReply(question)
	own.RecursionAvailable, own.Rcode = true, reply.Rcode
	own.Answer, own.Ns = reply.Answer, reply.Ns
	return own, nil
}
