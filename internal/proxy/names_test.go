package proxy

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever ends the answers, they begin anew, and until then it is told.
func TestAnswersBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends, broken := make(chan error), errors.New("broken")
		var shut atomic.Pointer[error]
		var served, failures atomic.Int64
		a := answering{
			now: time.Now, failed: func(error) { failures.Add(1) },
			listen: func(context.Context) (net.PacketConn, net.Listener, error) {
				if err := shut.Load(); err != nil {
					return nil, nil, *err
				}
				return nil, nil, nil
			},
			serve: func(ctx context.Context, _ net.PacketConn, _ net.Listener) error {
				served.Add(1)
				select {
				case err := <-ends:
					return err
				case <-ctx.Done():
					return nil
				}
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { a.run(ctx, nil, nil); close(ended) }()
		expect := func(when string, wantServed, wantFailures int64, silent bool) {
			t.Helper()
			synctest.Wait()
			if served.Load() != wantServed || failures.Load() != wantFailures || (a.silence() != nil) != silent {
				t.Errorf("%s: served %d times, %d failures, silent for %v", when, served.Load(), failures.Load(), a.silence())
			}
		}
		expect("at first", 1, 0, false)
		ends <- broken
		expect("after an end", 1, 1, true)
		time.Sleep(restartAfter) //nolint:forbidigo // the bubble's clock
		expect("after the first wait", 2, 1, false)
		shut.Store(&broken)
		ends <- broken
		time.Sleep(2 * restartAfter) //nolint:forbidigo // the bubble's clock
		expect("while the address is taken", 2, 3, true)
		shut.Store(nil)
		time.Sleep(restartAtMost) //nolint:forbidigo // the bubble's clock
		expect("once it is free", 3, 3, false)
		time.Sleep(2 * restartAtMost) //nolint:forbidigo // the bubble's clock
		ends <- broken
		time.Sleep(restartAfter) //nolint:forbidigo // the bubble's clock
		expect("after a long time", 4, 4, false)
		ends <- broken
		stop()
		<-ended
	})
}
