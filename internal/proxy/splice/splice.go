// Package splice joins two connections. Its promise: every byte arrives in its order, an
// end of one direction is passed on and leaves the other one alone, and when Join returns
// both connections are closed.
package splice

import (
	"io"
	"net"
	"sync"
)

// Conn is a connection of which one direction can end before the other, such as
// *net.TCPConn and *tls.Conn.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// chunk is how much is read at once: what one record of TLS holds.
const chunk = 16 << 10

var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// Join carries bytes both ways until both directions have ended or one has failed.
func Join(a, b Conn) {
	var failed sync.Once
	cut := func() { _, _ = a.Close(), b.Close() }
	carry := func(to, from Conn) {
		if _, err := Copy(to, from); err != nil || to.CloseWrite() != nil {
			failed.Do(cut)
		}
	}
	var wait sync.WaitGroup
	wait.Go(func() { carry(a, b) })
	carry(b, a)
	wait.Wait()
	failed.Do(cut)
}

// Copy carries bytes until the source ends. Between two plain connections the kernel
// does; otherwise one buffer of the pool is held meanwhile.
func Copy(to io.Writer, from io.Reader) (int64, error) {
	if tcp, is := to.(*net.TCPConn); is {
		if _, is := from.(*net.TCPConn); is {
			return tcp.ReadFrom(from)
		}
	}
	buffer, _ := buffers.Get().(*[chunk]byte) // nothing else is put in
	defer buffers.Put(buffer)
	// Without the disguise the writer brings a buffer of its own.
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buffer[:])
}
