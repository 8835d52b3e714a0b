package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

const (
	domain = "cluster.local"
	api    = "spiffe://cluster.local/ns/ehr/sa/patient-api"
	portal = "spiffe://cluster.local/ns/ehr/sa/portal"
)

// running is a proxy that runs as in a pod, from files.
type running struct {
	testing.TB

	options Options
	root    *proxytest.Authority
	port    int
	config  config.Configuration
	// signer signs what is written; nil is nobody.
	signer *seal.Signer
	stop   context.CancelFunc
	ended  chan error
}

// host is where proxies listen. In a network of its own a test lets them listen everywhere.
var host = "127.0.0.1"

// run starts a proxy whose directories are empty.
func run(t testing.TB, application int, changes ...func(*Options)) *running {
	t.Helper()
	r := &running{TB: t, root: proxytest.NewAuthority(t, time.Now()), port: proxytest.FreePort(t), ended: make(chan error, 1)}
	r.options = Options{
		Configuration: t.TempDir(), Unsigned: true, Certificates: t.TempDir(), Host: host, ProbePort: proxytest.FreePort(t), AdminPort: proxytest.FreePort(t),
		Resolver: fmt.Sprintf("127.0.0.1:%d", proxytest.FreePort(t)),
		Reload:   5 * time.Millisecond, Drain: 10 * time.Second, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	r.config = config.Configuration{
		Version: 1, TrustDomain: domain,
		Workload: config.Workload{UID: "6f1c", Namespace: "ehr", Name: "patient-api", Generation: 2},
		Refusal:  config.Refusal{Control: "some-control", Citation: "45 CFR 164.312(e)(1)"},
		Inbound:  []config.Inbound{{Name: "http", Listen: r.port, Forward: application, Protocol: config.HTTP, From: []config.Peer{{ID: portal}}}},
		Probes: []config.Probe{
			{Path: "/app/ready", Kind: config.ProbeHTTP, Port: application, Target: "/ready?full"},
			{Path: "/app/sick", Kind: config.ProbeHTTP, Port: application, Target: "/sick"},
			{Path: "/app/port", Kind: config.ProbeTCP, Port: application},
			{Path: "/app/nobody", Kind: config.ProbeTCP, Port: 1},
		},
	}
	for _, change := range changes {
		change(&r.options)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- Run(ctx, r.options) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) writeConfig() {
	r.Helper()
	text, err := json.Marshal(r.config)
	if err != nil {
		r.Fatal(err)
	}
	if r.signer != nil {
		// Not at once as the kubelet does it: in between the two do not fit together.
		r.file(FileSignature, r.sealed(text))
	}
	r.write(string(text))
}

// sealed is the signature of a configuration.
func (r *running) sealed(text []byte) string {
	r.Helper()
	statement := seal.Statement{Kind: seal.ProxyConfiguration, Workload: r.config.Workload.UID, Generation: r.config.Workload.Generation}
	signature, err := r.signer.Close(statement, text)
	if err != nil {
		r.Fatal(err)
	}
	return string(signature)
}

func (r *running) write(text string) {
	r.Helper()
	r.file(FileConfiguration, text)
}

func (r *running) file(name, text string) {
	r.Helper()
	aside := filepath.Join(r.options.Configuration, ".new")
	if err := os.WriteFile(aside, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(aside, filepath.Join(r.options.Configuration, name)); err != nil {
		r.Fatal(err)
	}
}

// ask is what one of the open ports says.
func (r *running) ask(port int, path string) (int, string) {
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// reads waits until readiness says so.
func (r *running) reads(status int, part string) {
	r.Helper()
	r.eventually(fmt.Sprintf("%d with %q", status, part), func() (string, bool) {
		got, text := r.ask(r.options.AdminPort, "/readyz")
		return fmt.Sprint(got, " ", text), got == status && strings.Contains(text, part)
	})
}

func (r *running) eventually(what string, ok func() (string, bool)) {
	r.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for {
		last, done := ok()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			r.Fatalf("%s never comes; the last was %s", what, last)
		}
	}
}

func (r *running) open() bool {
	c, err := new(net.Dialer).DialContext(r.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// call asks the application as the portal.
func (r *running) call() (int, error) {
	verifier := &identity.Verifier{Source: proxytest.NewSource(r.root.Leaf(r, time.Now(), portal), r.root), Now: time.Now}
	transport := &http.Transport{TLSClientConfig: verifier.Client(identity.Policy{TrustDomain: domain}), DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(fmt.Sprintf("https://127.0.0.1:%d/ready?full", r.port))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func application(t testing.TB, handler http.HandlerFunc) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().(*net.TCPAddr).Port //nolint:errcheck // tcp gives nothing else
}

func healthy(w http.ResponseWriter, r *http.Request) {
	if r.RequestURI != "/ready?full" {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func TestAProxyIsClosedUntilItHasEverything(t *testing.T) {
	r := run(t, application(t, healthy))
	r.reads(http.StatusServiceUnavailable, "[-]certificate no: reading tls.crt: no such file or directory\n[-]configuration no\n")
	r.writeConfig()
	if r.open() {
		t.Error("it is open without a certificate")
	}
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.reads(http.StatusOK, "[+]certificate ok\n[+]configuration ok\n[+]in service ok\n")
	if status, err := r.call(); status != http.StatusOK || err != nil {
		t.Errorf("a peer hears %d, %v", status, err)
	}
	if status, text := r.ask(r.options.AdminPort, "/metrics"); status != http.StatusOK || !strings.Contains(text, "phi_proxy_configuration_generation 2\n") || !strings.Contains(text, `phi_proxy_inbound_requests_total{class="2xx"} 1`) {
		t.Errorf("metrics say %d, %s", status, text)
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestABadConfigurationNeverReplacesAGoodOne(t *testing.T) {
	r := run(t, application(t, healthy))
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.write(`{"version": 1`)
	r.reads(http.StatusServiceUnavailable, "[-]configuration no: reading the configuration")
	if r.open() {
		t.Error("it is open with a configuration that cannot be read")
	}
	r.writeConfig()
	r.reads(http.StatusOK, "[+]configuration ok\n")
	good := r.config
	for name, tc := range map[string]struct {
		change func(*config.Configuration)
		want   string
	}{
		"an invalid one":       {func(c *config.Configuration) { c.TrustDomain = "" }, "trustDomain: is no trust domain"},
		"an older one":         {func(c *config.Configuration) { c.Workload.Generation = 1 }, "workload.generation: is 1; generation 2 is in force, and the proxy never goes back"},
		"another workload's":   {func(c *config.Configuration) { c.Workload.UID = "other" }, "workload.uid: is another workload's"},
		"one of a newer world": {func(c *config.Configuration) { c.Version = 2 }, "version: 2 was written by a newer operator"},
		"a port that is taken": {func(c *config.Configuration) {
			c.Inbound = append([]config.Inbound{{Name: "taken", Listen: r.options.AdminPort, Forward: 1, Protocol: config.TCP}}, c.Inbound...)
		}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			r.config = good
			tc.change(&r.config)
			r.writeConfig()
			r.reads(http.StatusOK, tc.want)
			if status, err := r.call(); status != http.StatusOK || err != nil {
				t.Errorf("a peer hears %d, %v", status, err)
			}
		})
	}
	r.config = good
	r.config.Workload.Generation, r.config.Inbound = 3, []config.Inbound{good.Inbound[0]}
	r.config.Inbound[0].From = nil
	r.writeConfig()
	r.eventually("the newer one", func() (string, bool) {
		status, err := r.call()
		return fmt.Sprint(status, err), status == http.StatusForbidden
	})
}

// A proxy that cannot open all of its ports is not sent callers before it could once; what
// it serves it serves, and it tries again.
func TestAPortThatIsTakenIsToldOf(t *testing.T) {
	r := run(t, application(t, healthy))
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	second := r.config.Inbound[0]
	second.Name, second.Listen = "second", taken.Addr().(*net.TCPAddr).Port //nolint:errcheck // tcp gives nothing else
	r.config.Inbound = append([]config.Inbound{second}, r.config.Inbound...)
	r.writeConfig()
	r.reads(http.StatusServiceUnavailable, "[-]configuration no: opening port ")
	if status, err := r.call(); status != http.StatusOK || err != nil {
		t.Errorf("at the other port a peer hears %d, %v", status, err)
	}
	if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, "phi_proxy_configuration_unopened 1\n") {
		t.Errorf("nothing is counted:\n%s", text)
	}
	_ = taken.Close()
	r.reads(http.StatusOK, "[+]configuration ok\n")
	if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, "phi_proxy_configuration_unopened 0\n") {
		t.Errorf("something is counted still:\n%s", text)
	}
}

func TestCertificatesAreRenewedUnderLoad(t *testing.T) {
	r := run(t, application(t, healthy))
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.writeConfig()
	r.reads(http.StatusOK, "")
	for n := range 20 {
		// While the files are written one by one they do not fit together; those before stay.
		r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
		if status, err := r.call(); status != http.StatusOK || err != nil {
			t.Fatalf("after %d renewals a peer hears %d, %v", n, status, err)
		}
	}
	if err := os.Remove(filepath.Join(r.options.Certificates, identity.FileKey)); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusOK, "[+]certificate ok: reading tls.key")
}

func TestWhoHasNoCertificateSaysWhatTheIssuerWants(t *testing.T) {
	directory := t.TempDir()
	r := run(t, application(t, healthy), func(o *Options) {
		o.Certificates = ""
		o.Issuer = Issuer{
			Address: fmt.Sprintf("localhost:%d", proxytest.FreePort(t)), Token: filepath.Join(directory, "token"), Roots: filepath.Join(directory, "roots"),
			After: func(time.Duration) <-chan time.Time { return time.After(time.Millisecond) },
		}
	})
	r.writeConfig()
	r.reads(http.StatusServiceUnavailable, "[-]certificate no: reading the first trust: ")
	r.root.Write(t, directory, r.root.Leaf(t, time.Now(), api))
	if err := os.Rename(filepath.Join(directory, identity.FileRoots), r.options.Issuer.Roots); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusServiceUnavailable, "[-]certificate no: reading the token: ")
	if err := os.WriteFile(r.options.Issuer.Token, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusServiceUnavailable, "[-]certificate no: reaching the issuer: ")
	if r.open() {
		t.Error("it is open without a certificate")
	}
	for _, outcome := range []string{"failed", "unreachable"} {
		if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, `phi_proxy_enrolments_total{outcome="`+outcome+`"} `) {
			t.Errorf("no enrolment is %s:\n%s", outcome, text)
		}
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

// A start is no failure: until the first try has ended readiness tells, and nothing counts.
func TestWhoWaitsForTheIssuerSaysSo(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	directory := t.TempDir()
	root := proxytest.NewAuthority(t, time.Now())
	root.Write(t, directory, root.Leaf(t, time.Now(), api))
	token := filepath.Join(directory, "token")
	if err := os.WriteFile(token, []byte("token-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, application(t, healthy), func(o *Options) {
		o.Certificates = ""
		o.Issuer = Issuer{Address: silent.Addr().String(), Token: token, Roots: filepath.Join(directory, identity.FileRoots)}
	})
	r.reads(http.StatusServiceUnavailable, "[-]certificate no: the issuer has not answered yet\n[-]configuration no\n[+]in service ok\n")
	if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, "phi_proxy_certificate_failures_total 0\n") {
		t.Errorf("waiting counts as a failure:\n%s", text)
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestProbesSayWhatTheApplicationSays(t *testing.T) {
	r := run(t, application(t, healthy))
	if status, _ := r.ask(r.options.ProbePort, "/app/ready"); status == http.StatusOK {
		t.Error("an application is well before anybody knows it")
	}
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.writeConfig()
	r.reads(http.StatusOK, "")
	for path, want := range map[string]int{
		"/app/ready": http.StatusOK, "/app/sick": http.StatusServiceUnavailable, "/app/port": http.StatusOK,
		"/app/nobody": http.StatusServiceUnavailable, "/elsewhere": http.StatusNotFound,
	} {
		if status, text := r.ask(r.options.ProbePort, path); status != want || strings.TrimSpace(text) != "" {
			t.Errorf("%s says %d %q, want %d", path, status, text, want)
		}
	}
}

// Whoever asks says nothing to the application, and asks it no more often than the
// configuration does.
func TestAProbeSaysWhatIsConfiguredAndNothingElse(t *testing.T) {
	heard, goOn := make(chan *http.Request, 8), make(chan struct{})
	port := application(t, func(_ http.ResponseWriter, r *http.Request) {
		heard <- r
		<-goOn
	})
	r := run(t, port)
	r.config.Probes = []config.Probe{{
		Path: "/http/x", Kind: config.ProbeHTTP, Port: port, Target: "/ready?full",
		Fields: []config.ProbeField{{Name: "Host", Value: "api.example"}, {Name: "X-Why", Value: "a"}, {Name: "x-why", Value: "b"}},
	}}
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.writeConfig()
	r.reads(http.StatusOK, "")
	const times = 8
	statuses := make(chan int, times)
	for range times {
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/http/x?query", r.options.ProbePort), strings.NewReader("body"))
			if err != nil {
				statuses <- 0
				return
			}
			req.Host = "elsewhere.example"
			req.Header = http.Header{"Authorization": {"Basic x"}, "Remote-User": {"admin"}, "X-Why": {"c"}}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				statuses <- 0
				return
			}
			_ = res.Body.Close()
			statuses <- res.StatusCode
		}()
	}
	got := <-heard
	want := http.Header{"Accept": {"*/*"}, "User-Agent": {probeAgent}, "X-Why": {"a", "b"}, "Connection": {"close"}}
	if diff := cmp.Diff(want, got.Header); diff != "" || got.Host != "api.example" || got.Method != http.MethodGet || got.RequestURI != "/ready?full" || got.ContentLength != 0 {
		t.Errorf("asked %s %s of %s (-want +got):\n%s", got.Method, got.RequestURI, got.Host, diff)
	}
	close(goOn)
	for range times {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
	}
}

// Nobody puts a question twice at once, and one that nobody waits for is given up.
func TestAQuestionIsAskedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, ended atomic.Int64
		a := asker{dial: func(ctx context.Context, _ int) (net.Conn, error) {
			asked.Add(1)
			<-ctx.Done()
			ended.Add(1)
			return nil, ctx.Err()
		}}
		probe := &config.Probe{Path: "/tcp/80", Kind: config.ProbeTCP, Port: 80}
		first, leave := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{first, t.Context(), t.Context()} {
			go a.ask(ctx, probe)
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		if asked.Load() != 1 || ended.Load() != 0 {
			t.Errorf("asked %d times, given up %d", asked.Load(), ended.Load())
		}
		time.Sleep(probePatience) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if ended.Load() != 1 {
			t.Error("it goes on for ever")
		}
		alone, leave := context.WithCancel(t.Context())
		go a.ask(alone, probe)
		synctest.Wait()
		leave()
		synctest.Wait()
		if asked.Load() != 2 || ended.Load() != 2 || len(a.pending) != 0 {
			t.Errorf("asked %d times, given up %d, pending %d", asked.Load(), ended.Load(), len(a.pending))
		}
	})
}

func TestAGRPCProbeIsAskedOfTheApplication(t *testing.T) {
	for name, tc := range map[string]struct {
		answer, status string
		want           bool
	}{
		"serving":     {"\x00\x00\x00\x00\x02\x08\x01", "0", true},
		"not serving": {"\x00\x00\x00\x00\x02\x08\x02", "0", false},
		"unknown":     {"", "5", false},
		"compressed":  {"\x01\x00\x00\x00\x02\x08\x01", "0", false},
	} {
		t.Run(name, func(t *testing.T) {
			port := application(t, func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err != nil || string(text) != "\x00\x00\x00\x00\x0a\x0a\x08patients" || r.URL.Path != "/grpc.health.v1.Health/Check" {
					t.Errorf("asked %q at %s", text, r.URL.Path)
				}
				w.Header().Set("Trailer", "Grpc-Status")
				_, _ = io.WriteString(w, tc.answer)
				w.Header().Set("Grpc-Status", tc.status)
			})
			dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			}
			err := askGRPC(t.Context(), &config.Probe{Kind: config.ProbeGRPC, Port: port, Service: "patients"}, dial)
			if (err == nil) != tc.want {
				t.Errorf("askGRPC() = %v", err)
			}
		})
	}
}

func TestWhatIsUnderWayFinishes(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := run(t, application(t, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-goOn
	}))
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.writeConfig()
	r.reads(http.StatusOK, "")
	heard := make(chan int, 1)
	go func() {
		status, _ := r.call()
		heard <- status
	}()
	<-begun
	r.stop()
	r.reads(http.StatusServiceUnavailable, "[-]in service no\n")
	close(goOn)
	if status := <-heard; status != http.StatusOK {
		t.Errorf("what was under way ended with %d", status)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestTheCommandSaysWhatIsWrong(t *testing.T) {
	taken := application(t, healthy)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no address":                    {[]string{"--pod-address", "here"}, "reading --pod-address"},
		"no time":                       {[]string{"--reload", "0s"}, "--reload and --drain must be longer than nothing"},
		"a taken port":                  {[]string{"--unsigned", "--host", "127.0.0.1", "--probe-port", fmt.Sprint(taken), "--admin-port", fmt.Sprint(proxytest.FreePort(t))}, "address already in use"},
		"a stray word":                  {[]string{"now"}, "unknown command"},
		"a stray flag":                  {[]string{"--open"}, "unknown flag"},
		"half an issuer":                {[]string{"--issuer", "issuer.op.svc"}, "they must all be set"},
		"two sources":                   {[]string{"--issuer", "issuer.op.svc", "--issuer-token", "t", "--issuer-roots", "r", "--certificates", "c"}, "none of the others can be"},
		"an issuer that is a URL":       {[]string{"--unsigned", "--issuer", "https://issuer.op.svc/", "--issuer-token", "t", "--issuer-roots", "r"}, "the issuer's URL is https, a host and a port"},
		"a name server by name":         {[]string{"--unsigned", "--issuer", "issuer.op.svc", "--issuer-token", "t", "--issuer-roots", "r", "--name-servers", "kube-dns:53"}, "reading --name-servers: \"kube-dns:53\" is no address with a port; set one such as 10.96.0.10:53"},
		"no certificates":               {[]string{"--unsigned", "--certificates", ""}, "an issuer or a directory of certificates is needed"},
		"nobody's word":                 {nil, "either the uid of a workload is needed, for which configurations are signed (--workload-uid), or the word that they are not (--unsigned)"},
		"both words":                    {[]string{"--workload-uid", "6f1c", "--unsigned"}, "either the uid of a workload is needed"},
		"a generation before the first": {[]string{"--workload-uid", "6f1c", "--minimum-generation", "0"}, "the minimum generation is 0; generations begin at 1"},
		"a grace of less than nothing":  {[]string{"--workload-uid", "6f1c", "--signature-grace", "-1h"}, "the grace of signatures is less than nothing"},
		"nothing to keep":               {[]string{"--unsigned", "--state-dir", "/tmp"}, "with --unsigned there is none"},
		"nowhere to keep it":            {[]string{"--workload-uid", "6f1c", "--state-dir", "/nowhere/at/all"}, "--state-dir /nowhere/at/all is no directory: mount one that outlives the container"},
		"no such thing":                 {[]string{"--drain", "soon"}, "invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Command(time.Now)
			c.SetArgs(tc.args)
			c.SetErr(io.Discard)
			if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Execute() = %v, want %q", err, tc.want)
			}
		})
	}
}
