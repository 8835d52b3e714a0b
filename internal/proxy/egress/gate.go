// Package egress lets calls out of the cluster. Its promise: a workload reaches the hosts
// of vendors that the configuration names for it, at the addresses that these names have
// for the gate, over TLS that names the same host; everything else is refused and counted.
package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/hello"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

// Outcome is what became of a call.
type Outcome string

// Outcomes.
const (
	// Carried came through.
	Carried Outcome = "carried"
	// Unproved was of nobody who may call anybody.
	Unproved Outcome = "unproved"
	// Garbled did not say whom it meant.
	Garbled Outcome = "garbled"
	// Undeclared was to a host that the configuration does not name for this workload.
	Undeclared Outcome = "undeclared"
	// Unresolved had no address.
	Unresolved Outcome = "unresolved"
	// Unreachable had an address at which nobody answers, or nobody with TLS.
	Unreachable Outcome = "unreachable"
	// Misnamed meant one host, and named another in TLS, none, or spoke no TLS.
	Misnamed Outcome = "misnamed"
	// Full was one too many.
	Full Outcome = "full"
)

const (
	// setup is how long each side may take until a call is carried.
	setup = 15 * time.Second
	// maxOpen is how many calls are open at once.
	maxOpen = 10_000
)

// Gate is where calls leave the cluster. Until Apply has been called none does.
type Gate struct {
	Verifier *identity.Verifier
	// Dial connects to where names lead: dial.Out.
	Dial dial.Func
	// Now is what limits on time are reckoned from.
	Now func() time.Time
	// Observe is told the outcome of each call: of one that is carried when it begins.
	// Optional.
	Observe func(Outcome)

	rules atomic.Pointer[rules]

	mu   sync.Mutex
	open map[*passage]struct{}
	wait sync.WaitGroup
}

// rules are who may call whom.
type rules struct {
	policy  identity.Policy
	vendors []config.Vendors
}

func (r *rules) allows(id string, d Destination) bool {
	if r == nil {
		return false
	}
	for i := range r.vendors {
		if r.vendors[i].Admits(id) && r.vendors[i].Calls(d.Host, d.Port) {
			return true
		}
	}
	return false
}

// knows reports whether somebody may call anybody.
func (r *rules) knows(id string) bool {
	for i := range r.vendors {
		if r.vendors[i].Admits(id) {
			return true
		}
	}
	return false
}

// passage is a call on its way out.
type passage struct {
	caller string
	to     Destination
	conn   net.Conn
	end    context.CancelFunc
}

func (p *passage) cut() {
	p.end()
	_ = p.conn.Close() // whoever reads from it sees that
}

// Apply lets calls out by a configuration from now on. Calls end that it does not allow
// any more.
func (g *Gate) Apply(c *config.Configuration) {
	r := &rules{policy: identity.PolicyOf(c)}
	r.policy.Protocols = []string{Protocol}
	if c.Egress != nil {
		r.vendors = c.Egress.Vendors
	}
	r.policy.Admit = r.knows
	g.rules.Store(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.open {
		if p.to.Host != "" && !r.allows(p.caller, p.to) {
			p.cut()
		}
	}
}

// Serve lets calls out that come by a listener, until that is closed or the context
// ends. Calls go on.
func (g *Gate) Serve(ctx context.Context, listener net.Listener) {
	stop := context.AfterFunc(ctx, func() {
		_ = listener.Close() // Accept says so
	})
	defer stop()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// There are no descriptors, or the caller has gone: others may come later.
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		// The end of the listener is not that of its calls.
		of, end := context.WithCancel(context.WithoutCancel(ctx))
		p := &passage{conn: conn, end: end}
		if !g.enter(p) {
			p.cut()
			continue
		}
		g.wait.Go(func() {
			defer g.leave(p)
			g.pass(of, p)
		})
	}
}

// Shutdown waits for the calls there are until the context ends; then they are cut.
// Nobody serves any more.
func (g *Gate) Shutdown(ctx context.Context) {
	ended := make(chan struct{})
	go func() { g.wait.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		g.cut()
		<-ended
	}
}

// acceptPause is how long nobody is accepted after that failed.
const acceptPause = 5 * time.Millisecond

func (g *Gate) enter(p *passage) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.open) >= maxOpen {
		g.observe(Full)
		return false
	}
	if g.open == nil {
		g.open = map[*passage]struct{}{}
	}
	g.open[p] = struct{}{}
	return true
}

func (g *Gate) leave(p *passage) {
	p.cut()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, p)
}

func (g *Gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.open {
		p.cut()
	}
}

func (g *Gate) observe(outcome Outcome) {
	if g.Observe != nil {
		g.Observe(outcome)
	}
}

// pass carries one call, or refuses it.
func (g *Gate) pass(ctx context.Context, p *passage) {
	ctx, stop := context.WithTimeout(ctx, 2*setup)
	defer stop()
	caller, outcome := g.meet(ctx, p)
	if caller == nil {
		g.observe(outcome)
		return
	}
	server, answer, outcome := g.leadOut(ctx, p)
	if _, err := caller.Write([]byte{answer}); server == nil || err != nil {
		g.observe(outcome)
		if server != nil {
			_ = server.Close() // nobody uses it
		}
		return
	}
	name, words, err := hello.Read(caller)
	if err != nil || name != p.to.Host || caller.SetDeadline(time.Time{}) != nil {
		g.observe(Misnamed)
		_ = server.Close() // nobody uses it
		return
	}
	g.observe(Carried)
	if _, err := server.Write(words); err != nil {
		_ = server.Close() // nobody uses it
		return
	}
	splice.Join(caller, server)
}

// meet finds out who calls, and whom the caller means.
func (g *Gate) meet(ctx context.Context, p *passage) (*tls.Conn, Outcome) {
	r := g.rules.Load()
	if r == nil || p.conn.SetDeadline(g.Now().Add(2*setup)) != nil {
		return nil, Unproved
	}
	caller := tls.Server(p.conn, g.Verifier.Server(r.policy))
	if err := caller.HandshakeContext(ctx); err != nil || caller.ConnectionState().NegotiatedProtocol != Protocol {
		return nil, Unproved
	}
	id, err := identity.Peer(caller.ConnectionState(), r.policy.TrustDomain)
	if err != nil {
		return nil, Unproved
	}
	to, err := readLine(caller)
	if err != nil {
		return nil, Garbled
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p.caller, p.to = id, to
	return caller, ""
}

// leadOut connects to whom the caller means; nil where it does not, and the answer says
// why.
func (g *Gate) leadOut(ctx context.Context, p *passage) (server *net.TCPConn, answer byte, outcome Outcome) {
	if !g.rules.Load().allows(p.caller, p.to) {
		return nil, no, Undeclared
	}
	server, err := g.Dial(ctx, p.to.Host, p.to.Port)
	switch {
	case errors.Is(err, dial.ErrNoAddress):
		return nil, unresolved, Unresolved
	case err != nil:
		return nil, unreachable, Unreachable
	}
	if p.to.Way == Postgres {
		if err := g.askPostgres(server); err != nil {
			_ = server.Close() // nobody uses it
			return nil, unreachable, Unreachable
		}
	}
	return server, yes, Carried
}

func (g *Gate) askPostgres(server net.Conn) error {
	if err := server.SetDeadline(g.Now().Add(setup)); err != nil {
		return fmt.Errorf("limiting how long a server may take: %w", err)
	}
	if err := hello.AskPostgres(server); err != nil {
		return fmt.Errorf("leading a call out: %w", err)
	}
	if err := server.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("limiting how long a server may take: %w", err)
	}
	return nil
}
