package inbound

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const request = "GET / HTTP/1.1\r\nHost: x\r\nX-Remote-User: mallory\r\n\r\n"

// plainly connects without TLS.
func (s *scene) plainly() net.Conn {
	s.Helper()
	c, err := new(net.Dialer).DialContext(s.Context(), "tcp", s.address())
	if err != nil {
		s.Fatalf("dialling: %v", err)
	}
	s.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *scene) lower(g grade) float64 {
	return testutil.ToFloat64(s.server.Metrics.lower.WithLabelValues(string(g)))
}

// records says what it was told of users.
func records(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "record for "+r.Header.Get("X-Remote-User"))
}

func TestALoadBalancerOfADeclaredRangeNeedsNoCertificate(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, records), config.Limits{})
	nobody := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	dial := func(c *tls.Config) (*tls.Conn, error) {
		conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", s.address())
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn.(*tls.Conn), conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a tls.Dialer gives nothing else
	}
	refused := func(why string, c *tls.Config) {
		t.Helper()
		conn, err := dial(c)
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // in TLS 1.3 the refusal comes after the client's end of the handshake
		}
		if err == nil {
			t.Errorf("%s: let in", why)
		}
	}
	refused("no range is declared", nobody)
	s.config.Inbound[0].OneWay = []string{"10.0.0.0/8", "::1/128"}
	s.apply()
	refused("it calls from elsewhere", nobody)

	s.config.Inbound[0].OneWay = []string{"127.0.0.0/8"}
	s.apply()
	conn, err := dial(nobody)
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	if got, text := say(t, conn, request); got.StatusCode != http.StatusOK || text != "record for " {
		t.Errorf("got %d %q", got.StatusCode, text)
	}
	foreign := nobody.Clone()
	foreign.Certificates = []tls.Certificate{*proxytest.NewAuthority(t, time.Now()).Leaf(t, time.Now(), portal)}
	refused("the certificate that it shows is under another root", foreign)
	if got, _ := say(t, s.dial(portal), request); got.StatusCode != http.StatusOK {
		t.Errorf("who has a certificate got %d", got.StatusCode)
	}
	if got, _ := say(t, s.dial(stranger), request); got.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else with a certificate got %d", got.StatusCode)
	}
	if got := s.lower(oneWay); got != 1 {
		t.Errorf("%v connections were counted as one-way", got)
	}
	s.config.Inbound[0].OneWay = nil
	s.apply()
	ends(t, conn)
}

func TestPlaintextIsTakenWhileItIsPermitted(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol config.Protocol
		open     func(*testing.T, *scene) net.Conn
	}{
		"http":           {config.HTTP, nil},
		"tcp":            {config.TCP, nil},
		"http beside it": {config.HTTP, func(_ *testing.T, s *scene) net.Conn { return s.dial(portal) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, tc.protocol, web(t, records), config.Limits{})
			s.config.Inbound[0].Plaintext = config.PlaintextPermitted
			s.apply()
			if tc.open == nil {
				tc.open = func(_ *testing.T, s *scene) net.Conn { return s.plainly() }
			}
			if got, _ := say(t, tc.open(t, s), request); got.StatusCode != http.StatusOK {
				t.Errorf("got %d", got.StatusCode)
			}
		})
	}
}

func TestPlaintextIsReadLikeTheRest(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, records), config.Limits{})
	s.config.Inbound[0].Plaintext = config.PlaintextPermitted
	s.apply()
	if _, text := say(t, s.plainly(), request); text != "record for " {
		t.Errorf("a caller said who its user is: %q", text)
	}
	if got := s.lower(plain); got != 1 {
		t.Errorf("%v connections were counted as plaintext", got)
	}
}

func TestWhoWaitsForTheServerToBeginIsTakenForPlaintext(t *testing.T) {
	greets := raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "5.7.44 MySQL\n") })
	s := newScene(t, config.TCP, greets, config.Limits{})
	s.config.Inbound[0].Plaintext = config.PlaintextPermitted
	s.apply()
	text, err := io.ReadAll(s.plainly())
	if err != nil || string(text) != "5.7.44 MySQL\n" {
		t.Errorf("heard %q, %v", text, err)
	}
}

func TestWhatBeganInPlaintextEndsInOrder(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-goOn
		}
		_, _ = io.WriteString(w, "done")
	}), config.Limits{})
	s.config.Inbound[0].Plaintext = config.PlaintextPermitted
	s.apply()
	idle, busy := s.plainly(), s.plainly()
	say(t, idle, request)
	answered := make(chan string, 1)
	go func() {
		_, text := say(t, busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		answered <- text
	}()
	<-begun
	s.config.Inbound[0].Plaintext = ""
	s.apply()
	ends(t, idle)
	close(goOn)
	if text := <-answered; text != "done" {
		t.Errorf("what was under way got %q", text)
	}
	ends(t, busy)
	late := s.plainly()
	if _, err := io.WriteString(late, request); err != nil {
		t.Fatal(err)
	}
	ends(t, late)
	eventually(t, "a refusal", func() bool { return s.refusals(reasonPlaintext) == 1 })
}
