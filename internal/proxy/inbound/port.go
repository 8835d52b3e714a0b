package inbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

const (
	handshakeTimeout = 10 * time.Second
	// maxHandshakes is how many may be under way on one port. The oldest goes when one
	// more comes: who is slow on purpose loses to who is not.
	maxHandshakes = 512
)

// port is one door with what it goes by.
type port struct {
	server *Server
	door   *door.Door
	rules  atomic.Pointer[rules]
}

// conn is one connection of a caller.
type conn struct {
	port  *port
	visit *door.Visit
	// wire is what is spoken on: TLS, but for a caller of the grade plain.
	wire  splice.Conn
	rules *rules
	// peer is empty until the handshake is over. A stranger is one that may not call.
	peer     string
	stranger bool
	grade    grade
	address  netip.Addr
	// streams says that the caller speaks HTTP/2.
	streams bool
	// served says that the application has answered on this connection of HTTP/1.1.
	served bool
}

// newPort is a port with its listener; nil where connections are captured.
func newPort(s *Server, l net.Listener, r *rules) *port {
	p := &port{server: s}
	p.rules.Store(r)
	options := door.Options{
		Serve: p.serve, Now: s.Now, Waiting: maxHandshakes,
		Turned: func(reason door.Reason) { s.Metrics.refused(string(reason)) },
		Lapsed: func(id string, ended time.Time) bool { return s.Verifier.Lapsed(id, ended, p.rules.Load().grace) },
	}
	if l == nil {
		p.door = door.Inner(r.bounds(), options)
	} else {
		p.door = door.Open(l, r.bounds(), options)
	}
	return p
}

// bounds are how many may be in.
func (r *rules) bounds() door.Bounds {
	alone := len(r.in.From) == 1 && r.in.From[0].IsOne() && r.oneWay == nil && r.in.Plaintext == ""
	return door.Bounds{Most: r.limits.Connections, Alone: alone}
}

// apply changes the rules, and closes what they no longer allow.
func (p *port) apply(r *rules) {
	before := p.rules.Load()
	if before.sameRules(r) {
		return
	}
	p.rules.Store(r)
	p.door.Bound(r.bounds())
	if before.app != r.app {
		before.app.close()
	}
	p.door.Cut(func(v *door.Visit) bool {
		c, known := v.Guest.(*conn)
		if !known || c.rules.sameService(r) && (c.peer == "" || c.grade != mutual || r.admits(c)) {
			return false
		}
		p.server.Metrics.refused(reasonWithdrawn)
		return true
	})
	// Who was let in without a certificate came as it was told to: what it has begun may end.
	p.door.Dismiss(p.server.Now().Add(farewell), func(v *door.Visit) bool {
		c, known := v.Guest.(*conn)
		return known && c.grade != mutual && c.peer != "" && !r.admits(c)
	})
}

// close ends everything at once.
func (p *port) close() {
	p.door.Close()
	p.rules.Load().app.close()
}

// known takes note of who calls. What it returns is why the connection may not go on, by
// the rules of this moment.
func (c *conn) known(peer string) error {
	noted := c.visit.Note(func() bool {
		c.peer = peer
		now := c.port.rules.Load()
		c.stranger = !now.admits(c)
		return c.rules.sameService(now)
	})
	if !noted {
		return errWithdrawn
	}
	var met bool
	if c.stranger {
		met = c.visit.MeetStranger(c.port.server.Now().Add(time.Duration(c.rules.limits.HeadTimeout)))
	} else {
		met = c.visit.Meet(peer)
	}
	if !met {
		return errTurned
	}
	c.visit.Rest()
	return nil
}

func (p *port) serve(v *door.Visit) {
	m := p.server.Metrics
	m.connections.Inc()
	defer m.connections.Dec()
	c := &conn{port: p, visit: v}
	v.Note(func() bool {
		c.rules, v.Guest = p.rules.Load(), c
		return true
	})
	if err := c.handshake(); err != nil {
		if !errors.Is(err, errTurned) {
			m.refused(handshakeReason(err))
		}
		return
	}
	defer func() { _ = c.wire.Close() }() // with a farewell, unless it was cut
	if c.grade == mutual {
		m.handshakes.Inc()
	}
	switch {
	case c.rules.in.Protocol == config.TCP:
		c.serveTCP()
	case c.streams:
		c.rules.streams.serve(c)
	case c.rules.in.Protocol == config.HTTP:
		c.serveHTTP1()
	default:
		m.refused(reasonProtocol)
	}
}

var (
	errWithdrawn = errors.New("the port changed during the handshake")
	// errTurned means that the door let the caller in no further, and has counted it.
	errTurned = errors.New("there is no room for the caller")
)

// handshake finds out who calls: by TLS, or not at all where the port takes that.
func (c *conn) handshake() error {
	raw, isTCP := c.visit.Conn.(*net.TCPConn)
	if !isTCP {
		return errWithdrawn // nothing else is listened for
	}
	if err := raw.SetDeadline(c.port.server.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	c.address = addressOf(raw)
	var under net.Conn = raw
	if c.rules.in.Plaintext == config.PlaintextPermitted {
		begun, speaksTLS, err := c.listen(raw)
		if err != nil {
			return err
		}
		if !speaksTLS {
			c.wire, c.streams = begun, c.rules.in.Protocol == config.GRPC
			return c.enter(plain)
		}
		under = begun
	}
	secure := c.rules.serverOf(under, c.address)
	c.wire = secure
	if err := secure.Handshake(); err != nil { //nolint:noctx // the deadline ends it without a goroutine that waits
		return err
	}
	c.streams = secure.ConnectionState().NegotiatedProtocol == "h2"
	return c.identify(secure.ConnectionState())
}

// addressOf is where a caller is.
func addressOf(c *net.TCPConn) netip.Addr {
	if address, is := c.RemoteAddr().(*net.TCPAddr); is {
		return address.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// handshakeReason names in one word why a handshake failed.
func handshakeReason(err error) string {
	for reason, known := range map[string]error{
		reasonNotReady: identity.ErrNotReady, reasonExpired: identity.ErrExpired, reasonUntrusted: identity.ErrUntrusted,
		reasonNobody: identity.ErrNobody, reasonNotAllowed: identity.ErrNotAdmitted, reasonWithdrawn: errWithdrawn,
	} {
		if errors.Is(err, known) {
			return reason
		}
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil {
		return reasonPlaintext
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return reasonSlow
	}
	return reasonHandshake
}

// serveTCP passes bytes: PostgreSQL, MySQL, Redis speak to their peers as ever.
func (c *conn) serveTCP() {
	if c.stranger {
		c.port.server.Metrics.refused(reasonNotAllowed)
		return
	}
	app, err := c.rules.app.get(0, true)
	if err != nil {
		c.port.server.Metrics.refused(reasonUpstream)
		return
	}
	defer app.Close()
	c.visit.Busy()
	splice.Join(c.wire, app)
}
