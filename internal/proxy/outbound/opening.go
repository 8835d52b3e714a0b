package outbound

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/hello"
)

// preface is how a caller begins who speaks HTTP/2 (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// The protocols of ALPN.
const (
	http1 = "http/1.1"
	http2 = "h2"
)

// opening is what a caller has said before there is a connection for it.
type opening struct {
	// words are for whoever is called.
	words []byte
	// protocol is what the caller speaks, by its name in ALPN; empty is unknown.
	protocol string
	// means is whom a caller names in TLS.
	means egress.Destination
	// at is the address that a captured call meant, where one of the names leads to it.
	at netip.AddrPort
}

// listenTo reads what a caller says who speaks first. An outcome says why it may say no
// more.
func (c *Calls) listenTo(conn net.Conn, t *target) (opening, Outcome) {
	if t.Trust != config.Vendor && t.Protocol == config.TCP || t.Trust == config.Plain && t.Protocol == config.GRPC {
		return opening{}, ""
	}
	if conn.SetReadDeadline(c.Now().Add(firstWords)) != nil {
		return opening{}, Silent
	}
	var first opening
	var outcome Outcome
	if t.Trust == config.Vendor {
		first, outcome = readHello(conn, t)
	} else if words, err := readPreface(conn); err != nil {
		outcome = Silent
	} else {
		first = opening{words: words, protocol: http1}
		if string(words) == preface {
			first.protocol = http2
		}
	}
	if outcome == "" && conn.SetReadDeadline(time.Time{}) != nil {
		return first, Silent
	}
	return first, outcome
}

// readPreface reads until it is clear whether HTTP/2 begins.
func readPreface(conn net.Conn) ([]byte, error) {
	words := make([]byte, 0, len(preface))
	for len(words) < len(preface) && bytes.HasPrefix([]byte(preface), words) {
		n, err := conn.Read(words[len(words):cap(words)])
		words = words[:len(words)+n]
		if errors.Is(err, io.EOF) && len(words) > 0 {
			return words, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the first words of a caller: %w", err)
		}
	}
	return words, nil
}

// readHello reads whom a caller names in TLS, and whether it may.
func readHello(conn net.Conn, t *target) (opening, Outcome) {
	first, err := readName(conn, t.Port, t.Protocol == config.TCP)
	switch {
	case errors.Is(err, hello.ErrCleartext):
		if t.Protocol == config.HTTP {
			first.protocol = http1 // so that the caller reads why
		}
		return first, Cleartext
	case errors.Is(err, hello.ErrOutdated):
		return first, Outdated
	case errors.Is(err, hello.ErrNameless), errors.Is(err, hello.ErrMalformed):
		return first, Undeclared
	case err != nil:
		return first, Silent
	case !t.Calls(first.means.Host):
		return first, Undeclared
	default:
		return first, ""
	}
}

// readName reads whom a caller names in TLS, who may ask for TLS as a client of
// PostgreSQL does.
func readName(conn net.Conn, port int, mayAsk bool) (opening, error) {
	first := opening{means: egress.Destination{Way: egress.Direct, Port: uint16(port)}} //nolint:gosec // it was checked or dialled
	var err error
	if mayAsk {
		var asked bool
		if first.means.Host, first.words, asked, err = hello.ReadPostgres(conn); asked {
			first.means.Way = egress.Postgres
		}
	} else {
		first.means.Host, first.words, err = hello.Read(conn)
	}
	return first, err
}
