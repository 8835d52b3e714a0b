package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/redirect"
)

// Capture is how traffic comes to the proxy.
type Capture string

const (
	// CaptureNames is by names and ports that lead here.
	CaptureNames Capture = "Names"
	// CaptureRedirect is by rules of the pod, whatever the application does.
	CaptureRedirect Capture = "Redirect"
)

func (c Capture) known() bool { return c == CaptureNames || c == CaptureRedirect || c == "" }

// acceptPause is how long nobody is accepted after that failed.
const acceptPause = 20 * time.Millisecond

// capture takes what the rules of the pod bring, where they do. Before a configuration is
// in force it is refused.
func (p *proxy) capture(ctx context.Context, failed chan<- error) (stop func(), err error) {
	if p.Capture != CaptureRedirect {
		return func() {}, nil
	}
	var listeners []*net.TCPListener
	stop = sync.OnceFunc(func() {
		for _, l := range listeners {
			_ = l.Close() // it is given up
		}
	})
	for _, at := range []struct {
		network, host string
		port          int
		take          func(*net.TCPConn)
	}{
		{"tcp", "", config.CaptureInbound, p.takeInbound},
		{"tcp4", "127.0.0.1", config.CaptureOutbound, p.takeOutbound},
		{"tcp6", "::1", config.CaptureOutbound, p.takeOutbound},
	} {
		l, err := new(net.ListenConfig).Listen(ctx, at.network, net.JoinHostPort(at.host, strconv.Itoa(at.port)))
		if err != nil && at.network == "tcp6" {
			continue // where there is no IPv6, nothing is redirected there
		}
		tcp, is := l.(*net.TCPListener)
		if err != nil || !is {
			stop()
			return nil, fmt.Errorf("opening port %d, where redirected traffic comes: %w", at.port, err)
		}
		listeners = append(listeners, tcp)
		go accept(ctx, tcp, at.take, failed)
	}
	return stop, nil
}

// accept hands over who comes.
func accept(ctx context.Context, l *net.TCPListener, take func(*net.TCPConn), failed chan<- error) {
	for {
		conn, err := l.AcceptTCP()
		switch {
		case err == nil:
			take(conn)
		case errors.Is(err, net.ErrClosed):
			if ctx.Err() == nil {
				failed <- fmt.Errorf("taking redirected traffic: %w", err)
			}
			return
		default: // there are no descriptors, or the caller has gone
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
		}
	}
}

// takeInbound serves who called from outside. Who came here by itself meant no port.
func (p *proxy) takeInbound(conn *net.TCPConn) {
	meant, _ := redirect.Original(conn) // nobody's is no port
	p.server.Take(conn, int(meant.Port()))
}

func (p *proxy) takeOutbound(conn *net.TCPConn) {
	meant, _ := redirect.Original(conn) // nobody's is nobody whom the configuration names
	p.ways.calls.Take(conn, meant)
}
