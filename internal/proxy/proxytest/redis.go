package proxytest

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"
)

// Redis starts a real one on loopback, which keeps nothing on disk. It stops with the
// test, or before by stop. Where there is none, the test is skipped.
func Redis(tb testing.TB, arguments ...string) (address string, stop func()) {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("redis-server is not installed; `make test` installs it where root may (apt-get install redis-server)")
	}
	port := FreePort(tb)
	arguments = append([]string{"--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--save", "", "--dir", tb.TempDir()}, arguments...)
	server := exec.Command(program, arguments...) //nolint:gosec,noctx // it ends with the test
	if err := server.Start(); err != nil {
		tb.Fatalf("starting redis-server: %v", err)
	}
	over := false
	stop = func() {
		if !over {
			over = true
			_ = server.Process.Kill()
			_ = server.Wait() // it was killed
		}
	}
	tb.Cleanup(stop)
	address = fmt.Sprint("127.0.0.1:", port)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(10 * time.Second); ; {
		if c, err := new(net.Dialer).DialContext(tb.Context(), "tcp", address); err == nil {
			_ = c.Close()
			return address, stop
		}
		select {
		case <-tick.C:
		case <-end:
			tb.Fatal("redis-server does not answer")
		}
	}
}
