package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/issuer"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

const (
	system     = "hipaa-operator-system"
	issuerHost = "hipaa-operator-issuer.hipaa-operator-system.svc.cluster.local"
	neighbour  = "spiffe://cluster.local/ns/ehr/sa/neighbour"
	stranger   = "spiffe://cluster.local/ns/ehr/sa/stranger"

	day = 24 * time.Hour
	// stride is less than a quarter of a leaf's life, as every proxy renews between 45
	// and 55 hundredths of it.
	stride = 6 * time.Hour
	grace  = 72 * time.Hour
)

// jumpingClock goes as the wall clock does, and by jumps.
type jumpingClock struct {
	mu    sync.Mutex
	ahead time.Duration
	waits map[chan time.Time]time.Time
}

func (c *jumpingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *jumpingClock) now() time.Time { return time.Now().Add(c.ahead) }

func (c *jumpingClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *jumpingClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := make(chan time.Time, 1)
	if c.waits == nil {
		c.waits = map[chan time.Time]time.Time{}
	}
	c.waits[over] = c.now().Add(d)
	time.AfterFunc(d, c.ring)
	return over
}

func (c *jumpingClock) jump(d time.Duration) {
	c.mu.Lock()
	c.ahead += d
	c.mu.Unlock()
	c.ring()
}

// ring ends the waits whose time has come.
func (c *jumpingClock) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for over, at := range c.waits {
		if now := c.now(); !now.Before(at) {
			over <- now
			delete(c.waits, over)
		}
	}
}

// issuing is an API server as far as the issuer asks it, with the real issuer.
type issuing struct {
	testing.TB

	clock     *jumpingClock
	authority *issuer.Authority
	handler   http.Handler
	address   string
	names     string
	stop      func()
}

// newIssuing has an issuer whose roots last eight days: the second is published on the
// third day, signs on the fifth, and the first is gone on the eighth.
func newIssuing(t *testing.T, clock *jumpingClock) *issuing {
	t.Helper()
	c := apiServer(t)
	plan := pki.Plan{Root: 8 * day, Intermediate: 2 * day, Leaf: day, Renewal: 6 * day, Distribution: 2 * day, Grace: day}
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	i := &issuing{
		TB: t, clock: clock, names: cluster(t), address: fmt.Sprintf("%s:%d", outer, proxytest.FreePort(t)),
		authority: &issuer.Authority{Client: c, Namespace: system, TrustDomain: domain, Names: []string{issuerHost}, Plan: plan, Clock: clock},
	}
	i.handler = issuer.NewServer(c, i.authority, &issuer.Registrar{Client: c, Namespace: system, TrustDomain: domain}, clock)
	i.refresh()
	i.start()
	return i
}

// tokenOf is a token as far as the issuer looks at it; the rest is the account's name.
func tokenOf(account string) string {
	return "a." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":["`+enrol.Audience+`"]}`)) + "." + account
}

// apiServer has one pod for each account.
func apiServer(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects := []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: issuer.SecretName}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ehr", Labels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue}}},
	}
	for _, account := range []string{"patient-api", "portal", "neighbour", "stranger"} {
		labels := map[string]string{"app": account}
		objects = append(
			objects,
			&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: account, UID: types.UID(account), Labels: labels},
				Spec: corev1.PodSpec{ServiceAccountName: account, NodeName: "node", InitContainers: []corev1.Container{{
					Name: "phi-proxy", Args: []string{"--workload-uid=" + account}, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
				}}},
				Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: outer}}},
			},
			&hipaav1.PHIWorkload{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: account, UID: types.UID(account)},
				Spec:       hipaav1.PHIWorkloadSpec{Selector: metav1.LabelSelector{MatchLabels: labels}},
			},
		)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			review, is := object.(*authenticationv1.TokenReview)
			if !is {
				return c.Create(ctx, object, options...)
			}
			account := review.Spec.Token[strings.LastIndex(review.Spec.Token, ".")+1:]
			review.Status = authenticationv1.TokenReviewStatus{
				Authenticated: true, Audiences: review.Spec.Audiences,
				User: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:" + account, Extra: map[string]authenticationv1.ExtraValue{
					"authentication.kubernetes.io/pod-name": {account}, "authentication.kubernetes.io/pod-uid": {account},
				}},
			}
			return nil
		},
	}).Build()
}

// start serves as the issuer does, until stop.
func (i *issuing) start() {
	i.Helper()
	listener, err := tls.Listen("tcp4", i.address, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: i.authority.Serving})
	if err != nil {
		i.Fatal(err)
	}
	server := &http.Server{Handler: i.handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = server.Serve(listener) }()
	i.stop = func() { _ = server.Close() }
	i.Cleanup(i.stop)
}

func (i *issuing) refresh() {
	i.Helper()
	if err := i.authority.Refresh(i.Context()); err != nil {
		i.Fatal(err)
	}
}

// bundle is the roots of this moment.
func (i *issuing) bundle() pki.Bundle {
	i.Helper()
	key, _, err := pki.NewRequest()
	if err != nil {
		i.Fatal(err)
	}
	id, err := pki.WorkloadID(domain, "ehr", "patient-api")
	if err != nil {
		i.Fatal(err)
	}
	_, bundle, err := i.authority.Sign(id, key.Public())
	if err != nil {
		i.Fatal(err)
	}
	return bundle
}

// signer has a certificate of this moment, as the manager has one.
func (i *issuing) signer() *seal.Signer {
	i.Helper()
	key, _, err := pki.NewRequest()
	if err != nil {
		i.Fatal(err)
	}
	id, err := pki.ConfigurationSigner(domain)
	if err != nil {
		i.Fatal(err)
	}
	chain, _, err := i.authority.Sign(id, key.Public())
	if err != nil {
		i.Fatal(err)
	}
	return &seal.Signer{Key: key, Chain: chain}
}

// enrols is a change of options: the proxy asks the issuer, and wants signatures.
func (i *issuing) enrols(account string) func(*Options) {
	i.Helper()
	directory := i.TempDir()
	for name, text := range map[string]string{"token": tokenOf(account), "roots": string(i.bundle().PEM())} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			i.Fatal(err)
		}
	}
	_, port, _ := net.SplitHostPort(i.address)
	return func(o *Options) {
		o.Now, o.Certificates = i.clock.Now, ""
		o.Unsigned, o.WorkloadUID, o.MinimumGeneration, o.SignatureGrace = false, "6f1c", 2, grace
		o.Issuer = Issuer{
			Address: net.JoinHostPort(issuerHost, port), Token: filepath.Join(directory, "token"), Roots: filepath.Join(directory, "roots"),
			NameServers: []string{i.names}, After: i.clock.After,
		}
	}
}

// load calls all the time, by a connection that stays and by new ones.
type load struct {
	answered [4]atomic.Int64
	failed   atomic.Int64
	// dials is how often the caller that keeps its connection had to open one.
	dials atomic.Int64
	last  atomic.Pointer[string]
	stop  func()
}

func newLoad(t *testing.T, url string) *load {
	t.Helper()
	l := new(load)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for n := range l.answered {
		transport := &http.Transport{DisableKeepAlives: n > 0}
		if n == 0 {
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				l.dials.Add(1)
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		}
		once := &http.Client{Timeout: 20 * time.Second, Transport: transport}
		wait.Go(func() {
			for ctx.Err() == nil {
				problem := call(once, url)
				switch {
				case problem == "":
					l.answered[n].Add(1)
				case ctx.Err() == nil:
					l.failed.Add(1)
					l.last.Store(&problem)
				}
			}
		})
	}
	l.stop = func() { cancel(); wait.Wait() }
	t.Cleanup(l.stop)
	return l
}

func call(once *http.Client, url string) string {
	response, err := once.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body) // what there is of it explains the status
		return response.Status + " " + string(text)
	}
	return ""
}

// all is how many were answered.
func (l *load) all() (sum int64) {
	for n := range l.answered {
		sum += l.answered[n].Load()
	}
	return sum
}

// serves waits until every caller has had more answers, and fails the test where
// anything failed. So no handshake lasts longer than from one jump past the next: for
// the proxies it would have taken half a day.
func (l *load) serves(t *testing.T, r *running, when string) {
	t.Helper()
	for n := range l.answered {
		before := l.answered[n].Load()
		r.eventually("an answer "+when, func() (string, bool) {
			now := l.answered[n].Load()
			return fmt.Sprint(now), now >= before+2 || l.failed.Load() > 0
		})
	}
	if failed := l.failed.Load(); failed > 0 {
		t.Fatalf("%s %d of %d requests have failed, the last with %s", when, failed, failed+l.all(), *l.last.Load())
	}
}

// expiry is when the proxy's certificate ends.
func (r *running) expiry() time.Time {
	r.Helper()
	_, text := r.ask(r.options.AdminPort, "/metrics")
	const name = "\nphi_proxy_certificate_expiry_timestamp_seconds "
	_, after, _ := strings.Cut(text, name)
	line, _, _ := strings.Cut(after, "\n")
	var seconds float64
	if _, err := fmt.Sscan(line, &seconds); err != nil {
		r.Fatalf("reading when the certificate ends: %v", err)
	}
	return time.Unix(int64(seconds), 0)
}

func testRotationUnderLoad(t *testing.T) {
	clock := new(jumpingClock)
	i := newIssuing(t, clock)
	first := i.bundle()
	server, client := enrolledPair(t, i)
	if err := outsider(t, i, "neighbour")(server.port, true); err != nil {
		t.Fatalf("who is met in time is refused: %v", err)
	}
	l := newLoad(t, fmt.Sprintf("http://%s:%d/ready?full", client.config.Outbound[0].Address, client.config.Outbound[0].Port))
	l.serves(t, server, "at first")

	for begun := clock.Now(); clock.Now().Sub(begun) < 10*day; {
		clock.jump(stride)
		i.refresh()
		for _, r := range []*running{server, client} {
			r.eventually("a renewal", func() (string, bool) {
				left := r.expiry().Sub(clock.Now())
				return left.String(), left > 10*time.Hour
			})
		}
		l.serves(t, server, fmt.Sprintf("%s after the start", clock.Now().Sub(begun).Round(time.Hour)))
	}
	if slices.ContainsFunc(i.bundle(), first[0].Equal) {
		t.Fatal("the first root is still trusted")
	}
	if err := outsider(t, i, "neighbour")(server.port, true); err != nil {
		t.Errorf("who is under the new root is refused: %v", err)
	}
	// It lives as long as the certificates by which it began, and survives their renewals.
	if dials := l.dials.Load(); dials < 10 || dials > int64(10*day/stride) {
		t.Errorf("a connection that stays was opened %d times", dials)
	}
	t.Logf("%d requests over %s, from root to root, no failure", l.all(), 10*day)
	server.counts(`phi_proxy_enrolments_total{outcome="issued"} `)
	server.signer = i.signer()
	server.config.Workload.Generation++
	server.writeConfig()
	server.eventually("what was signed under the new root", func() (string, bool) {
		_, text := server.ask(server.options.AdminPort, "/metrics")
		return text, strings.Contains(text, "phi_proxy_configuration_generation 3\n")
	})
	testOutage(t, i, l, server, client)
}

// testOutage goes on without the issuer, past the ends of all certificates.
func testOutage(t *testing.T, i *issuing, l *load, server, client *running) {
	t.Helper()
	known, unknown := outsider(t, i, "neighbour"), outsider(t, i, "stranger")
	i.stop()
	end := server.expiry()
	if other := client.expiry(); other.After(end) {
		end = other
	}
	for i.clock.Now().Before(end.Add(day)) {
		i.clock.jump(stride)
		l.serves(t, server, fmt.Sprintf("%s before the end of certificates", end.Sub(i.clock.Now()).Round(time.Hour)))
	}
	server.reads(http.StatusOK, "[+]certificate ok: it ended at")
	server.counts(`phi_proxy_enrolments_total{outcome="unreachable"} `)
	if err := known(server.port, false); err != nil {
		t.Errorf("who was met before is refused: %v", err)
	}
	if err := unknown(server.port, false); err == nil {
		t.Error("a stranger with a certificate that has ended is let in")
	}
	server.counts(`phi_proxy_inbound_refusals_total{reason="expired"} 1`)
	t.Logf("%d requests, no failure, until a day after the end of certificates", l.all())

	// Those who hear of the issuer first do not refuse those who have yet to ask again.
	i.refresh()
	i.start()
	for range 8 {
		i.clock.jump(time.Minute)
		l.serves(t, server, "as the issuer comes back")
	}
	server.reads(http.StatusOK, "[+]certificate ok\n")
	client.reads(http.StatusOK, "[+]certificate ok\n")
	testEndOfGrace(t, i, server, client)
}

// testEndOfGrace is an outage that is too long.
func testEndOfGrace(t *testing.T, i *issuing, server, client *running) {
	t.Helper()
	i.stop()
	url := fmt.Sprintf("http://%s:%d/ready?full", client.config.Outbound[0].Address, client.config.Outbound[0].Port)
	for _, r := range []*running{server, client} {
		i.clock.jump(max(0, r.expiry().Add(grace).Sub(i.clock.Now())))
	}
	server.reads(http.StatusServiceUnavailable, "[-]certificate no: it ended at")
	client.reads(http.StatusServiceUnavailable, "[-]certificate no: it ended at")
	if problem := call(http.DefaultClient, url); !strings.HasPrefix(problem, "503") {
		t.Errorf("after the grace a call ends with %q", problem)
	}
	i.refresh()
	i.start()
	i.clock.jump(10 * time.Minute)
	server.reads(http.StatusOK, "[+]certificate ok\n")
	client.reads(http.StatusOK, "[+]certificate ok\n")
	newLoad(t, url).serves(t, server, "after the outage")
}

// enrolledPair is two proxies of which the second calls the first.
func enrolledPair(t *testing.T, i *issuing) (server, client *running) {
	t.Helper()
	server = run(t, application(t, healthy), i.enrols("patient-api"))
	server.config.OutageGrace = config.Duration(grace)
	server.signer = i.signer()
	server.config.Inbound[0].From = []config.Peer{{ID: portal}, {ID: neighbour}, {ID: stranger}}
	server.writeConfig()
	server.reads(http.StatusOK, "[+]certificate ok\n[+]configuration ok")

	client = run(t, application(t, healthy), i.enrols("portal"))
	client.config.OutageGrace, client.signer = config.Duration(grace), server.signer
	client.config.Resolver = &config.Resolver{Upstreams: []string{i.names}}
	client.config.Outbound = []config.Outbound{{
		Names: []string{database}, Address: "127.0.0.16", Port: proxytest.FreePort(t), Protocol: config.HTTP,
		Upstream: fmt.Sprintf("%s:%d", database, server.port), Trust: config.Mutual, To: []config.Peer{{ID: api}},
	}}
	client.writeConfig()
	client.reads(http.StatusOK, "[+]certificate ok\n[+]configuration ok")
	return server, client
}

// outsider gets a certificate of an account that the server admits, and calls nobody
// until it is told to: then it says whether it was let in.
func outsider(t *testing.T, i *issuing, account string) func(port int, valid bool) error {
	t.Helper()
	var o Options
	i.enrols(account)(&o)
	dial := o.Issuer.dial(i.clock.Now)
	asked := make(chan error, 1)
	enrolment, err := enrol.New(enrol.Options{
		URL: "https://" + o.Issuer.Address, TokenFile: o.Issuer.Token, BundleFile: o.Issuer.Roots, Clock: i.clock,
		Jitter: func() float64 { return 0 }, Dial: dial, Observe: func(err error) { asked <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go enrolment.Run(ctx)
	err = <-asked
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	return func(port int, valid bool) error {
		connection, err := tls.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{
			MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return enrolment.Certificate(), nil },
			VerifyConnection: func(state tls.ConnectionState) error {
				if !valid {
					return nil
				}
				_, err := pki.Verify(state.PeerCertificates, i.bundle(), pki.Acceptance{At: i.clock.Now(), Usage: x509.ExtKeyUsageServerAuth})
				return err
			},
		})
		if err != nil {
			return err
		}
		defer connection.Close()
		if _, err := connection.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); err != nil {
			return err
		}
		_, err = connection.Read(make([]byte, 1))
		return err
	}
}
