package inbound

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

// grace is how long a body may be slow before its rate counts.
const grace = 30 * time.Second

var errSlow = errors.New("the body is too slow")

// caller is a peer's end of a connection, with the patience that it deserves.
type caller struct {
	splice.Conn
	now    func() time.Time
	limits *config.Limits

	first           [1]byte   // of a request that has begun
	readBy, writeBy time.Time // the deadlines that are set
	// body says that a body is read: got bytes in waited time count.
	body   bool
	got    int64
	waited time.Duration
	// stopped ends reads for good, also those that are about to begin.
	stopped atomic.Bool
}

// await waits for the first byte of a request.
func (c *caller) await() error {
	c.body = false
	if err := c.until(c.now(), time.Duration(c.limits.IdleTimeout)); err != nil {
		return err
	}
	_, err := c.Conn.Read(c.first[:])
	return err
}

// head gives the head from now on so long and no longer.
func (c *caller) head() error {
	c.body = false
	return c.until(c.now(), time.Duration(c.limits.HeadTimeout))
}

// startBody counts from now on.
func (c *caller) startBody() { c.body, c.got, c.waited = true, 0, 0 }

// until moves the deadline of reads, but not for the sake of moments.
func (c *caller) until(now time.Time, wait time.Duration) error {
	end := now.Add(wait)
	if off := end.Sub(c.readBy); off >= 0 && off < wait/16 {
		return nil
	}
	c.readBy = end
	return c.SetReadDeadline(end)
}

// Read is stopped where the head or the body is too slow. Time in which the
// application did not take what came is not the caller's.
func (c *caller) Read(p []byte) (int, error) {
	if !c.body {
		return c.Conn.Read(p)
	}
	begin := c.now()
	due := grace + time.Duration(c.got/int64(c.limits.BodyRate))*time.Second - c.waited
	if err := c.until(begin, due); err != nil {
		return 0, err
	}
	if c.stopped.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := c.Conn.Read(p)
	if isTimeout(err) && !c.stopped.Load() {
		err = errSlow
	}
	c.waited += c.now().Sub(begin)
	c.got += int64(n)
	return n, err
}

// Write is stopped where the caller does not take the answer.
func (c *caller) Write(p []byte) (int, error) {
	wait := grace + time.Duration(len(p)/c.limits.BodyRate)*time.Second
	end := c.now().Add(wait)
	if off := end.Sub(c.writeBy); off < 0 || off >= wait/16 {
		c.writeBy = end
		if err := c.SetWriteDeadline(end); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// stop ends a read that another goroutine waits in.
func (c *caller) stop() {
	c.stopped.Store(true)
	_ = c.SetReadDeadline(longAgo) // it fails where the connection is closed, which ends the read too
}

// linger reads on for a moment, so that the answer arrives before the kernel resets a
// connection with bytes that nobody took.
func (c *caller) linger() {
	const moment, most = time.Second, 256 << 10
	if c.SetReadDeadline(c.now().Add(moment)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, most) // whatever ends it, the connection ends
}

// forever takes the deadlines off: a tunnel may be silent.
func (c *caller) forever() error { return c.SetDeadline(time.Time{}) }
