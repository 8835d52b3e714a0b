package inbound

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	maxIdle     = 64
	maxIdleTime = time.Minute
)

// source is the address that the application sees. Database images trust 127.0.0.1 and
// ::1 without a password; they do not trust this one.
var source = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 6)}

// application is where one port is forwarded to, with the connections that wait there.
type application struct {
	port int
	// pod is the pod's own address, where applications listen that shun loopback.
	pod netip.Addr
	now func() time.Time

	shuns atomic.Bool // loopback refused last time
	mu    sync.Mutex
	idle  []*appConn
	ended bool
}

// appConn is one connection to the application.
type appConn struct {
	*net.TCPConn
	raw    syscall.RawConn
	now    func() time.Time
	wait   time.Duration
	born   time.Time
	set    atomic.Int64 // the deadline that is set, as time since it was born: both directions move it
	since  time.Time    // when it became idle
	used   bool
	poke   func(fd uintptr) bool
	silent bool
}

// Read waits for the application no longer than it may take.
func (c *appConn) Read(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.TCPConn.Read(p)
}

// Write waits for the application no longer than it may take.
func (c *appConn) Write(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.TCPConn.Write(p)
}

// extend moves the deadline, but not for the sake of moments.
func (c *appConn) extend() error {
	if c.wait == 0 {
		return nil
	}
	end := c.now().Add(c.wait)
	after := int64(end.Sub(c.born))
	if after-c.set.Load() < int64(c.wait/16) {
		return nil
	}
	c.set.Store(after)
	return c.SetDeadline(end)
}

// forever takes the deadline off: a tunnel may be silent.
func (c *appConn) forever() error {
	c.wait = 0
	return c.SetDeadline(time.Time{})
}

// alive reports whether the connection is open and silent. Bytes that nobody asked for
// would be taken for the next answer.
func (c *appConn) alive() bool {
	c.silent = false
	err := c.raw.Read(c.poke)
	return err == nil && c.silent
}

// get is a connection that waits, or a new one.
func (a *application) get(wait time.Duration, fresh bool) (*appConn, error) {
	for !fresh {
		c := a.pop()
		if c == nil {
			break
		}
		if a.now().Sub(c.since) < maxIdleTime && c.alive() {
			c.used, c.wait = true, wait
			return c, nil
		}
		_ = c.Close()
	}
	return a.dial(context.Background(), wait)
}

func (a *application) pop() *appConn {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.idle) - 1
	if n < 0 {
		return nil
	}
	c := a.idle[n]
	a.idle[n] = nil
	a.idle = a.idle[:n]
	return c
}

// put lets a connection wait for the next request. Those that waited too long go.
func (a *application) put(c *appConn) {
	now := a.now()
	c.since = now
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		_ = c.Close()
		return
	}
	for len(a.idle) > 0 && (len(a.idle) >= maxIdle || now.Sub(a.idle[0].since) > maxIdleTime) {
		_ = a.idle[0].Close()
		a.idle = append(a.idle[:0], a.idle[1:]...)
	}
	a.idle = append(a.idle, c)
}

// close lets nobody wait any more.
func (a *application) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.idle {
		_ = c.Close()
	}
	a.idle, a.ended = nil, true
}

// dial connects to loopback, and where nobody listens there to the pod's address.
func (a *application) dial(ctx context.Context, wait time.Duration) (*appConn, error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if !a.pod.IsValid() {
		return a.connect(ctx, loopback, wait)
	}
	first, second := loopback, a.pod
	shuns := a.shuns.Load()
	if shuns {
		first, second = second, first
	}
	c, err := a.connect(ctx, first, wait)
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return c, err
	}
	if c, err = a.connect(ctx, second, wait); err == nil {
		a.shuns.Store(!shuns)
	}
	return c, err
}

// Dial connects to a port of the application as requests do.
func (s *Server) Dial(ctx context.Context, port int) (net.Conn, error) {
	a := &application{port: port, pod: s.Pod, now: s.Now}
	return a.dial(ctx, 0)
}

func (a *application) connect(ctx context.Context, to netip.Addr, wait time.Duration) (*appConn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Control: bindLate}
	if to.Is4() {
		dialer.LocalAddr = source
	}
	c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(to.String(), strconv.Itoa(a.port)))
	if err != nil {
		return nil, err
	}
	return newAppConn(c.(*net.TCPConn), a.now, wait) //nolint:errcheck // tcp gives nothing else
}

func newAppConn(tcp *net.TCPConn, now func() time.Time, wait time.Duration) (*appConn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &appConn{TCPConn: tcp, raw: raw, now: now, born: now(), wait: wait}
	var one [1]byte
	c.poke = func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), one[:])
		c.silent = errors.Is(err, syscall.EAGAIN)
		return true
	}
	return c, nil
}

// bindLate lets the kernel choose the port when it knows the other end, so that it need
// not be unused altogether.
func bindLate(_, _ string, raw syscall.RawConn) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	const ipBindAddressNoPort = 24
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	})
	return errors.Join(err, failed)
}
