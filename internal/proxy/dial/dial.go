// Package dial connects to where names lead. Its promise: a name never leads back into
// the pod, to the node's own services, or to many at once.
package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Reasons for which there is no connection.
var (
	// ErrNoAddress means that the name leads nowhere outside the pod.
	ErrNoAddress = errors.New("the name has no address outside the pod")
	// ErrUnreachable means that nobody answers at any of its addresses.
	ErrUnreachable = errors.New("nobody answers")
)

// Lookup is where a name leads. It never asks the pod's own resolver.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// Func connects to a host, a name or an address.
type Func func(ctx context.Context, host string, port uint16) (*net.TCPConn, error)

// attempt is how long one address of several may take.
const attempt = 4 * time.Second

// KeepAlive finds out within two minutes that an end has gone.
var KeepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 6}

// Out connects to where names lead outside the pod. Addresses are tried in the order in
// which they were found.
func Out(lookup Lookup) Func {
	return func(ctx context.Context, host string, port uint16) (*net.TCPConn, error) {
		addresses, err := outside(ctx, lookup, host)
		if err != nil {
			return nil, err
		}
		return first(ctx, addresses, port)
	}
}

func first(ctx context.Context, addresses []netip.Addr, port uint16) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: attempt, KeepAliveConfig: KeepAlive}
	for _, a := range addresses {
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a, port).String())
		if tcp, is := conn.(*net.TCPConn); err == nil && is {
			return tcp, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, ErrUnreachable
}

func outside(ctx context.Context, lookup Lookup, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := lookup(ctx, host)
	if err != nil {
		return nil, ErrNoAddress // what name servers say may quote the name
	}
	var outside []netip.Addr
	for _, a := range found {
		a = a.Unmap()
		if !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast() {
			outside = append(outside, a)
		}
	}
	if len(outside) == 0 {
		return nil, ErrNoAddress
	}
	return outside, nil
}
