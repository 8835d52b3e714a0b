package outbound

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/hello"
)

// Nobody is the trust in an address that nobody has whom the configuration names.
const Nobody config.Trust = "Nobody"

// captured is a connection of the application that was meant for another address.
type captured struct {
	*net.TCPConn
	meant netip.AddrPort
}

// Take carries a call that was captured on its way to an address, or refuses it. Where the
// address is a name's the name decides; else who has it by the cluster's name servers; else
// the vendor that the application names in TLS.
func (c *Calls) Take(conn *net.TCPConn, meant netip.AddrPort) {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner == nil {
		_ = conn.Close() // nothing is in force yet, or any more
		return
	}
	inner.Take(&captured{conn, netip.AddrPortFrom(meant.Addr().Unmap(), meant.Port())})
}

// recapture lets captured calls go on by what is wanted now, and ends those that may not.
func (c *Calls) recapture(wanted map[netip.AddrPort]*target) {
	if c.Captured == nil {
		return
	}
	c.unknown.forget()
	for at, t := range wanted {
		if c.ends[at] == nil {
			e := &end{calls: c}
			e.target.Store(t)
			c.ends[at] = e
		}
	}
	if c.inner == nil {
		c.inner = door.Inner(door.Bounds{Most: maxOpen, Alone: true}, door.Options{
			Serve: c.takeCaptured, Now: c.Now, Lapsed: c.lapsed,
			Turned: func(reason door.Reason) {
				outcome := Full
				if reason == door.Expired {
					outcome = Expired
				}
				c.observe(Nobody, outcome)
			},
		})
	}
	c.inner.Cut(func(v *door.Visit) bool {
		known, is := v.Guest.(*call)
		return is && !known.end.allows(known)
	})
}

// lapsed asks by the grace of any end: all of one configuration have the same.
func (c *Calls) lapsed(id string, ended time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.ends {
		return e.lapsed(id, ended)
	}
	return true
}

func (c *Calls) takeCaptured(v *door.Visit) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	conn, is := v.Conn.(*captured) // nothing else is handed over
	if !is || !v.Hold(stop) {
		return
	}
	_ = conn.SetKeepAliveConfig(dial.KeepAlive) // without it an end that has gone is found out later
	e, first, outcome := c.find(ctx, conn)
	if e == nil {
		c.observe(Nobody, outcome)
		return
	}
	made := &call{end: e}
	if !v.Note(func() bool {
		made.target, v.Guest = e.target.Load(), made
		return e.allows(made)
	}) {
		return
	}
	if first.words == nil {
		at := first.at
		first, outcome = c.listenTo(conn.TCPConn, made.target)
		first.at = at
	}
	if outcome != "" {
		c.observe(made.target.Trust, outcome)
		c.refuse(conn.TCPConn, made.target, first.protocol, outcome)
		return
	}
	e.carry(ctx, v, conn.TCPConn, first)
}

// find is whose address a captured call meant; nil where it is nobody's.
func (c *Calls) find(ctx context.Context, conn *captured) (*end, opening, Outcome) {
	if e := c.endAt(conn.meant); e != nil {
		return e, opening{}, ""
	}
	if conn.meant.Addr().IsLoopback() {
		return nil, opening{}, Undeclared // a name of before, or nobody's
	}
	ctx, stop := context.WithTimeout(ctx, setup)
	defer stop()
	if e, at := c.holder(ctx, conn.meant); e != nil {
		return e, opening{at: at}, ""
	}
	return c.vendor(conn)
}

func (c *Calls) endAt(meant netip.AddrPort) *end {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends[meant]
}

// endsFor are the ends that a call to a port may be meant for, those that prove who they
// are first.
func (c *Calls) endsFor(may func(*target) bool) []*end {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*end
	for _, at := range slices.SortedFunc(maps.Keys(c.ends), netip.AddrPort.Compare) {
		if may(c.ends[at].target.Load()) {
			list = append(list, c.ends[at])
		}
	}
	slices.SortStableFunc(list, func(a, b *end) int {
		return strings.Compare(string(a.target.Load().Trust), string(b.target.Load().Trust))
	})
	return list
}

// holder is who has an address by the cluster's name servers, and where the proxy calls
// it: who is called by the Service's address, or by a pod's own.
func (c *Calls) holder(ctx context.Context, meant netip.AddrPort) (*end, netip.AddrPort) {
	if c.unknown.has(meant, c.Now()) {
		return nil, netip.AddrPort{}
	}
	for _, e := range c.endsFor(func(t *target) bool { return t.Trust != config.Vendor }) {
		t := e.target.Load()
		if port := c.answers(ctx, t, meant); port != 0 {
			return e, netip.AddrPortFrom(meant.Addr(), port)
		}
	}
	c.unknown.note(meant, c.Now())
	return nil, netip.AddrPort{}
}

// answers is the port by which the proxy calls an address on behalf of a target, 0 where
// the address is not the target's, or the port.
func (c *Calls) answers(ctx context.Context, t *target, meant netip.AddrPort) uint16 {
	port := int(meant.Port())
	byName, byPod := port == t.Port || port == int(t.port), t.Endpoint != nil && slices.Contains(t.Endpoint.Ports, port)
	if !byName && !byPod {
		return 0
	}
	if c.leads(ctx, t.host, meant.Addr()) {
		if byName {
			return t.port
		}
		return uint16(t.Endpoint.Dial) //nolint:gosec // Parse has accepted it
	}
	// Name servers of clusters know the pods behind a Service by their addresses.
	if byPod && c.leads(ctx, dashed(meant.Addr())+"."+t.host, meant.Addr()) {
		return uint16(t.Endpoint.Dial) //nolint:gosec // Parse has accepted it
	}
	return 0
}

// leads reports whether a name leads to an address.
func (c *Calls) leads(ctx context.Context, name string, to netip.Addr) bool {
	found, err := c.Captured(ctx, name)
	return err == nil && slices.Contains(found, to)
}

func dashed(a netip.Addr) string { return strings.NewReplacer(".", "-", ":", "-").Replace(a.String()) }

// vendor is the one whom the application names in TLS. To what address it called does not
// count.
func (c *Calls) vendor(conn *captured) (*end, opening, Outcome) {
	port := int(conn.meant.Port())
	ends := c.endsFor(func(t *target) bool { return t.Trust == config.Vendor && t.Port == port })
	if len(ends) == 0 {
		return nil, opening{}, Undeclared
	}
	if conn.SetReadDeadline(c.Now().Add(firstWords)) != nil {
		return nil, opening{}, Silent
	}
	mayAsk := slices.ContainsFunc(ends, func(e *end) bool { return e.target.Load().Protocol == config.TCP })
	first, err := readName(conn.TCPConn, port, mayAsk)
	switch {
	case errors.Is(err, hello.ErrCleartext):
		return nil, first, Cleartext
	case errors.Is(err, hello.ErrOutdated):
		return nil, first, Outdated
	case errors.Is(err, hello.ErrNameless), errors.Is(err, hello.ErrMalformed):
		return nil, first, Undeclared
	case err != nil, conn.SetReadDeadline(time.Time{}) != nil:
		return nil, first, Silent
	}
	for _, e := range ends {
		if e.target.Load().Calls(first.means.Host) {
			return e, first, ""
		}
	}
	return nil, first, Undeclared
}

// unknown remembers addresses that nobody has, so that who calls them again and again
// does not have name servers asked each time.
type unknown struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

const (
	// A pod that is new is known to name servers after a moment.
	unknownFor = 2 * time.Second
	maxUnknown = 4096
)

func (u *unknown) has(at netip.AddrPort, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until[at])
}

func (u *unknown) note(at netip.AddrPort, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil || len(u.until) >= maxUnknown {
		u.until = map[netip.AddrPort]time.Time{}
	}
	u.until[at] = now.Add(unknownFor)
}

func (u *unknown) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until = nil
}
