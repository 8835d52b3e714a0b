package inbound

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

const (
	handshakeTimeout = 10 * time.Second
	// maxHandshakes is how many may be under way on one port. The oldest goes when one
	// more comes: who is slow on purpose loses to who is not.
	maxHandshakes = 512
	acceptPause   = 100 * time.Millisecond
)

// port is one listener with its connections.
type port struct {
	server   *Server
	listener net.Listener
	rules    atomic.Pointer[rules]
	draining atomic.Bool

	mu          sync.Mutex
	conns       map[*conn]struct{}
	handshaking *list.List // of *conn, the oldest first
	gone        chan struct{}
}

// conn is one connection of a caller.
type conn struct {
	port  *port
	raw   net.Conn
	tls   *tls.Conn
	rules *rules
	// peer is empty until the handshake is over.
	peer    string
	waiting *list.Element
	// idle says that no request is under way.
	idle atomic.Bool
	// finish ends the connection after what is under way; nil means at any time.
	finish func()
}

func newPort(s *Server, l net.Listener) *port {
	return &port{server: s, listener: l, conns: map[*conn]struct{}{}, handshaking: list.New()}
}

// apply changes the rules, and closes what they no longer allow.
func (p *port) apply(r *rules) {
	before := p.rules.Load()
	if before != nil && before.sameRules(r) {
		return
	}
	p.rules.Store(r)
	if before == nil {
		return
	}
	if before.app != r.app {
		before.app.close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if !c.rules.sameService(r) || c.peer != "" && !r.in.Admits(c.peer) {
			p.server.Metrics.refused(reasonWithdrawn)
			_ = c.raw.Close()
		}
	}
}

// accept runs until the listener closes.
func (p *port) accept() {
	for {
		raw, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Most likely there are no descriptors left; others give theirs back.
			<-time.After(acceptPause)
			continue
		}
		if c := p.admit(raw); c != nil {
			go c.serve()
		}
	}
}

// admit takes a connection in, if there is room.
func (p *port) admit(raw net.Conn) *conn {
	c := &conn{port: p, raw: raw, rules: p.rules.Load()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Load() || len(p.conns) >= c.rules.limits.Connections {
		p.server.Metrics.refused(reasonCrowded)
		_ = raw.Close()
		return nil
	}
	if p.handshaking.Len() >= maxHandshakes {
		oldest := p.handshaking.Remove(p.handshaking.Front()).(*conn) //nolint:errcheck // the list holds nothing else
		oldest.waiting = nil
		p.server.Metrics.refused(reasonCrowded)
		_ = oldest.raw.Close()
	}
	p.conns[c] = struct{}{}
	c.waiting = p.handshaking.PushBack(c)
	p.server.Metrics.connections.Inc()
	return c
}

// known takes note of who calls. It reports whether the connection may go on, by the
// rules of this moment.
func (p *port) known(c *conn, peer string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shaken(c)
	c.peer = peer
	c.idle.Store(true)
	return c.rules.sameService(p.rules.Load()) && !p.draining.Load()
}

func (p *port) shaken(c *conn) {
	if c.waiting != nil {
		p.handshaking.Remove(c.waiting)
		c.waiting = nil
	}
}

// allowed reports whether the peer may call, by the rules of this moment.
func (c *conn) allowed() bool { return c.port.rules.Load().in.Admits(c.peer) }

func (p *port) forget(c *conn) {
	if c.tls != nil && c.peer != "" {
		_ = c.tls.Close() // with a farewell, unless it was cut
	}
	_ = c.raw.Close()
	p.server.Metrics.connections.Dec()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shaken(c)
	delete(p.conns, c)
	if len(p.conns) == 0 && p.gone != nil {
		close(p.gone)
		p.gone = nil
	}
}

// busy says that a request is under way.
func (c *conn) busy() { c.idle.Store(false) }

// rest says that none is. It reports false where the connection is to end instead: a
// drain that comes later sees that it is idle.
func (c *conn) rest() bool {
	c.idle.Store(true)
	return !c.port.draining.Load()
}

// drain stops listening, and ends connections that nothing happens on.
func (p *port) drain() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining.Store(true)
	for c := range p.conns {
		switch {
		case c.finish != nil:
			c.finish()
		case c.peer == "" || c.idle.Load():
			_ = c.raw.Close()
		}
	}
}

// empty is closed once no connection is left.
func (p *port) empty() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if p.gone == nil {
		p.gone = make(chan struct{})
	}
	return p.gone
}

// close ends everything at once.
func (p *port) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining.Store(true)
	for c := range p.conns {
		_ = c.raw.Close()
	}
	p.rules.Load().app.close()
}

func (c *conn) serve() {
	defer c.port.forget(c)
	m := c.port.server.Metrics
	if err := c.handshake(); err != nil {
		m.refused(handshakeReason(err))
		return
	}
	m.handshakes.Inc()
	switch {
	case c.rules.in.Protocol == config.TCP:
		c.serveTCP()
	case c.tls.ConnectionState().NegotiatedProtocol == "h2":
		c.rules.streams.serve(c)
	case c.rules.in.Protocol == config.HTTP:
		c.serveHTTP1()
	default:
		m.refused(reasonProtocol)
	}
}

var errWithdrawn = errors.New("the port changed during the handshake")

func (c *conn) handshake() error {
	if err := c.raw.SetDeadline(c.port.server.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	c.tls = tls.Server(c.raw, c.rules.tls)
	if err := c.tls.Handshake(); err != nil { //nolint:noctx // the deadline ends it without a goroutine that waits
		return err
	}
	peer, err := identity.Peer(c.tls.ConnectionState(), c.rules.domain)
	if err != nil {
		return err
	}
	if !c.port.known(c, peer) {
		return errWithdrawn
	}
	return c.raw.SetDeadline(time.Time{})
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
	if !c.allowed() {
		c.port.server.Metrics.refused(reasonNotAllowed)
		return
	}
	app, err := c.rules.app.get(0, true)
	if err != nil {
		c.port.server.Metrics.refused(reasonUpstream)
		return
	}
	defer app.Close()
	c.busy()
	splice.Join(c.tls, app)
}
