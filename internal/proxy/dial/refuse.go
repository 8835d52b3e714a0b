package dial

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// metadata are addresses at which clouds tell any caller whose machine it is, beside the
// link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

// Networks of IPv6 that lead to addresses of IPv4, with where those stand in them.
var carriers = []struct {
	prefix netip.Prefix
	at     int
	flip   uint32
}{
	{netip.MustParsePrefix("::/96"), 12, 0},              // compatible, RFC 4291, section 2.5.5.1
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},       // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, 0},     // NAT64 of one's own, RFC 8215, as /96
	{netip.MustParsePrefix("2002::/16"), 2, 0},           // 6to4, RFC 3056
	{netip.MustParsePrefix("2001::/32"), 12, ^uint32(0)}, // Teredo, RFC 4380
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0},    // translated, RFC 2765
}

// thisNetwork is never a destination (RFC 1122, section 3.2.1.3); systems take it for
// their own.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// forms are an address and those of IPv4 that it leads to as well.
func forms(a netip.Addr) []netip.Addr {
	a = a.WithZone("").Unmap()
	all := []netip.Addr{a}
	if a.Is4() {
		return all
	}
	bytes := a.As16()
	for _, c := range carriers {
		if c.prefix.Contains(a) {
			all = append(all, netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(bytes[c.at:])^c.flip))))
		}
	}
	// ISATAP (RFC 5214) has them behind any prefix.
	if id := binary.BigEndian.Uint32(bytes[8:]); id&^(1<<25) == 0x5efe {
		all = append(all, netip.AddrFrom4([4]byte(bytes[12:])))
	}
	return all
}

// leadsInside reports whether an address is the pod's own, the node's, or nobody's in
// particular.
func leadsInside(a netip.Addr) bool {
	return a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() ||
		thisNetwork.Contains(a) || a == broadcast || slices.Contains(metadata, a)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
