package redirect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// originalDestination is SO_ORIGINAL_DST of IPv4, and IP6T_SO_ORIGINAL_DST of IPv6.
const originalDestination = 80

// Original is the address that whoever opened a redirected connection meant.
func Original(conn *net.TCPConn) (netip.AddrPort, error) {
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading where a connection came: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading where a connection was meant to go: %w", err)
	}
	var meant netip.AddrPort
	var failed error
	read := original6
	if local.Addr().Unmap().Is4() {
		read = original4
	}
	if err := raw.Control(func(fd uintptr) { meant, failed = read(int(fd)) }); err != nil {
		failed = err
	}
	if errors.Is(failed, unix.ENOENT) {
		return netip.AddrPort{}, ErrNotRedirected
	}
	if failed != nil {
		return netip.AddrPort{}, fmt.Errorf("reading where a connection was meant to go: %w", failed)
	}
	if meant == netip.AddrPortFrom(local.Addr().Unmap(), local.Port()) {
		return netip.AddrPort{}, ErrNotRedirected
	}
	return meant, nil
}

// original4 borrows the shape of another option for a struct sockaddr_in: family, port,
// address.
func original4(fd int) (netip.AddrPort, error) {
	filled, err := unix.GetsockoptIPv6Mreq(fd, unix.IPPROTO_IP, originalDestination)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port := binary.BigEndian.Uint16(filled.Multiaddr[2:4])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(filled.Multiaddr[4:8])), port), nil
}

// original6 borrows likewise for a struct sockaddr_in6.
func original6(fd int) (netip.AddrPort, error) {
	filled, err := unix.GetsockoptIPv6MTUInfo(fd, unix.IPPROTO_IPV6, originalDestination)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// The port is kept as the network has it.
	port := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, filled.Addr.Port))
	return netip.AddrPortFrom(netip.AddrFrom16(filled.Addr.Addr), port), nil
}
