package issuer

import (
	"net"
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// limits is a rate for each key, such as an address or a pod. It is bounded: keys
// that have not asked for a while are forgotten, and where there is still no room
// nobody new is heard.
type limits struct {
	clock clock.PassiveClock
	every rate.Limit
	burst int
	most  int

	mu    sync.Mutex
	byKey map[string]*rate.Limiter
}

func newLimits(c clock.PassiveClock, every rate.Limit, burst, most int) *limits {
	return &limits{clock: c, every: every, burst: burst, most: most, byKey: map[string]*rate.Limiter{}}
}

// allow takes one from a key's allowance.
func (l *limits) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	limiter, known := l.byKey[key]
	if !known {
		if len(l.byKey) >= l.most {
			for other, idle := range l.byKey {
				if idle.TokensAt(now) >= float64(l.burst) {
					delete(l.byKey, other)
				}
			}
		}
		if len(l.byKey) >= l.most {
			return false
		}
		limiter = rate.NewLimiter(l.every, l.burst)
		l.byKey[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// narrow lets so many connections in at once. Others wait outside, where they cost
// nothing here, until one of those ends or runs into its time limits.
func narrow(listener net.Listener, most int) net.Listener {
	return &narrowListener{Listener: listener, room: make(chan struct{}, most), closed: make(chan struct{})}
}

type narrowListener struct {
	net.Listener
	room   chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept waits for room, then for a connection.
func (l *narrowListener) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	connection, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &narrowConn{Conn: connection, leave: sync.OnceFunc(func() { <-l.room })}, nil
}

// Close lets nobody in any more.
func (l *narrowListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type narrowConn struct {
	net.Conn
	leave func()
}

// Close gives the room back.
func (c *narrowConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
