package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	host   = "api.vendor.example"
	gateID = "spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"
)

// vendor is a server that the application knows by its certificate.
type vendor struct {
	*httptest.Server
	pool *x509.CertPool
}

func startVendor(t *testing.T) *vendor {
	t.Helper()
	authority := proxytest.NewAuthority(t, time.Now())
	template := proxytest.LeafTemplate(t, time.Now())
	template.DNSNames = []string{host}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "prescribed for "+r.Host)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*authority.Issue(t, template)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &vendor{server, authority.Pool()}
}

// leadsTo lets names lead to a server, at the port of an entry.
func (s *stage) leadsTo(out config.Outbound, address string, names ...string) {
	s.hosts = map[string]string{}
	for _, name := range names {
		s.hosts[net.JoinHostPort(name, strconv.Itoa(out.Port))] = address
	}
}

// get is what an application does that calls a vendor by a name.
func get(t *testing.T, out config.Outbound, v *vendor, name string) (string, error) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: v.pool, ServerName: name},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(out.Address, strconv.Itoa(out.Port)))
		},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// through starts a gate that lets some workloads call some hosts, and returns its
// address.
func (s *stage) through(port int, id string, from string, names ...string) (address string, gate *egress.Gate) {
	s.t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	gate = &egress.Gate{
		Verifier: &identity.Verifier{Source: proxytest.NewSource(s.authority.Leaf(s.t, time.Now(), id), s.authority), Now: time.Now},
		Dial:     s.calls.Dial, Now: time.Now,
	}
	gate.Apply(allowing(port, from, names...))
	gate.Open(listener)
	s.t.Cleanup(func() {
		ctx, stop := context.WithCancel(context.Background())
		stop()
		gate.Shutdown(ctx)
	})
	return listener.Addr().String(), gate
}

func allowing(port int, from string, names ...string) *config.Configuration {
	return &config.Configuration{TrustDomain: "cluster.local", Egress: &config.Egress{
		Vendors: []config.Vendors{{Names: names, Ports: []int{port}, From: []config.Peer{{ID: from}}}},
	}}
}

func TestAVendorIsCalledByItsNameOverTLS(t *testing.T) {
	for name, tc := range map[string]struct {
		names []string
		calls string
		want  Outcome
	}{
		"by its name":                {[]string{host}, host, Carried},
		"by one of its names":        {[]string{"*.vendor.example"}, host, Carried},
		"by a name of somebody else": {[]string{host}, "api.collector.example", Undeclared},
		"without a name":             {[]string{host}, "192.0.2.7", Undeclared},
	} {
		for _, gated := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s, v := newStage(t), startVendor(t)
				out := s.to("", config.Vendor, config.HTTP)
				out.Names = tc.names
				s.leadsTo(out, v.Listener.Addr().String(), host, "api.collector.example")
				if gated {
					out.Upstream, _ = s.through(out.Port, gateID, self, tc.names...)
					out.To = []config.Peer{{ID: gateID}}
				}
				s.apply(out)
				body, err := get(t, out, v, tc.calls)
				if (err == nil) != (tc.want == Carried) || s.last() != tc.want {
					t.Errorf("gate %t: the vendor says %q, %v, the outcome is %q; want %q", gated, body, err, s.last(), tc.want)
				}
			})
		}
	}
}

func TestAVendorIsNotCalledInTheClear(t *testing.T) {
	s := newStage(t)
	out := s.to("", config.Vendor, config.HTTP)
	out.Names = []string{host}
	s.apply(out)
	conn := s.call(out)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	const want = `{"error":"a vendor is called over TLS: write https","control":"mutual-tls","citation":"45 CFR 164.312(e)(1)"}`
	if err != nil || string(body) != want || s.last() != Cleartext {
		t.Errorf("answer %s, %v, outcome %q", body, err, s.last())
	}
}

func TestTheGateDecidesForItself(t *testing.T) {
	for name, tc := range map[string]struct {
		gate, from string
		names      []string
		leads      bool
		want       Outcome
	}{
		"for another workload":       {gateID, stranger, []string{host}, true, Refused},
		"for other hosts":            {gateID, self, []string{"*.other.example"}, true, Refused},
		"while the host has no name": {gateID, self, []string{host}, false, Unresolved},
		"when it is another one":     {stranger, self, []string{host}, true, Refused},
	} {
		t.Run(name, func(t *testing.T) {
			s, v := newStage(t), startVendor(t)
			out := s.to("", config.Vendor, config.HTTP)
			out.Names, out.To = []string{host}, []config.Peer{{ID: gateID}}
			if tc.leads {
				s.leadsTo(out, v.Listener.Addr().String(), host)
			}
			out.Upstream, _ = s.through(out.Port, tc.gate, tc.from, tc.names...)
			s.apply(out)
			if body, err := get(t, out, v, host); err == nil || s.last() != tc.want {
				t.Errorf("the vendor says %q, the outcome is %q; want %q", body, s.last(), tc.want)
			}
		})
	}
}

// The end of an agreement ends the calls that are open, at the proxy and at the gate.
func TestTheEndOfAnAgreementEndsCalls(t *testing.T) {
	for name, end := range map[string]func(*stage, *egress.Gate, config.Outbound){
		"at the proxy":                 func(s *stage, _ *egress.Gate, _ config.Outbound) { s.apply() },
		"at the proxy, of one host":    func(s *stage, _ *egress.Gate, o config.Outbound) { o.Names = []string{"*.other.example"}; s.apply(o) },
		"at the gate":                  func(_ *stage, g *egress.Gate, o config.Outbound) { g.Apply(allowing(o.Port, stranger, host)) },
		"at the gate, for other hosts": func(_ *stage, g *egress.Gate, o config.Outbound) { g.Apply(allowing(o.Port, self, "other.example")) },
		"at the gate, which has no one": func(_ *stage, g *egress.Gate, _ config.Outbound) {
			g.Apply(&config.Configuration{TrustDomain: "cluster.local"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, v := newStage(t), startVendor(t)
			out := s.to("", config.Vendor, config.HTTP)
			out.Names, out.To = []string{host}, []config.Peer{{ID: gateID}}
			s.leadsTo(out, v.Listener.Addr().String(), host)
			var gate *egress.Gate
			out.Upstream, gate = s.through(out.Port, gateID, self, host)
			s.apply(out)
			conn := tls.Client(s.call(out), &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: v.pool, ServerName: host})
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(conn)
			answer, err := http.ReadResponse(lines, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			end(s, gate, out)
			if got, err := lines.ReadByte(); err == nil {
				t.Errorf("the call goes on with %q", got)
			}
		})
	}
}

// A client of PostgreSQL asks for TLS before it begins; whom it means it says then.
func TestADatabaseOfAVendor(t *testing.T) {
	for _, gated := range []bool{false, true} {
		for name, has := range map[string]bool{"with TLS": true, "without TLS": false} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t)
				authority := proxytest.NewAuthority(t, time.Now())
				template := proxytest.LeafTemplate(t, time.Now())
				template.DNSNames = []string{host}
				server := startPostgres(t, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*authority.Issue(t, template)}}, has)
				out := s.to("", config.Vendor, config.TCP)
				out.Names = []string{host}
				s.leadsTo(out, server, host)
				if gated {
					out.Upstream, _ = s.through(out.Port, gateID, self, host)
					out.To = []config.Peer{{ID: gateID}}
				}
				s.apply(out)
				conn := s.call(out)
				if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
					t.Fatal(err)
				}
				var word [1]byte
				if _, err := io.ReadFull(conn, word[:]); err != nil || word[0] != 'S' {
					t.Fatalf("the proxy answers %q, %v", word, err)
				}
				secured := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authority.Pool(), ServerName: host})
				answer, err := asks(secured, "select 1")
				if carried := err == nil && answer == "row 1"; carried != has || (s.last() == Carried) != has {
					t.Errorf("gate %t: the answer is %q, %v, the outcome %q", gated, answer, err, s.last())
				}
			})
		}
	}
}

// startPostgres is a server that begins as PostgreSQL does, with TLS or without.
func startPostgres(t *testing.T, c *tls.Config, has bool) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				request := make([]byte, 8)
				if _, err := io.ReadFull(conn, request); err != nil {
					return
				}
				if !has {
					_, _ = conn.Write([]byte{'N'})
					return
				}
				if _, err := conn.Write([]byte{'S'}); err != nil {
					return
				}
				secured := tls.Server(conn, c)
				if _, err := bufio.NewReader(secured).ReadString('\n'); err == nil {
					_, _ = io.WriteString(secured, "row 1\n")
				}
			}()
		}
	}()
	return listener.Addr().String()
}
