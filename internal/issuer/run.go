package issuer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/version"
)

// Who asks for metrics is decided by the API server.
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

const (
	// maxConnections is how many are open at once, mostEach how many of one address: a
	// pod needs one.
	maxConnections, mostEach = 512, 8
	headerTime               = 5 * time.Second
	bodyTime                 = 10 * time.Second
	idleTime                 = 5 * time.Second
	maxHeader                = 32 << 10
	drainTime                = 10 * time.Second
	// Roots that could not be read are read anew soon, then less often.
	again, mostAgain = time.Second, 30 * time.Second
)

// Run runs the issuer until the context ends.
func Run(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.Log)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	metrics.RegisterIssuer()
	logger := ctrl.Log.WithName("issuer")
	logger.Info("Starting", "version", version.String(), "namespace", o.Namespace, "trustDomain", o.TrustDomain)
	return run(log.IntoContext(ctx, logger), config, o, clock.RealClock{})
}

// run is Run with a configuration and a clock.
func run(ctx context.Context, config *rest.Config, o Options, now clock.WithTicker) error {
	config = rest.CopyConfig(config)
	config.UserAgent = "hipaa-operator-issuer/" + version.String()
	// Four requests for each answer; the API server protects itself.
	config.QPS, config.Burst = 4*float32(everySecond), 4*atOnce
	c, err := newClient(config)
	if err != nil {
		return err
	}
	authority := &Authority{Client: c, Namespace: o.Namespace, TrustDomain: o.TrustDomain, Names: o.names(), Plan: o.Plan, Clock: now}
	registrar := &Registrar{Client: c, Namespace: o.Namespace, TrustDomain: o.TrustDomain}

	group, ctx := errgroup.WithContext(ctx)
	gateways := &Gateways{Client: c, Authority: authority}
	group.Go(func() error { return keepFresh(ctx, "the roots", authority.Refresh, o.Refresh, now) })
	group.Go(func() error { return keepFresh(ctx, "certificates of gateways", gateways.Refresh, o.Refresh, now) })
	group.Go(func() error {
		return serveTLS(ctx, o.Address, authority, NewServer(c, authority, registrar, now), now)
	})
	group.Go(func() error { return servePlain(ctx, o.HealthAddress, health(authority)) })
	if o.MetricsAddress != "0" {
		measured, err := metricsServer(config, o.MetricsAddress)
		if err != nil {
			return err
		}
		group.Go(func() error { return measured.Start(ctx) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("running the issuer: %w", err)
	}
	return nil
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of Kubernetes: %w", err)
	}
	if err := hipaav1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of this project: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// keepFresh refreshes until the context ends. What fails is tried again soon: until
// its intermediate has ended a replica goes on with what it has.
func keepFresh(ctx context.Context, what string, refresh func(context.Context) error, every time.Duration, now clock.WithTicker) error {
	for failures := 0; ; {
		wait := every
		if err := refresh(ctx); errors.Is(err, errNoAuthority) {
			wait = again // the roots are on their way, or say themselves why not
		} else if err != nil {
			log.FromContext(ctx).Error(err, "Could not refresh", "what", what)
			wait = min(every, mostAgain, again<<min(failures, 10))
			failures++
		} else {
			failures = 0
		}
		timer := now.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
	}
}

// serveTLS answers requests for certificates.
func serveTLS(ctx context.Context, address string, a *Authority, handler http.Handler, now clock.PassiveClock) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for requests: %w", err)
	}
	arrivals := newLimits(now, arriving, arrivingAtOnce, addressMost)
	secure := tls.NewListener(newDoors(listener, maxConnections, mostEach, arrivals), &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: a.Serving,
		// One request needs no streams.
		NextProtos: []string{"http/1.1"},
	})
	return serve(ctx, secure, handler)
}

// servePlain answers the kubelet.
func servePlain(ctx context.Context, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for probes: %w", err)
	}
	return serve(ctx, listener, handler)
}

// serve answers until the context ends, and then what is in hand.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	logger := log.FromContext(ctx)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      bodyTime + answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		// What strangers send is no news.
		ErrorLog:    slog.NewLogLogger(logr.ToSlogHandler(logger.V(4)), slog.LevelInfo),
		ConnContext: known,
		BaseContext: func(net.Listener) context.Context { return log.IntoContext(context.Background(), logger) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(draining); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

// health says that the process lives, and whether it can sign.
func health(a *Authority) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

func metricsServer(config *rest.Config, address string) (metricsserver.Server, error) {
	caller, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	server, err := metricsserver.NewServer(metricsserver.Options{
		BindAddress:    address,
		SecureServing:  true,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
		TLSOpts:        []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }},
	}, config, caller)
	if err != nil {
		return nil, fmt.Errorf("building the metrics server: %w", err)
	}
	return server, nil
}
