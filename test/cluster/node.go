package cluster

import (
	"fmt"
	"net"
	"net/netip"
)

// podRange is that of the pods of a local cluster's real node.
var podRange = netip.MustParsePrefix("10.244.0.0/16")

// NodeAddress is where pods reach the real node in whose network this process stands.
func NodeAddress() (netip.Addr, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking for the node's addresses: %w", err)
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && podRange.Contains(prefix.Addr()) {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the node has no address among pods: %v", addresses)
}
