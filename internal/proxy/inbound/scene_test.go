package inbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	domain   = "cluster.local"
	api      = "spiffe://cluster.local/ns/ehr/sa/patient-api"
	portal   = "spiffe://cluster.local/ns/ehr/sa/portal"
	stranger = "spiffe://cluster.local/ns/lab/sa/stranger"
)

// scene is a proxy before an application.
type scene struct {
	testing.TB

	root   *proxytest.Authority
	server *Server
	config config.Configuration
	port   int
}

// newScene forwards a port to an application, for the portal only.
func newScene(tb testing.TB, protocol config.Protocol, application net.Listener, limits config.Limits) *scene {
	tb.Helper()
	root := proxytest.NewAuthority(tb, time.Now())
	verifier := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(tb, time.Now(), api), root), Now: time.Now}
	s := &scene{TB: tb, root: root, port: proxytest.FreePort(tb)}
	s.server = &Server{Verifier: verifier, Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now, Host: "127.0.0.1"}
	s.config = config.Configuration{
		TrustDomain: domain,
		Refusal:     config.Refusal{Control: "some-control", Citation: "45 CFR 164.312(e)(1)"},
		Inbound: []config.Inbound{{
			Name: "app", Listen: s.port, Forward: portOf(tb, application), Protocol: protocol,
			From: []config.Peer{{ID: portal}}, Limits: limits,
		}},
	}
	s.apply()
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.server.Drain(ctx)
	})
	return s
}

func (s *scene) apply() {
	s.Helper()
	c := s.config
	c.Inbound = append([]config.Inbound(nil), c.Inbound...)
	if err := s.server.Apply(s.Context(), &c); err != nil {
		s.Fatalf("applying: %v", err)
	}
}

// tls is what a peer of this identity dials with.
func (s *scene) tls(id string, protocols ...string) *tls.Config {
	s.Helper()
	verifier := &identity.Verifier{Source: proxytest.NewSource(s.root.Leaf(s, time.Now(), id), s.root), Now: time.Now}
	return verifier.Client(identity.Policy{TrustDomain: domain, Protocols: protocols, Admit: func(id string) bool { return id == api }})
}

func (s *scene) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// dial connects as a peer, and ends with the test.
func (s *scene) dial(id string, protocols ...string) *tls.Conn {
	s.Helper()
	c, err := (&tls.Dialer{Config: s.tls(id, protocols...)}).DialContext(s.Context(), "tcp", s.address())
	if err != nil {
		s.Fatalf("dialling: %v", err)
	}
	s.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	return c.(*tls.Conn) //nolint:errcheck // a tls.Dialer gives nothing else
}

// client speaks HTTP as a peer.
func (s *scene) client(id string, version2 bool) *http.Client {
	s.Helper()
	protocols := []string{"http/1.1"}
	if version2 {
		protocols = []string{"h2"}
	}
	transport := &http.Transport{TLSClientConfig: s.tls(id, protocols...), ForceAttemptHTTP2: version2, MaxIdleConnsPerHost: 64}
	s.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// heard is what a caller hears beside the body.
type heard struct {
	StatusCode      int
	Header, Trailer http.Header
	Close           bool
}

// say sends bytes and reads one answer.
func say(tb testing.TB, c net.Conn, text string) (heard, string) {
	tb.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		tb.Fatalf("writing: %v", err)
	}
	return answer(tb, bufio.NewReader(c), http.MethodGet)
}

func answer(tb testing.TB, from *bufio.Reader, method string) (heard, string) {
	tb.Helper()
	res, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("reading an answer: %v", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("reading a body: %v", err)
	}
	return heard{res.StatusCode, res.Header, res.Trailer, res.Close}, string(text)
}

// ends waits until the other side closes.
func ends(tb testing.TB, c net.Conn) {
	tb.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	_, err := io.Copy(io.Discard, c)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		tb.Error("the connection stays open")
	}
}

func (s *scene) refusals(reason string) float64 {
	return testutil.ToFloat64(s.server.Metrics.refusals.WithLabelValues(reason))
}

// eventually waits for what happens on its own.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			tb.Fatalf("%s never happens", what)
		}
	}
}

func listen(tb testing.TB, address string) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatalf("listening: %v", err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func portOf(tb testing.TB, l net.Listener) int {
	tb.Helper()
	return l.Addr().(*net.TCPAddr).Port //nolint:errcheck // tcp gives nothing else
}

// web is an application of HTTP/1.1.
func web(tb testing.TB, handler http.HandlerFunc) net.Listener {
	tb.Helper()
	l := listen(tb, "127.0.0.1:0")
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	tb.Cleanup(func() { _ = server.Close() })
	return l
}

// raw is an application that does what a test says with each connection.
func raw(tb testing.TB, serve func(net.Conn)) net.Listener {
	tb.Helper()
	l := listen(tb, "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l
}
