// Package proxy is phi-proxy as a whole. Its promise: it is closed until it has a valid
// configuration, a certificate and roots; what it cannot read later never replaces what
// it has; and when it ends, what is under way finishes.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/inbound"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// Options say where a proxy finds what it needs.
type Options struct {
	// Configuration and Certificates are directories that are read anew all the time.
	// Certificates counts where there is no issuer.
	Configuration, Certificates string
	// Issuer gives the certificate.
	Issuer Issuer
	// WorkloadUID and MinimumGeneration are what admission pinned in the pod: a
	// configuration has to be signed for that workload, no earlier than that.
	WorkloadUID       string
	MinimumGeneration int64
	// State is a directory that outlives the process, where it keeps what it took last:
	// it takes nothing older when it starts anew. Where it is empty nothing is kept.
	State string
	// SignatureGrace is for how long after the end of its signer's certificate a
	// configuration is still taken. One that is in force stays beyond that.
	SignatureGrace time.Duration
	// Unsigned takes configurations of whoever can write them. It stands where no
	// workload is pinned: by hand, and in tests.
	Unsigned bool
	// Host is the address to listen on; all where it is empty.
	Host string
	// Capture is how traffic comes here.
	Capture Capture
	// Resolver is where questions for names are answered, as address:port.
	Resolver string
	// Pod is the pod's address, for applications that do not listen on loopback.
	Pod netip.Addr
	// ProbePort is where the kubelet asks about the application, AdminPort where
	// readiness and metrics are.
	ProbePort, AdminPort int
	// Reload is how often the directories are read.
	Reload time.Duration
	// Drain is how long what is under way may take once the proxy is told to end.
	Drain time.Duration
	Now   func() time.Time
	Log   *slog.Logger
	// Records takes what happens to users, where the configuration names no file.
	Records io.Writer
}

// proxy is one that runs.
type proxy struct {
	Options

	keeper   *keeper
	server   *inbound.Server
	people   *people
	ways     *ways
	probes   asker
	registry *prometheus.Registry
	metrics  *metrics

	mu sync.Mutex
	// taken is what all of current came from, nil where a part of it could not be
	// served; bad is what was found to be wrong, whatever comes.
	taken, bad *found
	// current is in force, signed when the certificate of its signer ends.
	current *config.Configuration
	signed  time.Time
	// whole says that every port of peers of some configuration was open.
	whole bool
	// floor is what is taken at least.
	floor *floor
	// configuration and certificate are what is wrong with them, nil where nothing is.
	configuration, certificate error
	ending                     bool
}

// check says what is missing or contradicts itself.
func (o *Options) check() error {
	switch {
	case o.Unsigned == (o.WorkloadUID != ""):
		return errors.New("either the uid of a workload is needed, for which configurations are signed (--workload-uid), or the word that they are not (--unsigned)")
	case !o.Unsigned && o.MinimumGeneration < 1:
		return fmt.Errorf("the minimum generation is %d; generations begin at 1", o.MinimumGeneration)
	case !o.Capture.known():
		return fmt.Errorf("--capture is neither %s nor %s; set one of them", CaptureNames, CaptureRedirect)
	case o.SignatureGrace < 0:
		return errors.New("the grace of signatures is less than nothing")
	case o.Unsigned && o.State != "":
		return errors.New("--state-dir keeps the generation that was signed; with --unsigned there is none")
	}
	return nil
}

func newProxy(o Options) (*proxy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &proxy{Options: o, registry: prometheus.NewRegistry()}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.metrics = newMetrics(p.registry, p.expiry)
	var err error
	if p.floor, err = newFloor(&p.Options); err != nil {
		return nil, err
	}
	if p.keeper, err = newKeeper(&p.Options, p.metrics); err != nil {
		return nil, err
	}
	verifier := &identity.Verifier{Source: p.keeper, Now: o.Now, Outage: p.keeper.outage}
	p.ways = newWays(o, verifier, p.metrics)
	p.people = newPeople(o, users.NewMetrics(p.registry))
	p.server = &inbound.Server{
		Verifier: verifier,
		Metrics:  inbound.NewMetrics(p.registry),
		Now:      o.Now,
		Host:     o.Host,
		Pod:      o.Pod,
		Users:    p.people.gate,
		Captured: o.Capture == CaptureRedirect,
	}
	p.probes.dial = p.server.Dial
	return p, nil
}

// Run serves until the context ends, and then as long as what is under way takes.
func Run(ctx context.Context, o Options) error {
	p, err := newProxy(o)
	if err != nil {
		return err
	}
	failed := make(chan error, 8) // one for each listener
	var stops []func()
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	for port, handler := range map[int]http.Handler{o.ProbePort: http.HandlerFunc(p.probe), o.AdminPort: p.admin()} {
		stop, err := p.listen(ctx, port, handler, failed)
		if err != nil {
			return err
		}
		stops = append(stops, stop)
	}
	closeCapture, err := p.capture(ctx, failed)
	if err != nil {
		return err
	}
	defer closeCapture()
	stops = append(stops, p.keep(ctx), until(ctx, p.people.gate.Run))
	tick := time.NewTicker(o.Reload)
	defer tick.Stop()
	for {
		p.load(ctx)
		p.server.Sweep()
		p.ways.sweep()
		select {
		case <-tick.C:
		case <-p.keeper.changed:
		case err := <-failed:
			return err
		case <-ctx.Done():
			closeCapture()
			p.end()
			return nil
		}
	}
}

// keep has the certificate kept fresh until it is stopped.
func (p *proxy) keep(ctx context.Context) (stop func()) {
	if p.keeper.run == nil {
		return func() {}
	}
	return until(ctx, p.keeper.run)
}

// until runs something until it is stopped. What is under way at the end needs it still,
// so the end of the context does not.
func until(ctx context.Context, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	return func() { cancel(); <-ended }
}

// listen serves one of the ports that need no certificate.
func (p *proxy) listen(ctx context.Context, port int, handler http.Handler, failed chan<- error) (stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(p.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("opening port %d: %w", port, err)
	}
	const patience, most = 10 * time.Second, 16 << 10
	server := &http.Server{
		Handler: handler, ReadTimeout: patience, ReadHeaderTimeout: patience, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: most, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving port %d: %w", port, err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

// end drains.
func (p *proxy) end() {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), p.Drain)
	defer cancel()
	// What comes in may still call others.
	p.server.Drain(ctx)
	p.ways.end(ctx)
}

// load reads what may have changed.
func (p *proxy) load(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.keeper.look(); !sameError(err, p.certificate) {
		p.certificate = err
		if err != nil && !errors.Is(err, enrol.ErrWaiting) {
			p.metrics.certificates.Inc()
			p.Log.Error("A certificate could not be had", "error", err)
		}
	}
	// Without a certificate nothing opens, whatever the configuration says.
	if p.keeper.Certificate() == nil {
		return
	}
	err := p.reconfigure(ctx)
	if !sameError(err, p.configuration) {
		p.configuration = err
		if err != nil {
			p.metrics.refused.With(prometheus.Labels{labelReason: reasonOf(err)}).Inc()
			p.Log.Error("Configuration could not be taken", "error", err)
		}
	}
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

func (p *proxy) expiry() float64 {
	if c := p.keeper.Certificate(); c != nil {
		return float64(c.Leaf.NotAfter.Unix())
	}
	return 0
}
