// Package dial connects to where names lead. Its promise: a name never leads back into
// the pod, to the node's own services, or to many at once.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Reasons for which there is no connection.
var (
	// ErrNoAddress means that the name leads nowhere outside the pod.
	ErrNoAddress = errors.New("the name has no address outside the pod")
	// ErrUnreachable means that nobody answers at any of its addresses.
	ErrUnreachable = errors.New("nobody answers")
	// errRefused means that a host answers, and that nobody there listens.
	errRefused = fmt.Errorf("%w: nobody listens", ErrUnreachable)
)

// Lookup is where a name leads. It never asks the pod's own resolver.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// Func connects to a host, a name or an address.
type Func func(ctx context.Context, host string, port uint16) (*net.TCPConn, error)

// attempt is how long one address of several may take.
const attempt = 4 * time.Second

// KeepAlive finds out within two minutes that an end has gone.
var KeepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 6}

// Refuses reports whether an address is dialled for nobody. It is asked of every address
// to which a name leads, and of those of IPv4 that it carries.
type Refuses func(netip.Addr) bool

// Out connects to where names lead outside the pod, but to no address that is refused
// beside; nil refuses none. Addresses are tried in the order in which they were found.
func Out(lookup Lookup, refuses Refuses) Func {
	return func(ctx context.Context, host string, port uint16) (*net.TCPConn, error) {
		addresses, err := outside(ctx, lookup, refuses, host)
		if err != nil {
			return nil, err
		}
		return first(ctx, addresses, port)
	}
}

// Outside is where names lead outside the pod, as Out dials them.
func Outside(lookup Lookup) Lookup {
	return func(ctx context.Context, name string) ([]netip.Addr, error) { return outside(ctx, lookup, nil, name) }
}

// Behind the one address of a Service are many pods, of which one may just have ended:
// whoever refuses has heard nothing, and another one may answer at the same address.
const (
	dials = 4
	pause = 100 * time.Millisecond
)

// Anew dials once more, and a few times, where somebody refuses.
func Anew(connect Func) Func {
	return func(ctx context.Context, host string, port uint16) (*net.TCPConn, error) {
		for dialled := 1; ; dialled++ {
			conn, err := connect(ctx, host, port)
			if !errors.Is(err, errRefused) || dialled == dials {
				return conn, err
			}
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(pause):
			}
		}
	}
}

func first(ctx context.Context, addresses []netip.Addr, port uint16) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: attempt, KeepAliveConfig: KeepAlive}
	failure := ErrUnreachable
	for _, a := range addresses {
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a, port).String())
		if tcp, is := conn.(*net.TCPConn); err == nil && is {
			return tcp, nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			failure = errRefused
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failure
}

func outside(ctx context.Context, lookup Lookup, refuses Refuses, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := lookup(ctx, host)
	if err != nil {
		return nil, ErrNoAddress // what name servers say may quote the name
	}
	var outside []netip.Addr
	for _, a := range found {
		refused := func(form netip.Addr) bool { return leadsInside(form) || refuses != nil && refuses(form) }
		if a = a.Unmap(); !slices.ContainsFunc(forms(a), refused) {
			outside = append(outside, a)
		}
	}
	if len(outside) == 0 {
		return nil, ErrNoAddress
	}
	return outside, nil
}
