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
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
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
	// Outdated was to a vendor, and in TLS of before 1.2.
	Outdated Outcome = "outdated"
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
	// Expired was carried until the certificate of who answered counted no more.
	Expired Outcome = "expired"
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
	// Captured says where the names of whom the application calls by an address lead, and
	// that rules of the pod bring calls to a listener of somebody else, who hands them to
	// Take. Nothing listens here then. Nil where each end has its listener.
	Captured dial.Lookup

	mu   sync.Mutex
	ends map[netip.AddrPort]*end
	done bool
	// inner is the door of captured calls, and unknown the addresses that nobody whom the
	// configuration names has.
	inner   *door.Door
	unknown unknown
}

// end is one address that the application calls. It has no door where calls are captured.
type end struct {
	calls  *Calls
	door   *door.Door
	target atomic.Pointer[target]
	// removed says that the configuration has it no more.
	removed atomic.Bool
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

// bounds are for the pod alone: whoever else calls is turned away.
func (t *target) bounds() door.Bounds {
	if t.Connections > 0 {
		return door.Bounds{Most: t.Connections, Alone: true}
	}
	return door.Bounds{Most: maxOpen, Alone: true}
}

// still reports whether a call may go on under another target.
func (c *call) still(other *target) bool {
	switch {
	case c.target.Trust == config.Plain && other.Trust == config.Mutual && c.target.host == other.host:
		// Who is called has got proxies, and they end what was begun before them: nothing
		// that is under way is cut here.
		return true
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
	// What is taken away goes first, whatever cannot be opened.
	for at, e := range c.ends {
		if t := wanted[at]; t != nil {
			e.lead(t)
			continue
		}
		e.removed.Store(true)
		if e.door != nil {
			e.door.Close()
		}
		delete(c.ends, at)
	}
	c.recapture(wanted)
	var failures []error
	for _, at := range sorted(wanted) {
		if c.ends[at] != nil || c.Captured != nil {
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
	e := &end{calls: c}
	e.target.Store(t)
	e.door = door.Open(listener, t.bounds(), door.Options{Serve: e.take, Now: c.Now, Turned: e.turned, Lapsed: e.lapsed})
	return e, nil
}

// turned tells of who is not let in, or cut.
func (e *end) turned(reason door.Reason) {
	outcome := Full
	if reason == door.Expired {
		outcome = Expired
	}
	e.calls.observe(e.target.Load().Trust, outcome)
}

func (e *end) lapsed(id string, ended time.Time) bool {
	return e.calls.Verifier.Lapsed(id, ended, e.target.Load().policy.Grace)
}

// lead changes to whom an end leads.
func (e *end) lead(t *target) {
	e.target.Store(t)
	if e.door == nil {
		return // recapture cuts
	}
	e.door.Bound(t.bounds())
	e.door.Cut(func(v *door.Visit) bool {
		c, known := v.Guest.(*call)
		return known && !c.still(t)
	})
}

// Sweep ends the calls to those whose certificates count no more. It is to be called
// every few seconds.
func (c *Calls) Sweep() {
	c.mu.Lock()
	doors := c.doors()
	c.mu.Unlock()
	for _, d := range doors {
		d.Sweep()
	}
}

// doors are those there are.
func (c *Calls) doors() []*door.Door {
	if c.inner != nil {
		return []*door.Door{c.inner}
	}
	var all []*door.Door
	for _, e := range c.ends {
		if e.door != nil {
			all = append(all, e.door)
		}
	}
	return all
}

// Shutdown takes no more calls, and waits for those there are until the context ends;
// then they are cut.
func (c *Calls) Shutdown(ctx context.Context) {
	c.mu.Lock()
	c.done = true
	doors := c.doors()
	c.ends = nil
	c.mu.Unlock()
	for _, d := range doors {
		d.Shut()
	}
	for _, d := range doors {
		d.Wait(ctx)
		d.Close()
		d.Wait(context.WithoutCancel(ctx)) // what is cut ends soon
	}
}
