//go:build !linux

package redirect

import (
	"net"
	"net/netip"
)

// Apply says that there are no rules here.
func (*Rules) Apply() error { return ErrElsewhere }

// Original says that nothing is redirected here.
func Original(*net.TCPConn) (netip.AddrPort, error) { return netip.AddrPort{}, ErrElsewhere }
