package control

import (
	"cmp"
	"net/netip"
	"slices"
)

const dnsPort = 53

// NamedServers are the name servers that a profile names by their addresses, sorted.
func NamedServers(p *Profile) []netip.AddrPort {
	var servers []netip.AddrPort
	for _, server := range p.Network.DNS {
		if prefix, err := netip.ParsePrefix(server.CIDR); err == nil && prefix.IsSingleIP() {
			servers = append(servers, netip.AddrPortFrom(prefix.Addr(), uint16(cmp.Or(server.Port, dnsPort)))) //nolint:gosec // the API server bounds ports
		}
	}
	slices.SortFunc(servers, netip.AddrPort.Compare)
	return slices.Compact(servers)
}
