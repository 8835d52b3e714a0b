package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
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
	end    *end
	target *target
	// peer is the proxy that answered; empty where there is none, and before. Host is whom
	// a vendor's caller names.
	peer, host string
}

// take carries one connection, or refuses it.
func (e *end) take(v *door.Visit) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	conn, isTCP := v.Conn.(*net.TCPConn) // nothing else is listened for
	c := &call{end: e}
	if !isTCP || !v.Hold(stop) || !e.admit(v, c) {
		return
	}
	_ = conn.SetKeepAliveConfig(dial.KeepAlive) // without it an end that has gone is found out later

	first, outcome := e.calls.listenTo(conn, c.target)
	if outcome != "" {
		e.calls.observe(c.target.Trust, outcome)
		e.calls.refuse(conn, c.target, first.protocol, outcome)
		return
	}
	e.carry(ctx, v, conn, first)
}

// carry reaches who is called, and passes on what both say.
func (e *end) carry(ctx context.Context, v *door.Visit, conn *net.TCPConn, first opening) {
	c, known := v.Guest.(*call) // as whoever admitted it wrote
	if !known {
		return
	}
	server, outcome := e.calls.connect(ctx, v, c.target, first)
	if server == nil || !e.meet(v, server, first.means.Host) {
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

// admit lets a call in that comes from this pod.
func (e *end) admit(v *door.Visit, c *call) bool {
	stays := v.Note(func() bool {
		c.target, v.Guest = e.target.Load(), c
		return true
	})
	from, err := netip.ParseAddrPort(v.Conn.RemoteAddr().String())
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		e.calls.observe(c.target.Trust, Foreign)
		return false
	}
	return stays
}

// meet notes who has answered, if that is still whom the configuration names.
func (e *end) meet(v *door.Visit, server splice.Conn, host string) bool {
	c, _ := v.Guest.(*call) // as admit wrote
	peer := ""
	if secured, is := server.(*tls.Conn); is {
		state := secured.ConnectionState()
		var err error
		if peer, err = identity.Peer(state, c.target.policy.TrustDomain); err != nil {
			return false
		}
		v.Prove(door.Proof{ID: peer, End: state.PeerCertificates[0].NotAfter})
	}
	return v.Note(func() bool {
		c.peer, c.host = peer, host
		return e.allows(c)
	})
}

// allows reports whether a call may go on by the configuration of this moment.
func (e *end) allows(c *call) bool { return !e.removed.Load() && c.still(e.target.Load()) }

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
