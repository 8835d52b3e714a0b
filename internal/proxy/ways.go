package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/outbound"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/resolver"
)

// ways are how calls leave: the names that the application asks for, the calls that it
// opens by them, and, where this is the gate, those of others.
type ways struct {
	options Options
	calls   outbound.Calls
	names   resolver.Server
	gate    egress.Gate

	// answers ends the answers to questions for names; nil while there are none.
	answers   func()
	answering answering
	// port is where the gate serves, 0 while it does not.
	port int
}

func newWays(o Options, v *identity.Verifier, m *metrics) *ways {
	upstreams := &resolver.Upstreams{Now: o.Now}
	w := &ways{
		options: o,
		calls: outbound.Calls{Verifier: v, Dial: dial.Anew(dial.Out(upstreams.Service, nil)), Now: o.Now, Observe: func(trust config.Trust, outcome outbound.Outcome) {
			m.calls.With(prometheus.Labels{labelTrust: string(trust), labelOutcome: string(outcome)}).Inc()
		}},
		names: resolver.Server{Upstreams: upstreams, Observe: func(outcome resolver.Outcome) {
			m.names.With(prometheus.Labels{labelOutcome: string(outcome)}).Inc()
		}},
		gate: egress.Gate{Verifier: v, Now: o.Now, Observe: func(outcome egress.Outcome) {
			m.egress.With(prometheus.Labels{labelOutcome: string(outcome)}).Inc()
		}},
	}
	if o.Capture == CaptureRedirect {
		w.calls.Captured = dial.Outside(upstreams.Service)
	}
	w.answering = answering{listen: w.listen, serve: w.names.Serve, now: o.Now, failed: func(err error) {
		m.silences.Inc()
		o.Log.Error("Questions for names are not answered", "error", err)
	}}
	w.gate.Dial = dial.Out(upstreams.Lookup, w.gate.Refuses)
	return w
}

// apply lets calls leave by a configuration. What fails may succeed later; the rest is in
// force. A name leads to an address only once somebody listens there.
func (w *ways) apply(ctx context.Context, c *config.Configuration) error {
	calls := w.calls.Apply(c)
	w.names.Apply(c)
	w.gate.Apply(c)
	return errors.Join(calls, w.answer(ctx, c), w.open(ctx, c))
}

// answer begins to answer questions for names, once a configuration asks for it.
func (w *ways) answer(ctx context.Context, c *config.Configuration) error {
	if c.Resolver == nil || w.answers != nil {
		return nil
	}
	packets, listener, err := w.listen(ctx)
	if err != nil {
		w.answering.fail(err)
		return err
	}
	w.answering.problem.Store(nil)
	over, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.answering.run(over, packets, listener)
	}()
	w.answers = func() { stop(); <-ended }
	return nil
}

// listen opens where questions for names come.
func (w *ways) listen(ctx context.Context) (net.PacketConn, net.Listener, error) {
	var listen net.ListenConfig
	packets, err := listen.ListenPacket(ctx, "udp4", w.options.Resolver)
	if err != nil {
		return nil, nil, fmt.Errorf("answering questions for names: %w", err)
	}
	listener, err := listen.Listen(ctx, "tcp4", w.options.Resolver)
	if err != nil {
		_ = packets.Close() // nobody has asked yet
		return nil, nil, fmt.Errorf("answering questions for names: %w", err)
	}
	return packets, listener, nil
}

// open serves the gate where a configuration says, and nowhere else.
func (w *ways) open(ctx context.Context, c *config.Configuration) error {
	port := 0
	if c.Egress != nil {
		port = c.Egress.Listen
	}
	if port == w.port {
		return nil
	}
	if w.port != 0 {
		w.gate.Close()
		w.port = 0
	}
	if port == 0 {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(w.options.Host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("opening the gate: %w", err)
	}
	w.gate.Open(listener)
	w.port = port
	return nil
}

// gated reports whether the gate serves where a configuration asks for one.
func (w *ways) gated(c *config.Configuration) bool {
	return c.Egress == nil || c.Egress.Listen == w.port
}

// sweep ends what has lasted for too long.
func (w *ways) sweep() {
	w.calls.Sweep()
	w.gate.Sweep()
}

// end takes no more calls, and waits for those there are until the context ends. Names
// are answered to the last.
func (w *ways) end(ctx context.Context) {
	w.gate.Shutdown(ctx)
	w.calls.Shutdown(ctx)
	if w.answers != nil {
		w.answers()
	}
}
