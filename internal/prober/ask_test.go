package prober

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// onLoopback is an asker that may dial this host, which no other can be made.
func onLoopback() *asker { return &asker{} }

const host = "example.com" // as in the certificate of httptest

// asked is an endpoint at an address of this host.
func asked(t *testing.T, ask control.Ask, at net.Addr) control.Endpoint {
	t.Helper()
	address, err := netip.ParseAddrPort(at.String())
	if err != nil {
		t.Fatalf("reading an address: %v", err)
	}
	return control.Endpoint{Ask: ask, Address: address.Addr().String(), Port: int32(address.Port()), Host: host}
}

func TestTheVersionsOfAServerAreTold(t *testing.T) {
	serve := func(configure func(*tls.Config)) func(*testing.T) net.Addr {
		return func(t *testing.T) net.Addr {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			server.TLS = &tls.Config{}
			configure(server.TLS)
			server.StartTLS()
			t.Cleanup(server.Close)
			return server.Listener.Addr()
		}
	}
	versions := func(from, to uint16) func(*testing.T) net.Addr {
		return serve(func(c *tls.Config) { c.MinVersion, c.MaxVersion = from, to })
	}
	ends := httptest.NewTLSServer(nil)
	notAfter := ends.Certificate().NotAfter.UTC()
	ends.Close()
	for name, tc := range map[string]struct {
		give func(*testing.T) net.Addr
		want control.Dialled
	}{
		"TLS 1.0 only":             {versions(tls.VersionTLS10, tls.VersionTLS10), control.Dialled{Answer: control.OldAccepted, Version: version10}},
		"TLS 1.1 only":             {versions(tls.VersionTLS11, tls.VersionTLS11), control.Dialled{Answer: control.OldAccepted, Version: version11}},
		"everything from TLS 1.0":  {versions(tls.VersionTLS10, tls.VersionTLS13), control.Dialled{Answer: control.OldAccepted, Version: version11, NotAfter: notAfter}},
		"TLS 1.2 only":             {versions(tls.VersionTLS12, tls.VersionTLS12), control.Dialled{Answer: control.OldRefused, NotAfter: notAfter}},
		"TLS 1.3 only":             {versions(tls.VersionTLS13, tls.VersionTLS13), control.Dialled{Answer: control.OldRefused, NotAfter: notAfter}},
		"a client certificate too": {serve(func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }), control.Dialled{Answer: control.OldRefused, NotAfter: notAfter}},
		"plaintext":                {raw("HTTP/1.1 400 Bad Request\r\n\r\n"), control.Dialled{}},
		"nothing, and hangs up":    {raw(""), control.Dialled{}},
		"nobody":                   {nobody, control.Dialled{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := onLoopback().ask(t.Context(), asked(t, control.AskTLS, tc.give(t)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAnswerInPlaintextIsGraded(t *testing.T) {
	redirect := func(status int, to string) func(*testing.T) net.Addr {
		return raw(fmt.Sprintf("HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, to))
	}
	status := func(status int) func(*testing.T) net.Addr {
		return raw(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nhello", status))
	}
	for name, tc := range map[string]struct {
		give func(*testing.T) net.Addr
		want control.Dialled
	}{
		"turned to the same host":           {redirect(308, "https://"+host+"/"), control.Dialled{Answer: control.Turned, Status: 308}},
		"turned, to another port":           {redirect(301, "HTTPS://EXAMPLE.com:8443/a"), control.Dialled{Answer: control.Turned, Status: 301}},
		"turned to another host":            {redirect(301, "https://evil.example.org/"), control.Dialled{Answer: control.Answered, Status: 301}},
		"turned to plaintext":               {redirect(302, "http://"+host+"/"), control.Dialled{Answer: control.Answered, Status: 302}},
		"turned to where it is":             {redirect(302, "/login"), control.Dialled{Answer: control.Answered, Status: 302}},
		"turned to what is no address":      {redirect(302, "https://%zz"), control.Dialled{Answer: control.Answered, Status: 302}},
		"a status that turns nobody":        {redirect(304, "https://"+host+"/"), control.Dialled{Answer: control.Answered, Status: 304}},
		"a page":                            {status(200), control.Dialled{Answer: control.Answered, Status: 200}},
		"a question for a password":         {status(401), control.Dialled{Answer: control.Answered, Status: 401}},
		"what says that it wants TLS":       {status(400), control.Dialled{Answer: control.Rejected, Status: 400}},
		"what tells nothing of the rest":    {status(404), control.Dialled{Status: 404}},
		"what has nobody behind it":         {status(503), control.Dialled{Status: 503}},
		"a page after interim answers":      {raw("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), control.Dialled{Answer: control.Answered, Status: 200}},
		"interim answers without end":       {raw(strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 64)), control.Dialled{}},
		"a header without end":              {raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Padding: "+strings.Repeat("a", 1000)+"\r\n", 64)), control.Dialled{}},
		"a header in pieces":                {raw("HTTP/1.1 200 OK\r\nX"), control.Dialled{}},
		"what is no HTTP":                   {raw("220 mail.example.org ESMTP\r\n"), control.Dialled{Answer: control.Rejected}},
		"an alert of TLS":                   {raw("\x15\x03\x01\x00\x02\x02\x46"), control.Dialled{Answer: control.Rejected}},
		"nothing, and hangs up":             {raw(""), control.Dialled{Answer: control.Rejected}},
		"nobody":                            {nobody, control.Dialled{Answer: control.Closed}},
		"a page that HEAD does not get":     {byMethod(func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }), control.Dialled{Answer: control.Answered, Status: 200}},
		"a redirect that HEAD does not get": {byMethod(func(w http.ResponseWriter) { w.Header().Set("Location", "https://"+host+"/"); w.WriteHeader(301) }), control.Dialled{Answer: control.Turned, Status: 301}},
	} {
		t.Run(name, func(t *testing.T) {
			got := onLoopback().ask(t.Context(), asked(t, control.AskPlaintext, tc.give(t)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing that a redirect names is visited, and the request carries nothing but its host.
func TestARedirectIsNotFollowed(t *testing.T) {
	visited := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it is followed") }))
	defer visited.Close()
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		http.Redirect(w, r, visited.URL, http.StatusFound)
	}))
	defer server.Close()
	onLoopback().ask(t.Context(), asked(t, control.AskPlaintext, server.Listener.Addr()))
	server.Close()
	if seen == nil || seen.URL.Path != "/" || seen.Method != http.MethodHead || !strings.HasPrefix(seen.Host, host) || len(seen.Header) != 2 {
		t.Errorf("the request is %+v", seen)
	}
}

// Who says nothing is left, and that is no evidence.
func TestWhoHangsIsUnclear(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	defer func() { _ = silent.Close() }()
	for name, ask := range map[string]control.Ask{"to TLS": control.AskTLS, "to plaintext": control.AskPlaintext} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100e6)
			defer cancel()
			if diff := cmp.Diff(control.Dialled{}, onLoopback().ask(ctx, asked(t, ask, silent.Addr()))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// What [New] builds reaches nobody on this host, by no name.
func TestNobodyInsideIsDialled(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it is dialled") }))
	defer server.Close()
	nowhere := func(context.Context, netip.AddrPort) (bool, error) { return false, nil }
	dialling := &asker{}
	dialling.dialer.ControlContext = (&guard{never: neverDialled, inside: nowhere}).check
	for _, address := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"} {
		for _, ask := range []control.Ask{control.AskTLS, control.AskPlaintext} {
			e := asked(t, ask, server.Listener.Addr())
			e.Address = address
			if diff := cmp.Diff(control.Dialled{}, dialling.ask(t.Context(), e), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", address, diff)
			}
		}
	}
}

// raw answers whatever is asked with the same bytes, once a request has begun.
func raw(answer string) func(*testing.T) net.Addr {
	return func(t *testing.T) net.Addr {
		t.Helper()
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listening: %v", err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					buffer := make([]byte, 64<<10)
					_, _ = conn.Read(buffer)
					_, _ = io.WriteString(conn, answer)
					_ = conn.Close()
				}()
			}
		}()
		return listener.Addr()
	}
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) net.Addr {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	return listener.Addr()
}

// byMethod answers only GET.
func byMethod(get func(http.ResponseWriter)) func(*testing.T) net.Addr {
	return func(t *testing.T) net.Addr {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			get(w)
		}))
		t.Cleanup(server.Close)
		return server.Listener.Addr()
	}
}
