package issuer

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// doors let so many connections in at once, and so many of each address. Where an
// address has as many, its oldest that asks for nothing yet gives way. Where all places
// are taken, the oldest of the address that has most gives way, and where nobody has
// two, others wait outside until one ends or runs into its time limits: no pod keeps
// others out.
type doors struct {
	net.Listener
	most, each int
	// arrivals bounds how often an address comes: a handshake costs more than a refusal.
	arrivals *limits

	mu     sync.Mutex
	room   sync.Cond
	inside map[netip.Addr][]*guest // of each address the oldest first
	count  int
	closed bool
}

func newDoors(listener net.Listener, most, each int, arrivals *limits) *doors {
	d := &doors{Listener: listener, most: most, each: each, arrivals: arrivals, inside: map[netip.Addr][]*guest{}}
	d.room.L = &d.mu
	return d
}

// Accept gives the next connection that finds a place.
func (d *doors) Accept() (net.Conn, error) {
	for {
		connection, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: connection, doors: d, address: addressOf(connection.RemoteAddr().String())}
		if d.enter(g) {
			return g, nil
		}
		turnAway(connection)
	}
}

// enter gives a guest a place, where there is one.
func (d *doors) enter(g *guest) bool {
	if !d.arrivals.allow(g.address.String()) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.inside[g.address]) >= d.each && !d.oust(g.address) {
		return false
	}
	for d.count >= d.most && !d.closed {
		if most := d.crowd(); len(d.inside[most]) < 2 || !d.oust(most) {
			d.room.Wait()
		}
	}
	if d.closed {
		return false
	}
	d.inside[g.address] = append(d.inside[g.address], g)
	d.count++
	return true
}

// oust takes the place of the oldest guest of an address that asks for nothing yet.
func (d *doors) oust(address netip.Addr) bool {
	for _, g := range d.inside[address] {
		if !g.asking {
			d.forget(g)
			turnAway(g.Conn)
			return true
		}
	}
	return false
}

// turnAway ends a connection that finds no place. Whoever comes learns of it by that.
func turnAway(connection net.Conn) {
	metrics.IssuerAnswered(metrics.IssuerBusy)
	_ = connection.Close()
}

// crowd is the address with the most guests.
func (d *doors) crowd() netip.Addr {
	var most netip.Addr
	for address, guests := range d.inside {
		if len(guests) > len(d.inside[most]) {
			most = address
		}
	}
	return most
}

// forget gives a place back, once.
func (d *doors) forget(g *guest) {
	guests := d.inside[g.address]
	at := slices.Index(guests, g)
	if at < 0 {
		return
	}
	if guests = slices.Delete(guests, at, at+1); len(guests) == 0 {
		delete(d.inside, g.address)
	} else {
		d.inside[g.address] = guests
	}
	d.count--
	d.room.Signal()
}

// Close lets nobody in any more.
func (d *doors) Close() error {
	d.mu.Lock()
	d.closed = true
	d.room.Broadcast()
	d.mu.Unlock()
	return d.Listener.Close()
}

// guest is a connection with a place.
type guest struct {
	net.Conn
	doors   *doors
	address netip.Addr
	// asking says that a request of it is being answered.
	asking bool
}

// Close gives the place back.
func (g *guest) Close() error {
	g.doors.mu.Lock()
	g.doors.forget(g)
	g.doors.mu.Unlock()
	return g.Conn.Close()
}

type guestKey struct{}

// known notes in the context of a connection which guest it is.
func known(ctx context.Context, connection net.Conn) context.Context {
	if secure, is := connection.(*tls.Conn); is {
		connection = secure.NetConn()
	}
	return context.WithValue(ctx, guestKey{}, connection)
}

// mark says of the guest of a context whether a request of it is being answered: who
// is heard does not give way.
func mark(ctx context.Context, asking bool) {
	if g, is := ctx.Value(guestKey{}).(*guest); is {
		g.doors.mu.Lock()
		g.asking = asking
		g.doors.mu.Unlock()
	}
}

// addressOf is the address of host:port; the zero Addr where it is none.
func addressOf(text string) netip.Addr {
	source, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.Addr{}
	}
	return source.Addr().Unmap().WithZone("")
}
