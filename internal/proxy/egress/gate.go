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
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
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
	// Unreachable had an address at which nobody answers, or nobody who agrees to TLS.
	Unreachable Outcome = "unreachable"
	// Misnamed meant one host, and named another in TLS, none, or spoke no TLS.
	Misnamed Outcome = "misnamed"
	// Outdated was in TLS of before 1.2.
	Outdated Outcome = "outdated"
	// Abandoned was given up by the caller, or kept waiting, before TLS began.
	Abandoned Outcome = "abandoned"
	// Full was one too many.
	Full Outcome = "full"
	// Expired was let out until the certificate of who called counted no more.
	Expired Outcome = "expired"
)

const (
	// setup is how long each side may take until a call is carried.
	setup = 15 * time.Second
	// maxOpen is how many calls are open at once.
	maxOpen = 10_000
	// maxWaiting is how many may prove themselves at once.
	maxWaiting = 512
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
	door *door.Door
}

// rules are who may call whom.
type rules struct {
	policy  identity.Policy
	vendors []config.Vendors
	refused []netip.Prefix
}

func (r *rules) refuses(a netip.Addr) bool {
	return slices.ContainsFunc(r.refused, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (r *rules) allows(id string, d Destination, now time.Time) bool {
	if r == nil {
		return false
	}
	for i := range r.vendors {
		if r.vendors[i].Admits(id) && r.vendors[i].Calls(d.Host, d.Port) && !r.vendors[i].Ended(now) {
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
	// at is the address that was reached; the zero one before.
	at netip.Addr
}

// Apply lets calls out by a configuration from now on. Calls end that it does not allow
// any more.
func (g *Gate) Apply(c *config.Configuration) {
	r := &rules{policy: identity.PolicyOf(c)}
	r.policy.Protocols = []string{Protocol}
	if c.Egress != nil {
		r.vendors = c.Egress.Vendors
		for _, text := range c.Egress.Refuse {
			r.refused = append(r.refused, netip.MustParsePrefix(text)) // Parse has accepted it
		}
	}
	r.policy.Admit = r.knows
	g.rules.Store(r)
	if d := g.current(); d != nil {
		g.cut(d, r)
	}
}

// cut ends the calls that rules do not allow, or not any more.
func (g *Gate) cut(d *door.Door, r *rules) {
	now := g.Now()
	d.Cut(func(v *door.Visit) bool {
		p, known := v.Guest.(*passage)
		return known && p.to.Host != "" && (!r.allows(p.caller, p.to, now) || p.at.IsValid() && r.refuses(p.at))
	})
}

// Refuses reports whether no call is let out to an address: one of the gate's own, or of
// a network that the configuration names.
func (g *Gate) Refuses(a netip.Addr) bool {
	if r := g.rules.Load(); r == nil || r.refuses(a) {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(own, func(o net.Addr) bool {
		prefix, err := netip.ParsePrefix(o.String())
		return err == nil && prefix.Addr().Unmap() == a
	})
}

// Open lets calls out that come by a listener from now on, until Close or Shutdown.
func (g *Gate) Open(l net.Listener) {
	d := door.Open(l, door.Bounds{Most: maxOpen}, door.Options{Serve: g.pass, Now: g.Now, Waiting: maxWaiting, Turned: g.turned, Lapsed: g.lapsed})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.door = d
}

func (g *Gate) current() *door.Door {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.door
}

// turned tells of who is not let in, or cut.
func (g *Gate) turned(reason door.Reason) {
	if reason == door.Expired {
		g.observe(Expired)
		return
	}
	g.observe(Full)
}

func (g *Gate) lapsed(id string, ended time.Time) bool {
	return g.Verifier.Lapsed(id, ended, g.rules.Load().policy.Grace)
}

// Sweep ends the calls of those whose certificates count no more, and those whose time is
// over. It is to be called every few seconds.
func (g *Gate) Sweep() {
	d, r := g.current(), g.rules.Load()
	if d == nil || r == nil {
		return
	}
	d.Sweep()
	g.cut(d, r)
}

// Close lets nobody out any more, and ends the calls there are.
func (g *Gate) Close() {
	if d := g.current(); d != nil {
		d.Close()
	}
}

// Shutdown takes no more calls, and waits for those there are until the context ends;
// then they are cut.
func (g *Gate) Shutdown(ctx context.Context) {
	d := g.current()
	if d == nil {
		return
	}
	d.Shut()
	d.Wait(ctx)
	d.Close()
	d.Wait(context.WithoutCancel(ctx)) // what is cut ends soon
}

func (g *Gate) observe(outcome Outcome) {
	if g.Observe != nil {
		g.Observe(outcome)
	}
}

// pass carries one call, or refuses it.
func (g *Gate) pass(v *door.Visit) {
	ctx, stop := context.WithTimeout(context.Background(), 2*setup)
	defer stop()
	p := &passage{}
	if !v.Note(func() bool { v.Guest = p; return true }) || !v.Hold(stop) {
		return
	}
	caller, outcome := g.meet(ctx, v, p)
	if caller == nil {
		if outcome != "" {
			g.observe(outcome)
		}
		return
	}
	server, answer, outcome := g.leadOut(ctx, v, p)
	if _, err := caller.Write([]byte{answer}); server == nil || err != nil {
		g.observe(outcome)
		return
	}
	if outcome := g.begin(caller, server, p.to.Host); outcome != "" {
		g.observe(outcome)
		return
	}
	g.observe(Carried)
	splice.Join(caller, server)
}

// begin lets the two begin TLS. An outcome says why they may not go on.
func (g *Gate) begin(caller *tls.Conn, server *net.TCPConn, host string) Outcome {
	name, words, err := hello.Read(caller)
	switch {
	case errors.Is(err, hello.ErrOutdated):
		return Outdated
	case errors.Is(err, hello.ErrCleartext), errors.Is(err, hello.ErrNameless), errors.Is(err, hello.ErrMalformed):
		return Misnamed
	case err != nil || caller.SetDeadline(time.Time{}) != nil:
		return Abandoned
	case name != host:
		return Misnamed
	}
	if _, err := server.Write(words); err != nil || server.SetReadDeadline(g.Now().Add(setup)) != nil {
		return Unreachable
	}
	words, err = hello.ReadServer(server)
	switch {
	case errors.Is(err, hello.ErrOutdated):
		return Outdated
	case err != nil && !errors.Is(err, hello.ErrDeclined):
		return Unreachable
	}
	declined := err != nil
	if _, err := caller.Write(words); err != nil {
		return Abandoned
	}
	if declined || server.SetReadDeadline(time.Time{}) != nil {
		return Unreachable
	}
	return ""
}

// meet finds out who calls, and whom the caller means. No outcome means that there was
// no room, which the door has told.
func (g *Gate) meet(ctx context.Context, v *door.Visit, p *passage) (*tls.Conn, Outcome) {
	r := g.rules.Load()
	if r == nil || v.Conn.SetDeadline(g.Now().Add(2*setup)) != nil {
		return nil, Unproved
	}
	caller := tls.Server(v.Conn, g.Verifier.Server(r.policy))
	if err := caller.HandshakeContext(ctx); err != nil || caller.ConnectionState().NegotiatedProtocol != Protocol {
		return nil, Unproved
	}
	state := caller.ConnectionState()
	id, err := identity.Peer(state, r.policy.TrustDomain)
	if err != nil {
		return nil, Unproved
	}
	v.Prove(door.Proof{ID: id, End: state.PeerCertificates[0].NotAfter})
	if !v.Meet(id) {
		return nil, ""
	}
	to, err := readLine(caller)
	if err != nil {
		return nil, Garbled
	}
	if !v.Note(func() bool { p.caller, p.to = id, to; return true }) {
		return nil, Undeclared
	}
	return caller, ""
}

// leadOut connects to whom the caller means; nil where it does not, and the answer says
// why.
func (g *Gate) leadOut(ctx context.Context, v *door.Visit, p *passage) (server *net.TCPConn, answer byte, outcome Outcome) {
	if !g.rules.Load().allows(p.caller, p.to, g.Now()) {
		return nil, no, Undeclared
	}
	reached, err := g.Dial(ctx, p.to.Host, p.to.Port)
	switch {
	case errors.Is(err, dial.ErrNoAddress):
		return nil, unresolved, Unresolved
	case err != nil:
		return nil, unreachable, Unreachable
	}
	// The end of the call is the server's as well, also while it is asked for TLS.
	at := reached.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() //nolint:errcheck // tcp has nothing else
	noted := v.Note(func() bool {
		p.at = at
		return !g.rules.Load().refuses(at)
	})
	if !v.Hold(func() { _ = reached.Close() }) || !noted {
		return nil, no, Undeclared
	}
	if p.to.Way == Postgres {
		if err := g.askPostgres(reached); err != nil {
			return nil, unreachable, Unreachable
		}
	}
	return reached, yes, Carried
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
