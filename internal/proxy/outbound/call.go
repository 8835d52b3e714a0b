package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

const (
	// setup is how long a call may take until it is carried.
	setup = 15 * time.Second
	// firstWords is how long a caller may say nothing where it speaks first.
	firstWords = 5 * time.Minute
	// farewell is how long a caller may take to hear why it is refused.
	farewell = time.Second
)

// call is one connection of the application.
type call struct {
	target *target
	// peer is the proxy that answered; empty where there is none, and before. Host is whom
	// a vendor's caller names.
	peer, host string

	stop context.CancelFunc
	mu   sync.Mutex
	conn []net.Conn
	over bool
}

// hold makes cut close a connection too. Where cut was first it is closed at once.
func (c *call) hold(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		_ = conn.Close() // nobody waits for it
		return false
	}
	c.conn = append(c.conn, conn)
	return true
}

// cut ends the call at once.
func (c *call) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.stop()
	for _, conn := range c.conn {
		_ = conn.Close() // whoever reads from it sees that
	}
}

// take carries one connection, or refuses it.
func (e *end) take(conn *net.TCPConn) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c := &call{stop: stop}
	defer func() { _ = conn.Close() }() // it has been closed where it was carried
	if !c.hold(conn) || !e.admit(c, conn) {
		return
	}
	defer e.leave(c)
	_ = conn.SetKeepAliveConfig(dial.KeepAlive) // without it an end that has gone is found out later

	first, outcome := e.calls.listenTo(conn, c.target)
	if outcome != "" {
		e.calls.observe(c.target.Trust, outcome)
		e.calls.refuse(conn, c.target, first.protocol, outcome)
		return
	}
	server, outcome := e.calls.connect(ctx, c.target, first)
	if server == nil || !c.hold(server) || !e.meet(c, server, first.means.Host) {
		if outcome == Carried {
			outcome = Refused // the configuration has changed meanwhile
		}
		e.calls.observe(c.target.Trust, outcome)
		e.calls.refuse(conn, c.target, first.protocol, outcome)
		return
	}
	e.calls.observe(c.target.Trust, Carried)
	if _, err := server.Write(first.words); err != nil {
		return
	}
	splice.Join(conn, server)
}

// admit lets a call in that comes from this pod while there is room.
func (e *end) admit(c *call, conn *net.TCPConn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.target = e.target
	if e.over {
		return false
	}
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		e.calls.observe(c.target.Trust, Foreign)
		return false
	}
	if len(e.open) >= c.target.limit() {
		e.calls.observe(c.target.Trust, Full)
		return false
	}
	e.open[c] = struct{}{}
	return true
}

// meet notes who has answered, if that is still whom the configuration names.
func (e *end) meet(c *call, server splice.Conn, host string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if secured, is := server.(*tls.Conn); is {
		peer, err := identity.Peer(secured.ConnectionState(), c.target.policy.TrustDomain)
		if err != nil {
			return false
		}
		c.peer = peer
	}
	c.host = host
	return c.still(e.target)
}

func (e *end) leave(c *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open, c)
}

func (c *Calls) observe(trust config.Trust, outcome Outcome) {
	if c.Observe != nil {
		c.Observe(trust, outcome)
	}
}

// says are the sentences by which callers in HTTP are refused.
var says = map[Outcome]string{
	Cleartext:   "a vendor is called over TLS: write https",
	Unresolved:  "the name of who is called has no address",
	Unreachable: "nobody answers where who is called should be",
	NotReady:    "this proxy has no certificate yet",
	Refused:     "who answers is not whom the configuration names, or refuses this workload",
}

// refuse tells a caller in HTTP/1.1 why; others see the connection end.
func (c *Calls) refuse(conn *net.TCPConn, t *target, protocol string, outcome Outcome) {
	sentence := says[outcome]
	if protocol != http1 || sentence == "" {
		return
	}
	body := fmt.Sprintf(`{"error":%q,"control":%q,"citation":%q}`, sentence, t.refusal.Control, t.refusal.Citation)
	answer := fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	if conn.SetWriteDeadline(c.Now().Add(farewell)) != nil {
		return
	}
	if _, err := conn.Write([]byte(answer)); err != nil || conn.CloseWrite() != nil {
		return
	}
	// What the caller still sends would turn the answer into a reset.
	if conn.SetReadDeadline(c.Now().Add(farewell)) == nil {
		_, _ = io.CopyN(io.Discard, conn, 64<<10) // it is not for anybody
	}
}
