package prober

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errInside means that an address is not one where callers from outside are let in.
var errInside = errors.New("the address is not at the edge of the cluster")

// neverDialled are the addresses of this host and of its link, those that lead to them by
// another name, and those where clouds tell their machines secrets. No load balancer has
// one of them.
var neverDialled = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local; the metadata of most clouds
	netip.MustParsePrefix("100.100.100.200/32"), // metadata of Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // the host of Azure's machines
	netip.MustParsePrefix("192.0.0.0/24"),       // of the protocols themselves; metadata of Oracle Cloud
	netip.MustParsePrefix("224.0.0.0/3"),        // multicast, reserved, broadcast
	netip.MustParsePrefix("::/96"),              // unspecified, loopback, IPv4 by an old name
	netip.MustParsePrefix("64:ff9b::/96"),       // IPv4 by translation
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),        // IPv4 by Teredo
	netip.MustParsePrefix("2002::/16"),        // IPv4 by 6to4
	netip.MustParsePrefix("fd00:ec2::/32"),    // metadata of AWS
	netip.MustParsePrefix("fd20:ce::254/128"), // metadata of Google Cloud
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
}

// Inside reports whether an address is one of the cluster's own: of a pod, of a Service,
// of the API server.
type Inside func(ctx context.Context, address netip.AddrPort) (bool, error)

// guard refuses connections to addresses where no caller from outside is let in. It is
// asked by the dialer about the address that it connects to, after names are resolved, so
// that no name leads around it.
type guard struct {
	never  []netip.Prefix
	inside Inside
}

func (g *guard) check(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading an address: %w", err)
	}
	to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	for _, prefix := range g.never {
		if prefix.Contains(to.Addr()) {
			return errInside
		}
	}
	switch inside, err := g.inside(ctx, to); {
	case err != nil:
		return fmt.Errorf("looking whose address it is: %w", err)
	case inside:
		return errInside
	}
	return nil
}
