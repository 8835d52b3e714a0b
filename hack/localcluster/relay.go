package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// relay lets the host reach ports of a sandbox's loopback under the same numbers on its own.
// So one kubeconfig serves on both sides, no address of the host's network is touched, and
// nothing but this process connects the two.
type relay struct {
	box       *sandbox
	listeners []net.Listener
	stop      context.CancelFunc
	pairs     sync.WaitGroup
}

func newRelay(box *sandbox, ports ...int) (*relay, error) {
	ctx, stop := context.WithCancel(context.Background())
	r := &relay{box: box, stop: stop}
	for _, port := range ports {
		l, err := net.Listen("tcp4", loopback(port))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("relaying into the sandbox: %w", err), r.close())
		}
		r.listeners = append(r.listeners, l)
		r.pairs.Go(func() { r.accept(ctx, l, loopback(port)) })
	}
	return r, nil
}

// accept serves until the listener is closed.
func (r *relay) accept(ctx context.Context, l net.Listener, address string) {
	for {
		outside, err := l.Accept()
		if err != nil {
			return
		}
		r.pairs.Go(func() { r.pair(ctx, outside, address) })
	}
}

// pair copies both ways. A side that has said all is told to the other; the end of the relay cuts both.
func (r *relay) pair(ctx context.Context, outside net.Conn, address string) {
	defer outside.Close()
	inside, err := r.dial(ctx, address)
	if err != nil {
		return // a refused connection is what the caller sees, as it would without us
	}
	defer inside.Close()
	cut := context.AfterFunc(ctx, func() {
		_ = outside.Close()
		_ = inside.Close()
	})
	defer cut()
	var both sync.WaitGroup
	both.Go(func() { oneWay(inside, outside) })
	both.Go(func() { oneWay(outside, inside) })
	both.Wait()
}

func oneWay(to, from net.Conn) {
	_, _ = io.Copy(to, from) // whatever ends it, the peer learns of it by the half-close
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// dial connects in the sandbox's network: a socket belongs to the network of the thread that made it.
func (r *relay) dial(ctx context.Context, address string) (conn net.Conn, err error) {
	r.box.atNetwork(func() {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
	})
	return conn, err
}

func (r *relay) close() error {
	var errs []error
	for _, l := range r.listeners {
		errs = append(errs, l.Close())
	}
	r.stop()
	r.pairs.Wait()
	return errors.Join(errs...)
}
