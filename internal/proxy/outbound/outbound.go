// Package outbound carries the application's calls. Its promise: a call goes to whom the
// configuration names for the address that was called, over TLS with the server's
// identity proved where trust is Mutual; every other call is refused, counted and, in
// HTTP, told why; and no address of the application's choosing is ever dialled.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
)

// Outcome is what became of a call.
type Outcome string

// Outcomes.
const (
	// Carried came through.
	Carried Outcome = "carried"
	// Foreign came from elsewhere than this pod.
	Foreign Outcome = "foreign"
	// Full was one too many.
	Full Outcome = "full"
	// Silent said nothing although in its protocol the caller speaks first.
	Silent Outcome = "silent"
	// Cleartext was to a vendor and not in TLS.
	Cleartext Outcome = "cleartext"
	// Undeclared named in TLS nobody whom the configuration names.
	Undeclared Outcome = "undeclared"
	// Unresolved had no address.
	Unresolved Outcome = "unresolved"
	// Unreachable had an address at which nobody answers.
	Unreachable Outcome = "unreachable"
	// NotReady could prove nothing: this proxy has no certificate or no roots.
	NotReady Outcome = "notReady"
	// Refused reached somebody who did not prove to be whom the configuration names, or
	// who refused this proxy.
	Refused Outcome = "refused"
)

// Calls listens on every address that the configuration has for somebody who is called.
// Until Apply has been called nothing is.
type Calls struct {
	Verifier *identity.Verifier
	// Dial connects to where names lead: dial.Out.
	Dial dial.Func
	// Now is what limits on time are reckoned from.
	Now func() time.Time
	// Observe is told the outcome of each call: of one that is carried when it begins.
	// Optional.
	Observe func(config.Trust, Outcome)

	mu   sync.Mutex
	ends map[netip.AddrPort]*end
	done bool
	wait sync.WaitGroup
}

// end is one address that the application calls.
type end struct {
	listener *net.TCPListener
	calls    *Calls
	closed   chan struct{}

	mu     sync.Mutex
	target *target
	open   map[*call]struct{}
	// over says that nobody is carried any more, also who was accepted before.
	over bool
}

// target is to whom an end leads.
type target struct {
	config.Outbound
	host    string
	port    uint16
	policy  identity.Policy
	refusal config.Refusal
}

func targetOf(c *config.Configuration, out *config.Outbound) *target {
	t := &target{Outbound: *out, policy: identity.PolicyOf(c), refusal: c.Refusal}
	t.host, t.port, _ = config.SplitUpstream(out.Upstream) // Parse has accepted it
	t.policy.Admit = out.Admits
	return t
}

// maxOpen is how many calls one end has open where nothing is set.
const maxOpen = 10_000

func (t *target) limit() int {
	if t.Connections > 0 {
		return t.Connections
	}
	return maxOpen
}

// still reports whether a call may go on under another target.
func (c *call) still(other *target) bool {
	switch {
	case c.target.Trust != other.Trust, c.target.direct() != other.direct():
		return false
	case c.host != "" && !other.Calls(c.host):
		return false
	case c.peer == "" && c.host == "" && c.target.Upstream != other.Upstream:
		return false // nothing but where it leads tells who is called
	default:
		return c.peer == "" || c.target.policy.TrustDomain == other.policy.TrustDomain && other.Admits(c.peer)
	}
}

// Apply carries calls by a configuration from now on. Calls end that it does not allow
// any more. Where it cannot listen on an address, as where the application has the port
// itself, it says so, and everything else is in force; the next Apply tries again.
func (c *Calls) Apply(configuration *config.Configuration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return nil
	}
	if c.ends == nil {
		c.ends = map[netip.AddrPort]*end{}
	}
	wanted := map[netip.AddrPort]*target{}
	for i := range configuration.Outbound {
		out := &configuration.Outbound[i]
		at := netip.AddrPortFrom(netip.MustParseAddr(out.Address), uint16(out.Port)) //nolint:gosec // Parse has accepted it
		wanted[at] = targetOf(configuration, out)
	}
	for at, e := range c.ends {
		if wanted[at] == nil {
			e.deaf()
			e.cut()
			delete(c.ends, at)
		}
	}
	var failures []error
	for _, at := range sorted(wanted) {
		if e := c.ends[at]; e != nil {
			e.lead(wanted[at])
			continue
		}
		e, err := c.listen(at, wanted[at])
		if err != nil {
			failures = append(failures, err)
			continue
		}
		c.ends[at] = e
	}
	return errors.Join(failures...)
}

func sorted(wanted map[netip.AddrPort]*target) []netip.AddrPort {
	ends := make([]netip.AddrPort, 0, len(wanted))
	for at := range wanted {
		ends = append(ends, at)
	}
	slices.SortFunc(ends, netip.AddrPort.Compare)
	return ends
}

func (c *Calls) listen(at netip.AddrPort, t *target) (*end, error) {
	listener, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listening on %s for %s: %w; where the application has this port itself, give the Service that it calls another one", at, t.Upstream, err)
	}
	e := &end{listener: listener, calls: c, closed: make(chan struct{}), target: t, open: map[*call]struct{}{}}
	c.wait.Go(e.serve)
	return e, nil
}

// lead changes to whom an end leads.
func (e *end) lead(t *target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.target = t
	for call := range e.open {
		if !call.still(t) {
			call.cut()
		}
	}
}

// deaf takes no more calls.
func (e *end) deaf() {
	close(e.closed)
	_ = e.listener.Close() // it is given up
}

// cut ends every call.
func (e *end) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	for call := range e.open {
		call.cut()
	}
}

func (e *end) serve() {
	for {
		conn, err := e.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// There are no descriptors, or the caller has gone: others may come later.
			select {
			case <-time.After(acceptPause):
			case <-e.closed:
			}
			continue
		}
		e.calls.wait.Go(func() { e.take(conn) })
	}
}

// acceptPause is how long nobody is accepted after that failed.
const acceptPause = 5 * time.Millisecond

// Shutdown takes no more calls, and waits for those there are until the context ends;
// then they are cut.
func (c *Calls) Shutdown(ctx context.Context) {
	c.mu.Lock()
	c.done = true
	ends := c.ends
	c.ends = nil
	c.mu.Unlock()
	for _, e := range ends {
		e.deaf()
	}
	ended := make(chan struct{})
	go func() { c.wait.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		for _, e := range ends {
			e.cut()
		}
		<-ended
	}
}
