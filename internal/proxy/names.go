package proxy

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

const (
	// restartAfter is how long names are not answered once that has failed, twice as long
	// after each failure that follows soon, and at most restartAtMost.
	restartAfter  = 100 * time.Millisecond
	restartAtMost = 30 * time.Second
)

// answering answers questions for names, and begins anew where that ends.
type answering struct {
	// listen opens where questions come, and serve answers them until the context ends.
	listen func(ctx context.Context) (net.PacketConn, net.Listener, error)
	serve  func(ctx context.Context, packets net.PacketConn, listener net.Listener) error
	now    func() time.Time
	// failed is told of each failure.
	failed func(error)

	// problem is why nobody is answered, nil while somebody is.
	problem atomic.Pointer[error]
}

// run goes on until the context ends.
func (a *answering) run(ctx context.Context, packets net.PacketConn, listener net.Listener) {
	wait := restartAfter
	for {
		begun := a.now()
		err := a.serve(ctx, packets, listener)
		if ctx.Err() != nil {
			return
		}
		if a.now().Sub(begun) > restartAtMost {
			wait = restartAfter
		}
		for {
			a.fail(err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			wait = min(2*wait, restartAtMost)
			if packets, listener, err = a.listen(ctx); err == nil {
				break
			}
		}
		a.problem.Store(nil)
	}
}

// fail notes why nobody is answered now.
func (a *answering) fail(err error) {
	a.problem.Store(&err)
	a.failed(err)
}

// silence is why nobody is answered, nil where nobody should be or somebody is.
func (a *answering) silence() error {
	if problem := a.problem.Load(); problem != nil {
		return *problem
	}
	return nil
}
