package egress

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Protocol is what a proxy and a gate speak, by ALPN. The proxy says one line, the way
// and whom it means, and waits for one byte; then the connection is the application's.
const Protocol = "phi-egress/1"

// Way is how TLS begins.
type Way string

// Ways.
const (
	// Direct begins with TLS.
	Direct Way = "tls"
	// Postgres asks for TLS first.
	Postgres Way = "postgres"
)

// Destination is whom a proxy means.
type Destination struct {
	Way  Way
	Host string
	Port uint16
}

// maxLine is how long a line may be: the longest way, host and port.
const maxLine = len(Postgres) + 1 + 253 + 1 + 5 + 1

// The answers of a gate.
const (
	yes         = '+'
	no          = '-'
	unresolved  = '?'
	unreachable = '!'
)

// Reasons for which a gate does not let a call out.
var (
	// ErrRefused means that this workload may not call there.
	ErrRefused = errors.New("the gate refuses the call")
	// ErrUnresolved means that the host has no address.
	ErrUnresolved = errors.New("the gate finds no address of the host")
	// ErrUnreachable means that the host does not answer, or not with TLS.
	ErrUnreachable = errors.New("nobody answers the gate")

	errNoLine = errors.New("is no line of a proxy")
)

// Ask tells a gate whom the application means, and waits until it has connected.
func Ask(conn net.Conn, d Destination) error {
	if _, err := io.WriteString(conn, d.line()); err != nil {
		return fmt.Errorf("asking the gate: %w", err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return fmt.Errorf("asking the gate: %w", err)
	}
	switch answer[0] {
	case yes:
		return nil
	case unresolved:
		return ErrUnresolved
	case unreachable:
		return ErrUnreachable
	default:
		return ErrRefused
	}
}

func (d Destination) line() string {
	return string(d.Way) + " " + d.Host + ":" + strconv.Itoa(int(d.Port)) + "\n"
}

// readLine reads whom a proxy means. One that says more at once, or means an address, is
// no proxy of ours.
func readLine(conn io.Reader) (Destination, error) {
	line := make([]byte, 0, maxLine)
	for !strings.HasSuffix(string(line), "\n") {
		if len(line) == maxLine {
			return Destination{}, errNoLine
		}
		n, err := conn.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if err != nil {
			return Destination{}, fmt.Errorf("reading whom a proxy means: %w", err)
		}
	}
	way, rest, found := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
	host, digits, split := strings.Cut(rest, ":")
	port, err := strconv.ParseUint(digits, 10, 16)
	d := Destination{Way(way), host, uint16(port)}
	_, address := netip.ParseAddr(host)
	if !found || !split || err != nil || port == 0 || address == nil || d.Way != Direct && d.Way != Postgres || d.line() != string(line) {
		return Destination{}, errNoLine
	}
	return d, nil
}
