package inbound

import (
	"errors"
	"io"
	"net"
	"sync"
)

const spliceBytes = 16 << 10

var spliceBuffers = sync.Pool{New: func() any { return new([spliceBytes]byte) }}

// closer is a connection of which one direction can end.
type closer interface {
	net.Conn
	CloseWrite() error
}

// splice passes bytes both ways until both directions have ended. A direction that ends
// well ends on the other side too, and the rest goes on; one that breaks ends all.
func splice(a, b closer) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		carry(a, b)
	}()
	carry(b, a)
	<-done
}

// carry copies one direction.
func carry(to, from closer) {
	buffer := spliceBuffers.Get().(*[spliceBytes]byte) //nolint:errcheck // the pool holds nothing else
	defer spliceBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && to.CloseWrite() == nil {
			return
		}
		_, _ = to.Close(), from.Close()
		return
	}
}
