// Package packets looks at what passes a network interface, for tests and the demo. Its
// promise: a capture with holes is an error, so that what it has not found was not there.
package packets

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostFlows bounds what a capture remembers: the directions of connections.
	mostFlows = 4096
	largest   = 1 << 17
	tls13     = 0x0304
)

// Capture sees every packet that passes an interface, in both directions of each
// connection, and remembers nothing of them but what it was started to look for.
type Capture struct {
	socket  int
	needles [][]byte
	stop    context.CancelFunc
	ended   chan struct{}

	mu    sync.Mutex
	flows map[flow]*direction
	seen  Seen
}

// flow is one direction of a connection.
type flow struct{ from, to netip.AddrPort }

// direction is what of a flow has to be kept: an end that may be the beginning of a needle.
type direction struct {
	tail  []byte
	began bool
}

// Seen is what passed.
type Seen struct {
	// Packets of TCP with a payload.
	Packets int
	// Lost are packets that the kernel dropped, or that came when there were too many flows.
	Lost int
	// To counts packets of every kind by where they go.
	To map[netip.Addr]int
	// Found counts the needles.
	Found map[string]int
	// TLS13 are the servers that have agreed to TLS 1.3, Other those that began with anything else.
	TLS13, Other map[netip.AddrPort]int
}

// Start looks for needles at an interface, a bridge for instance, until Close.
func Start(link string, needles ...string) (*Capture, error) {
	at, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("looking for interface %s: %w", link, err)
	}
	protocol := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}) // as the network writes it
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		return nil, fmt.Errorf("opening a socket for packets: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
		unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: at.Index}),
		// What passes between two ports of a bridge is shown to who looks at everything.
		unix.SetsockoptPacketMreq(socket, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(at.Index), Type: unix.PACKET_MR_PROMISC}), //nolint:gosec // an index
	)
	if err != nil {
		return nil, fmt.Errorf("looking at interface %s: %w", link, errors.Join(err, unix.Close(socket)))
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Capture{socket: socket, stop: stop, ended: make(chan struct{}), flows: map[flow]*direction{}}
	c.seen = Seen{To: map[netip.Addr]int{}, Found: map[string]int{}, TLS13: map[netip.AddrPort]int{}, Other: map[netip.AddrPort]int{}}
	for _, needle := range needles {
		c.needles = append(c.needles, []byte(needle))
	}
	go c.read(ctx)
	return c, nil
}

// Close ends it.
func (c *Capture) Close() error {
	c.stop()
	<-c.ended
	return unix.Close(c.socket)
}

func (c *Capture) read(ctx context.Context) {
	defer close(c.ended)
	packet := make([]byte, largest)
	for ctx.Err() == nil {
		n, _, err := unix.Recvfrom(c.socket, packet, 0)
		if err == nil {
			c.take(packet[:n])
		}
	}
}

// Seen is what was seen until now; packets that are in the kernel still are waited for.
// It fails where the kernel has dropped any.
func (c *Capture) Seen() (Seen, error) {
	for before := -1; ; {
		c.mu.Lock()
		now := c.seen.Packets
		c.mu.Unlock()
		if now == before {
			break
		}
		before = now
		<-time.After(200 * time.Millisecond)
	}
	statistics, err := unix.GetsockoptTpacketStats(c.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return Seen{}, fmt.Errorf("counting packets: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Lost += int(statistics.Drops)
	seen := c.seen
	seen.To, seen.Found, seen.TLS13, seen.Other = maps.Clone(seen.To), maps.Clone(seen.Found), maps.Clone(seen.TLS13), maps.Clone(seen.Other)
	if seen.Lost > 0 {
		return seen, fmt.Errorf("counting packets: %d were lost, and a capture with holes shows nothing", seen.Lost)
	}
	return seen, nil
}

// take looks at one packet of IPv4.
func (c *Capture) take(packet []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.address(packet)
	f, payload, ok := parse(packet)
	if !ok || len(payload) == 0 {
		return
	}
	c.seen.Packets++
	d := c.flows[f]
	if d == nil {
		if len(c.flows) == mostFlows {
			c.seen.Lost++
			return
		}
		d = &direction{}
		c.flows[f] = d
	}
	if !d.began {
		d.began = true
		c.begin(f, payload)
	}
	longest := 0
	text := append(d.tail, payload...)
	for _, needle := range c.needles {
		// What ends within the tail was counted before.
		if n := bytes.Count(text, needle) - bytes.Count(d.tail, needle); n > 0 {
			c.seen.Found[string(needle)] += n
		}
		longest = max(longest, len(needle)-1)
	}
	d.tail = bytes.Clone(text[max(0, len(text)-longest):])
}

// address notes where a packet goes.
func (c *Capture) address(packet []byte) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return
	}
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	if _, known := c.seen.To[to]; !known && len(c.seen.To) == mostFlows {
		c.seen.Lost++
		return
	}
	c.seen.To[to]++
}

// begin notes what a server says first; what a client says first tells less.
func (c *Capture) begin(f flow, payload []byte) {
	switch version, hello := helloOf(payload); {
	case hello == helloOfServer && version == tls13:
		c.seen.TLS13[f.from]++
	case hello == helloOfClient:
	case hello == helloOfServer, !ephemeral(f.from):
		c.seen.Other[f.from]++
	}
}

// ephemeral tells the side of a connection that dialled: Linux takes its ports from there.
func ephemeral(end netip.AddrPort) bool { return end.Port() >= 32768 }

// parse returns the payload of a segment of TCP over IPv4.
func parse(packet []byte) (f flow, payload []byte, ok bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_TCP {
		return f, nil, false
	}
	head, total := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if total == 0 || total > len(packet) {
		total = len(packet) // the kernel has put segments together
	}
	if total < head+20 {
		return f, nil, false
	}
	segment := packet[head:total]
	offset := int(segment[12]>>4) * 4
	if offset > len(segment) {
		return f, nil, false
	}
	f.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(packet[12:16])), binary.BigEndian.Uint16(segment))
	f.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(packet[16:20])), binary.BigEndian.Uint16(segment[2:]))
	return f, segment[offset:], true
}

// The messages by which TLS begins.
const (
	helloOfClient uint8 = 1
	helloOfServer uint8 = 2
)

// helloOf returns what a record with the server's hello agrees on; kind is 0 where it is no hello. A
// client offers versions, and its hello may go on in the next segment: of that the kind is enough.
func helloOf(payload []byte) (version uint16, kind uint8) {
	const handshake, record, random, supportedVersions = 22, 5 + 4, 2 + 32, 43
	if len(payload) <= record+random || payload[0] != handshake {
		return 0, 0
	}
	kind, rest := payload[5], payload[record:]
	if kind != helloOfServer {
		return 0, kind
	}
	version = binary.BigEndian.Uint16(rest)
	// The session, a suite, a compression and the length of all extensions.
	skip := random + 1 + int(rest[random]) + 2 + 1 + 2
	for rest = rest[min(skip, len(rest)):]; len(rest) >= 4; {
		name, length := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if name == supportedVersions && len(rest) >= 6 {
			return binary.BigEndian.Uint16(rest[4:]), kind
		}
		rest = rest[min(4+length, len(rest)):]
	}
	return version, kind
}

// String is all of it in one line.
func (s Seen) String() string {
	return fmt.Sprintf("%d packets, to %v, found %v, TLS 1.3 %v, other %v", s.Packets, s.To, s.Found, s.TLS13, s.Other)
}
