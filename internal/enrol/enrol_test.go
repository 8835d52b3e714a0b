package enrol

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	domain = "cluster.local"
	// The host that certificates name; nothing resolves it.
	host = "issuer.op.svc"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// issuer is a server that answers as the issuer does, or as a test wants.
type issuer struct {
	t      *testing.T
	clock  *steppedClock
	root   pki.Authority
	by     pki.Authority
	server *httptest.Server
	// answer is what it does; grant is what it does at first.
	answer atomic.Pointer[http.HandlerFunc]
	tokens chan string
}

func newIssuer(t *testing.T, clock *steppedClock) *issuer {
	t.Helper()
	s := &issuer{t: t, clock: clock, tokens: make(chan string, 100)}
	s.rotate()
	s.does(s.grant)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.tokens <- r.Header.Get("Authorization")
		(*s.answer.Load())(w, r)
	}))
	s.server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			key, _, err := pki.NewRequest()
			if err != nil {
				return nil, err
			}
			chain, err := s.by.Serving([]string{host}, key.Public(), clock.Now(), time.Hour)
			return &tls.Certificate{Certificate: ders(chain), PrivateKey: key}, err
		},
	}
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

// rotate gives it another root, and an intermediate.
func (s *issuer) rotate() {
	s.t.Helper()
	var err error
	if s.root, err = pki.NewRoot(domain, s.clock.Now(), pki.DefaultPlan().Root, host); err != nil {
		s.t.Fatal(err)
	}
	if s.by, err = s.root.Intermediate(domain, []string{host}, s.clock.Now(), pki.DefaultPlan().Intermediate); err != nil {
		s.t.Fatal(err)
	}
}

func (s *issuer) bundle() pki.Bundle { return pki.Bundle{s.root.Certificate} }

func (s *issuer) does(answer http.HandlerFunc) { s.answer.Store(&answer) }

func (s *issuer) grant(w http.ResponseWriter, r *http.Request) {
	s.write(w, s.response(r))
}

func (s *issuer) response(r *http.Request) Response {
	request, err := ReadRequest(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != Path {
		s.t.Errorf("got %s %s: %v", r.Method, r.URL.Path, err)
	}
	key, err := pki.ParseRequest(request.CSR)
	if err != nil {
		s.t.Error(err)
	}
	id, err := pki.WorkloadID(domain, "ehr", "a")
	if err != nil {
		s.t.Error(err)
	}
	chain, err := s.by.Leaf(id, key, s.clock.Now(), pki.DefaultPlan().Leaf)
	if err != nil {
		s.t.Error(err)
	}
	return Response{Chain: ders(chain), Bundle: s.bundle().PEM()}
}

func (s *issuer) write(w http.ResponseWriter, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Error(err)
	}
	if _, err := w.Write(text); err != nil {
		s.t.Log(err)
	}
}

func ders(chain []*x509.Certificate) [][]byte {
	var raw [][]byte
	for _, certificate := range chain {
		raw = append(raw, certificate.Raw)
	}
	return raw
}

// pod is a client with its files, running until the test ends.
type pod struct {
	*Enrolment
	directory string
}

func newPod(t *testing.T, s *issuer, changes ...func(*Options)) pod {
	t.Helper()
	p := pod{directory: t.TempDir()}
	p.file(t, "token", "token-1\n")
	p.file(t, "bundle", string(s.bundle().PEM()))
	_, port, err := net.SplitHostPort(s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		URL:        "https://" + net.JoinHostPort(host, port),
		TokenFile:  filepath.Join(p.directory, "token"),
		BundleFile: filepath.Join(p.directory, "bundle"),
		Clock:      s.clock,
		Jitter:     func() float64 { return 0.5 },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.server.Listener.Addr().String())
		},
	}
	for _, change := range changes {
		change(&options)
	}
	if p.Enrolment, err = New(options); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		for {
			select {
			case <-ended:
				return
			case <-s.clock.waits:
			}
		}
	})
	return p
}

func (p pod) file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.directory, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAPodGetsItsCertificateAndRenewsItAtHalf(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	p := newPod(t, s)
	renewal := clock.next(t)
	first := p.Certificate()
	if err := p.Ready(); err != nil || first == nil || p.ID().String() != "spiffe://cluster.local/ns/ehr/sa/a" || !p.Bundle().Equal(s.bundle()) {
		t.Fatalf("got %v, %v, %v", first, p.ID(), err)
	}
	if renewal.length != 12*time.Hour {
		t.Errorf("it waits %s", renewal.length)
	}
	<-p.Changed()
	p.file(t, "token", "token-2")
	clock.pass(renewal)
	clock.next(t)
	if second := p.Certificate(); second == first || second.Leaf.NotAfter != start.Add(36*time.Hour) {
		t.Errorf("it was not renewed: it ends at %s", second.Leaf.NotAfter)
	}
	<-p.Changed()
	if one, two := <-s.tokens, <-s.tokens; one != "Bearer token-1" || two != "Bearer token-2" {
		t.Errorf("it showed %q and %q", one, two)
	}
	if entries, err := os.ReadDir(p.directory); err != nil || len(entries) != 2 {
		t.Errorf("it left %v behind, %v", entries, err)
	}
}

func TestABundleInAnAnswerIsTrustedFromThenOn(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	old := s.root
	p := newPod(t, s)
	renewal := clock.next(t)
	// The next root is published in an answer, and signs the one after it.
	s.does(func(w http.ResponseWriter, r *http.Request) {
		response := s.response(r)
		next, err := pki.NewRoot(domain, clock.Now(), pki.DefaultPlan().Root, host)
		if err != nil {
			t.Error(err)
		}
		s.root = next
		response.Bundle = pki.Bundle{old.Certificate, next.Certificate}.PEM()
		s.write(w, response)
	})
	clock.pass(renewal)
	renewal = clock.next(t)
	if err := p.LastError(); err != nil || len(p.Bundle()) != 2 {
		t.Fatalf("it holds %d roots: %v", len(p.Bundle()), err)
	}
	by, err := s.root.Intermediate(domain, []string{host}, clock.Now(), pki.DefaultPlan().Intermediate)
	if err != nil {
		t.Fatal(err)
	}
	s.by = by
	s.does(s.grant)
	clock.pass(renewal)
	clock.next(t)
	if err := p.LastError(); err != nil || !p.Bundle().Equal(s.bundle()) {
		t.Errorf("it holds %d roots: %v", len(p.Bundle()), err)
	}
}

// Who can ask which roots count needs neither a file nor what the last answer said: also
// where the issuer had to begin anew.
func TestRootsMayBeAskedFor(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	var known atomic.Pointer[pki.Bundle]
	p := newPod(t, s, func(o *Options) {
		o.BundleFile = ""
		o.Roots = func() (pki.Bundle, error) {
			if bundle := known.Load(); bundle != nil {
				return *bundle, nil
			}
			return nil, errors.New("nobody has published any")
		}
	})
	clock.next(t)
	if err := p.Ready(); err == nil || err.Error() != "nobody has published any" {
		t.Errorf("without roots: %v", err)
	}
	for range 2 {
		s.rotate()
		bundle := s.bundle()
		known.Store(&bundle)
		p.Renew()
		clock.next(t)
		if err := p.LastError(); err != nil || !p.Bundle().Equal(s.bundle()) {
			t.Errorf("it holds %d roots: %v", len(p.Bundle()), err)
		}
	}
}

func TestFailuresAreToldAndTriedAgain(t *testing.T) {
	tests := map[string]struct {
		// spoil changes the pod's files or the issuer before anybody asks.
		spoil func(*testing.T, *issuer)
		files map[string]string
		want  string
		// shown says that the token was sent, unreachable that the issuer counts as out of reach.
		shown, unreachable bool
	}{
		"the issuer says no": {
			spoil: answers(http.StatusForbidden, `{"error":"pod ehr/a is not selected by any PHIWorkload"}`),
			want:  "the issuer refused: pod ehr/a is not selected by any PHIWorkload (status 403)",
			shown: true,
		},
		"the issuer says no, in several lines": {
			spoil: answers(http.StatusForbidden, `{"error":"a\nb\u0000"}`),
			want:  "the issuer refused: a b  (status 403)",
			shown: true,
		},
		"something in between says no": {
			spoil: answers(http.StatusBadGateway, `<html>`),
			want:  "the issuer refused: it gave no reason (status 502)",
			shown: true, unreachable: true,
		},
		"an answer that never ends": {
			spoil: answers(http.StatusOK, `{"chain":["`+strings.Repeat("A", MaxResponse)),
			want:  "reading a body: longer than 131072 bytes",
			shown: true,
		},
		"an answer of something else": {
			spoil: answers(http.StatusOK, `[]`),
			want:  "reading a body: it is no JSON of the kind that belongs here",
			shown: true,
		},
		"an empty answer": {
			spoil: answers(http.StatusOK, `{}`),
			want:  "judging the issuer's answer: reading a bundle: it is empty",
			shown: true,
		},
		"a certificate for another key": {
			spoil: func(t *testing.T, s *issuer) {
				s.does(func(w http.ResponseWriter, r *http.Request) {
					response := s.response(r)
					key, _, err := pki.NewRequest()
					if err != nil {
						t.Error(err)
					}
					id, err := pki.WorkloadID(domain, "ehr", "a")
					if err != nil {
						t.Error(err)
					}
					chain, err := s.by.Leaf(id, key.Public(), start, time.Hour)
					if err != nil {
						t.Error(err)
					}
					response.Chain = ders(chain)
					s.write(w, response)
				})
			},
			want:  "judging the issuer's answer: the certificate is of another key",
			shown: true,
		},
		"a certificate under a root that the bundle lacks": {
			spoil: func(_ *testing.T, s *issuer) {
				s.does(func(w http.ResponseWriter, r *http.Request) {
					response := s.response(r)
					s.rotate()
					response.Bundle = s.bundle().PEM()
					s.write(w, response)
				})
			},
			want:  "judging the issuer's answer: the certificate does not chain to a trusted root",
			shown: true,
		},
		"a redirect, which would take the token away": {
			spoil: func(_ *testing.T, s *issuer) {
				s.does(func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "https://elsewhere.example", http.StatusTemporaryRedirect)
				})
			},
			want:  "the issuer refused: it gave no reason (status 307)",
			shown: true,
		},
		"an issuer under another root": {
			spoil: func(_ *testing.T, s *issuer) { s.rotate() },
			want:  "reaching the issuer: Post", unreachable: true,
		},
		"a workload that poses as the issuer": {
			spoil: func(_ *testing.T, s *issuer) {
				s.server.TLS.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
					key, _, err := pki.NewRequest()
					if err != nil {
						return nil, err
					}
					id, err := pki.WorkloadID(domain, "ehr", "thief")
					if err != nil {
						return nil, err
					}
					chain, err := s.by.Leaf(id, key.Public(), start, time.Hour)
					return &tls.Certificate{Certificate: ders(chain), PrivateKey: key}, err
				}
			},
			want: "reaching the issuer: Post", unreachable: true,
		},
		"nobody listens": {
			spoil: func(_ *testing.T, s *issuer) { s.server.Close() },
			want:  "reaching the issuer: Post", unreachable: true,
		},
		"the issuer is asked too often": {
			spoil: answers(http.StatusTooManyRequests, `{"error":"later"}`),
			want:  "the issuer refused: later (status 429)",
			shown: true,
		},
		"no token":            {files: map[string]string{"token": " \n"}, want: "reading the token: it is empty"},
		"another file":        {files: map[string]string{"token": "-----BEGIN X-----\nAAAA\n"}, want: "reading the token: the file holds no token; mount the projected one"},
		"a token far too big": {files: map[string]string{"token": strings.Repeat("a", maxToken+1)}, want: "reading the token: it is longer than 16384 bytes"},
		"no first trust":      {files: map[string]string{"bundle": ""}, want: "reading the first trust: it is empty"},
		"a torn first trust":  {files: map[string]string{"bundle": "-----BEGIN CERT"}, want: "reading a bundle: it holds something else"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := newIssuer(t, clock)
			bundle := string(s.bundle().PEM())
			if test.spoil != nil {
				test.spoil(t, s)
			}
			p := newIdlePod(t, s, bundle)
			for name, text := range test.files {
				p.file(t, name, text)
			}
			if _, err := p.try(t.Context()); err != nil {
				p.failed.Store(&err)
				p.told(err)
			}
			if err := p.Ready(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if shown := len(s.tokens) > 0; shown != test.shown {
				t.Errorf("the token was shown: %t", shown)
			}
			if out := p.Outage(); out != test.unreachable {
				t.Errorf("the issuer is out of reach: %t", out)
			}
		})
	}
}

func TestADoubtIsSettledAtOnce(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	told := make(chan error, 10)
	p := newPod(t, s, func(o *Options) { o.Observe = func(err error) { told <- err } })
	clock.next(t)
	if err := <-told; err != nil || p.Outage() {
		t.Fatalf("at first: %v, %t", err, p.Outage())
	}
	s.server.Close()
	clock.advance(longest)
	if p.Outage(); len(p.doubt) != 0 {
		t.Error("what was just tried is tried again")
	}
	clock.advance(time.Second)
	if p.Outage() {
		t.Error("it knows of an outage without a try")
	}
	clock.next(t)
	if err := <-told; !Unreachable(err) || !p.Outage() {
		t.Errorf("after the doubt: %v, %t", err, p.Outage())
	}
	if err := p.Ready(); err != nil {
		t.Errorf("with a good certificate it is not ready: %v", err)
	}
}

func TestAnOutageIsOverForAllAtOnce(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	s.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	p := newPod(t, s)
	retry := clock.next(t)
	s.does(s.grant)
	clock.pass(retry)
	clock.next(t)
	if err := p.LastError(); err != nil {
		t.Fatal(err)
	}
	clock.advance(recovery - retry.length)
	if !p.Outage() {
		t.Error("others have had no time to hear that the issuer is back")
	}
	clock.advance(time.Second)
	if p.Outage() {
		t.Error("the outage goes on")
	}
}

// newIdlePod is a pod that does not ask by itself.
func newIdlePod(t *testing.T, s *issuer, bundle string) pod {
	t.Helper()
	p := pod{directory: t.TempDir()}
	p.file(t, "token", "token-1")
	p.file(t, "bundle", bundle)
	var err error
	p.Enrolment, err = New(Options{
		URL:        "https://" + host,
		TokenFile:  filepath.Join(p.directory, "token"),
		BundleFile: filepath.Join(p.directory, "bundle"),
		Clock:      s.clock,
		Jitter:     func() float64 { return 0 },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.server.Listener.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func answers(status int, body string) func(*testing.T, *issuer) {
	return func(_ *testing.T, s *issuer) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			if _, err := w.Write([]byte(body)); err != nil {
				s.t.Log(err)
			}
		})
	}
}

func TestBackOffGrowsAndHasBounds(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	s.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	p := newPod(t, s)
	// Jitter is a half: three quarters of each wait.
	for i, seconds := range []float64{1, 2, 4, 8, 15, 15, 15} {
		w := clock.next(t)
		if want := time.Duration(seconds * 0.75 * float64(time.Second)); w.length != want {
			t.Errorf("before a certificate, wait %d is %s instead of %s", i, w.length, want)
		}
		clock.pass(w)
	}
	s.does(s.grant)
	clock.pass(clock.next(t))
	renewal := clock.next(t)
	s.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	clock.pass(renewal)
	for i, seconds := range []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		w := clock.next(t)
		if want := time.Duration(seconds * 0.75 * float64(time.Second)); w.length != want {
			t.Errorf("with a certificate, wait %d is %s instead of %s", i, w.length, want)
		}
		clock.pass(w)
	}
	if err := p.Ready(); err != nil || p.LastError() == nil {
		t.Errorf("with a good certificate it is not ready: %v", err)
	}
	clock.advance(24 * time.Hour)
	if err := p.Ready(); err == nil || !strings.HasPrefix(err.Error(), "it ended at 2026-03-03T00:00:45Z: the issuer refused") || p.Certificate() == nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestAdviceOfTheIssuerCountsWithinBounds(t *testing.T) {
	tests := map[string]struct {
		give string
		want time.Duration
	}{
		"seconds":           {"10", 5 * time.Second},
		"ages":              {"999999999999", 7500 * time.Millisecond},
		"an hour":           {"3600", 7500 * time.Millisecond},
		"no time at all":    {"0", 500 * time.Millisecond},
		"less than nothing": {"-5", 500 * time.Millisecond},
		"no number":         {"soon", 500 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := newIssuer(t, clock)
			s.does(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", test.give)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			p := newIdlePod(t, s, string(s.bundle().PEM()))
			_, err := p.try(t.Context())
			if got := p.untilRetry(err, 1); got != test.want {
				t.Errorf("it waits %s", got)
			}
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := Options{URL: "https://issuer.op.svc:8443", TokenFile: "t", BundleFile: "b", Clock: newClock(), Jitter: func() float64 { return 0 }}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*Options){
		"plaintext":      func(o *Options) { o.URL = "http://issuer.op.svc" },
		"no host":        func(o *Options) { o.URL = "https://:443" },
		"a path":         func(o *Options) { o.URL += "/" },
		"a password":     func(o *Options) { o.URL = (&url.URL{Scheme: "https", Host: "a", User: url.User("b")}).String() },
		"no token file":  func(o *Options) { o.TokenFile = "" },
		"no first trust": func(o *Options) { o.BundleFile = "" },
		"no clock":       func(o *Options) { o.Clock = nil },
		"no jitter":      func(o *Options) { o.Jitter = nil },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			options := good
			spoil(&options)
			if _, err := New(options); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}

func TestRefusalsAreErrorsOfTheirOwn(t *testing.T) {
	clock := newClock()
	s := newIssuer(t, clock)
	answers(http.StatusForbidden, `{"error":"no"}`)(t, s)
	_, err := newIdlePod(t, s, string(s.bundle().PEM())).try(t.Context())
	if refused := (*RefusedError)(nil); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(`{"version":1,"csr":"AAAA"}`)
	f.Add(`{"version":2}`)
	f.Add(`{"version":1,"csr":"AAAA","csr":""}`)
	f.Fuzz(func(t *testing.T, body string) {
		request, err := ReadRequest(strings.NewReader(body))
		if err == nil && (request.Version != 1 || len(body) > MaxRequest) {
			t.Fatalf("%q is read as %+v", body, request)
		}
	})
}

func FuzzAccept(f *testing.F) {
	key, _, err := pki.NewRequest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"chain":["AAAA"],"bundle":"AAAA"}`)
	f.Fuzz(func(t *testing.T, body string) {
		response, err := readResponse(strings.NewReader(body))
		if err != nil {
			return
		}
		if fresh, err := accept(response, key, start); err == nil {
			t.Fatalf("%q is believed: %v", body, fresh.id)
		}
	})
}
