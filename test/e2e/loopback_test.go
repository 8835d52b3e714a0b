package e2e_test

import (
	"errors"
	"net/netip"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// outside is an address that the operator takes for one outside the cluster. It is the
// loopback device's for as long as the spec runs: what goes there does not leave the
// machine, and from elsewhere nobody reaches who listens there.
func outside() string {
	GinkgoHelper()
	return onLoopback("lo:hipaa", netip.AddrFrom4([4]byte{198, 51, 100, 66}))
}

// onLoopback gives the loopback device an address under a label, until the spec ends.
func onLoopback(name string, address netip.Addr) string {
	GinkgoHelper()
	if os.Geteuid() != 0 {
		Skip("only root gives the loopback device an address that is not its own, and nothing here is shown without")
	}
	label(name, unix.SIOCSIFADDR, func(l *unix.Ifreq) error { return l.SetInet4Addr(address.AsSlice()) })
	label(name, unix.SIOCSIFNETMASK, func(l *unix.Ifreq) error { return l.SetInet4Addr([]byte{255, 255, 255, 255}) })
	DeferCleanup(func() {
		label(name, unix.SIOCSIFFLAGS, func(*unix.Ifreq) error { return nil })
	})
	return address.String()
}

// label sets something of an address of the loopback device; without flags it goes.
func label(name string, request uint, set func(*unix.Ifreq) error) {
	GinkgoHelper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(unix.Close(socket)).To(Succeed()) }()
	l, err := unix.NewIfreq(name)
	Expect(err).NotTo(HaveOccurred())
	Expect(set(l)).To(Succeed())
	err = unix.IoctlIfreq(socket, request, l)
	if errors.Is(err, unix.EPERM) {
		Skip("this sandbox's root may not give the loopback device an address, and nothing here is shown without")
	}
	Expect(err).NotTo(HaveOccurred())
}
