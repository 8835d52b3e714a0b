package inbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

// grade is how well a caller has proved who it is.
type grade string

const (
	// mutual is by a certificate.
	mutual grade = ""
	// oneWay is by an address of a declared range, over TLS.
	oneWay grade = "one-way"
	// plain is not at all: a policy let the caller get here, while not every declared one
	// has its proxy.
	plain grade = "plaintext"
)

const (
	// tlsRecord begins every handshake of TLS (RFC 8446, section 5.1).
	tlsRecord = 22
	// quiet is how long who calls a port of TCP may say nothing until it counts as one who
	// waits for the server to begin, as clients of MySQL do. A proxy never waits.
	quiet = time.Second
	// farewell is how long what a caller without a certificate has begun may take once
	// such callers are no longer let in.
	farewell = 30 * time.Second
)

// admits reports whether who has come by this grade may call.
func (r *rules) admits(c *conn) bool {
	switch c.grade {
	case oneWay:
		return r.inRange(c.address)
	case plain:
		return r.in.Plaintext == config.PlaintextPermitted
	default:
		return r.in.Admits(c.peer)
	}
}

// inRange reports whether an address is one whose callers need no certificate.
func (r *rules) inRange(address netip.Addr) bool {
	for _, prefix := range r.ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// prefixes are the ranges of a configuration that was validated.
func prefixes(ranges []string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(ranges))
	for _, text := range ranges {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			list = append(list, prefix)
		}
	}
	return list
}

// name is by what a caller without a certificate is told from others: its share of
// connections and requests is that of its address.
func (c *conn) name() string { return string(c.grade) + ":" + c.address.String() }

// enter lets somebody in who has shown no certificate.
func (c *conn) enter(g grade) error {
	c.grade = g
	if err := c.known(c.name()); err != nil {
		return err
	}
	c.port.server.Metrics.lower.WithLabelValues(string(g)).Inc()
	return c.visit.Conn.SetDeadline(time.Time{})
}

// serverOf is the end of TLS that a caller gets from this address.
func (r *rules) serverOf(raw net.Conn, address netip.Addr) *tls.Conn {
	if r.oneWay != nil && r.inRange(address) {
		return tls.Server(raw, r.oneWay)
	}
	return tls.Server(raw, r.tls)
}

// identify says who has come by TLS.
func (c *conn) identify(state tls.ConnectionState) error {
	proof := door.Proof{}
	if own := c.port.server.Verifier.Source.Certificate(); own != nil {
		proof.Own = own.Leaf.NotAfter
	}
	if len(state.PeerCertificates) == 0 && c.rules.oneWay != nil {
		c.visit.Prove(proof)
		return c.enter(oneWay)
	}
	peer, err := identity.Peer(state, c.rules.domain)
	if err != nil {
		return err
	}
	proof.ID, proof.End = peer, state.PeerCertificates[0].NotAfter
	c.visit.Prove(proof)
	if err := c.known(peer); err != nil {
		return err
	}
	return c.visit.Conn.SetDeadline(time.Time{})
}

// opened is a connection of which some bytes were read ahead.
type opened struct {
	splice.Conn

	ahead []byte
}

func (o *opened) Read(p []byte) (int, error) {
	if len(o.ahead) == 0 {
		return o.Conn.Read(p)
	}
	n := copy(p, o.ahead)
	o.ahead = o.ahead[n:]
	return n, nil
}

// listen hears how a caller begins, and reports whether that is TLS.
func (c *conn) listen(raw splice.Conn) (begun *opened, speaksTLS bool, err error) {
	begun = &opened{Conn: raw}
	waits := c.rules.in.Protocol == config.TCP
	now := c.port.server.Now()
	if waits {
		if err := raw.SetReadDeadline(now.Add(quiet)); err != nil {
			return nil, false, err
		}
	}
	var first [1]byte
	n, err := raw.Read(first[:])
	begun.ahead = first[:n]
	if waits && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if err != nil {
		return nil, false, err
	}
	return begun, n == 1 && first[0] == tlsRecord, raw.SetReadDeadline(now.Add(handshakeTimeout))
}
