package proxytest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// given are the ports that this process has had: who got one may not listen yet.
var given sync.Map

// FreePort is a port of loopback that nobody listens on, and nobody in this process got
// before. It lies below those that the kernel gives to whoever calls: one of these is soon
// somebody's again.
func FreePort(tb testing.TB) int {
	tb.Helper()
	const first, count, tries = 20_000, 12_000, 100
	for range tries {
		port := first + rand.N(count) //nolint:gosec // nobody has to be surprised
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			tb.Fatal(err)
		}
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		return port
	}
	tb.Fatal("there is no free port")
	return 0
}
