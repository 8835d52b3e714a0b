package outbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	self     = "spiffe://cluster.local/ns/ehr/sa/api"
	database = "spiffe://cluster.local/ns/ehr/sa/db"
	stranger = "spiffe://cluster.local/ns/lab/sa/db"
)

// stage is a proxy's outbound half, whom it can prove, and what became of its calls.
type stage struct {
	t         *testing.T
	authority *proxytest.Authority
	source    *proxytest.Source
	calls     *Calls
	// hosts are where names lead; others have no address.
	hosts map[string]string

	mu       sync.Mutex
	outcomes []Outcome
}

func newStage(t *testing.T) *stage {
	t.Helper()
	now := time.Now()
	s := &stage{t: t, authority: proxytest.NewAuthority(t, now)}
	s.source = proxytest.NewSource(s.authority.Leaf(t, now, self), s.authority)
	s.calls = &Calls{
		Verifier: &identity.Verifier{Source: s.source, Now: time.Now},
		Now:      time.Now,
		Dial: func(ctx context.Context, host string, port uint16) (*net.TCPConn, error) {
			at := net.JoinHostPort(host, strconv.Itoa(int(port)))
			if known := s.hosts[at]; known != "" {
				at = known
			} else if _, err := netip.ParseAddr(host); err != nil {
				return nil, dial.ErrNoAddress
			}
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
			if err != nil {
				return nil, dial.ErrUnreachable
			}
			tcp, _ := conn.(*net.TCPConn) // as Dial says of tcp
			return tcp, nil
		},
		Observe: func(_ config.Trust, outcome Outcome) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.outcomes = append(s.outcomes, outcome)
		},
	}
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		s.calls.Shutdown(over)
	})
	return s
}

// last is the outcome of the last call.
func (s *stage) last() Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outcomes) == 0 {
		return ""
	}
	return s.outcomes[len(s.outcomes)-1]
}

// to is an entry that leads to an upstream, at a port that was free a moment ago.
func (s *stage) to(upstream string, trust config.Trust, protocol config.Protocol, ids ...string) config.Outbound {
	s.t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.16:0")
	if err != nil {
		s.t.Fatal(err)
	}
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	_ = listener.Close()
	out := config.Outbound{Names: []string{"db.ehr.svc.cluster.local"}, Address: "127.0.0.16", Port: int(port), Upstream: upstream, Protocol: protocol, Trust: trust}
	for _, id := range ids {
		out.To = append(out.To, config.Peer{ID: id})
	}
	return out
}

func (s *stage) apply(out ...config.Outbound) {
	s.t.Helper()
	if err := s.calls.Apply(&config.Configuration{
		TrustDomain: "cluster.local", Refusal: config.Refusal{Control: "mutual-tls", Citation: "45 CFR 164.312(e)(1)"}, Outbound: out,
	}); err != nil {
		s.t.Fatal(err)
	}
}

// call is what the application opens.
func (s *stage) call(out config.Outbound) *net.TCPConn {
	s.t.Helper()
	conn, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(out.Address), uint16(out.Port))))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// upstream answers what it is told in capitals, until the caller is done.
func (s *stage) upstream(server *tls.Config) string {
	s.t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	if server != nil {
		listener = tls.NewListener(listener, server)
	}
	s.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewReaderSize(conn, 64)
				for {
					line, err := lines.ReadSlice('\n')
					if err != nil { // also where it is no line
						return
					}
					if _, err := conn.Write(bytes.ToUpper(line)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// peerOf is how a proxy of another workload answers.
func (s *stage) peerOf(id string, protocols ...string) *tls.Config {
	v := &identity.Verifier{Source: proxytest.NewSource(s.authority.Leaf(s.t, time.Now(), id), s.authority), Now: time.Now}
	return v.Server(identity.Policy{TrustDomain: "cluster.local", Protocols: protocols})
}

// asks says one line and reads the answer.
func asks(conn net.Conn, line string) (string, error) {
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

func TestACallGoesToWhomTheConfigurationNames(t *testing.T) {
	later := time.Now().Add(48 * time.Hour)
	for name, tc := range map[string]struct {
		server func(*stage) *tls.Config
		trust  config.Trust
		to     string
		want   Outcome
	}{
		"to the workload that is meant":       {func(s *stage) *tls.Config { return s.peerOf(database) }, config.Mutual, database, Carried},
		"to another workload":                 {func(s *stage) *tls.Config { return s.peerOf(stranger) }, config.Mutual, database, Refused},
		"to somebody of another authority":    {func(s *stage) *tls.Config { return newStage(s.t).peerOf(database) }, config.Mutual, database, Refused},
		"to somebody without TLS":             {func(*stage) *tls.Config { return nil }, config.Mutual, database, Refused},
		"to a service that is declared plain": {func(*stage) *tls.Config { return nil }, config.Plain, "", Carried},
		"to somebody whose certificate begins later": {func(s *stage) *tls.Config {
			own := s.authority.Leaf(s.t, later, database)
			return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*own}}
		}, config.Mutual, database, Refused},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			var ids []string
			if tc.to != "" {
				ids = []string{tc.to}
			}
			out := s.to(s.upstream(tc.server(s)), tc.trust, config.TCP, ids...)
			s.apply(out)
			answer, err := asks(s.call(out), "hello")
			if carried := err == nil && answer == "HELLO"; carried != (tc.want == Carried) || s.last() != tc.want {
				t.Errorf("the answer is %q, %v, the outcome %q; want %q", answer, err, s.last(), tc.want)
			}
		})
	}
}

func TestWithoutACertificateNobodyIsCalled(t *testing.T) {
	s := newStage(t)
	s.source.Own.Store(nil)
	out := s.to(s.upstream(s.peerOf(database)), config.Mutual, config.TCP, database)
	s.apply(out)
	if answer, err := asks(s.call(out), "hello"); err == nil || s.last() != NotReady {
		t.Errorf("the answer is %q, the outcome %q", answer, s.last())
	}
}

func TestACallerInHTTPIsToldWhy(t *testing.T) {
	s := newStage(t)
	out := s.to(s.upstream(s.peerOf(stranger, "http/1.1")), config.Mutual, config.HTTP, database)
	s.apply(out)
	conn := s.call(out)
	if _, err := io.WriteString(conn, "POST /Patient HTTP/1.1\r\nHost: db\r\nContent-Length: 100000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	want := `{"error":"who answers is not whom the configuration names, or refuses this workload","control":"mutual-tls","citation":"45 CFR 164.312(e)(1)"}`
	if err != nil || answer.StatusCode != http.StatusServiceUnavailable || string(body) != want {
		t.Errorf("answer %d %s, %v", answer.StatusCode, body, err)
	}
}

func TestTheProtocolIsWhatTheApplicationSpeaks(t *testing.T) {
	for name, tc := range map[string]struct {
		opening string
		want    string
	}{
		"HTTP/1.1":                        {"GET / HTTP/1.1\n", "http/1.1"},
		"HTTP/2 from the start":           {preface + "\n", "h2"},
		"what begins as if it were":       {"PRI * HTTP/1.1\n", "http/1.1"},
		"the shortest method of HTTP/1.1": {"P\n", "http/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			spoken := make(chan string, 1)
			server := s.peerOf(database, "h2", "http/1.1")
			verify := server.VerifyConnection
			server.VerifyConnection = func(state tls.ConnectionState) error {
				spoken <- state.NegotiatedProtocol
				return verify(state)
			}
			out := s.to(s.upstream(server), config.Mutual, config.HTTP, database)
			s.apply(out)
			conn := s.call(out)
			// In pieces, as networks may cut it.
			for _, piece := range strings.SplitAfter(tc.opening, " ") {
				if _, err := io.WriteString(conn, piece); err != nil {
					t.Fatal(err)
				}
			}
			if got := <-spoken; got != tc.want {
				t.Errorf("the server is spoken to in %q, want %q", got, tc.want)
			}
			first, _, _ := strings.Cut(tc.opening, "\n")
			if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || strings.TrimSpace(answer) != strings.ToUpper(strings.TrimSpace(first)) {
				t.Errorf("the first words arrive as %q, %v", answer, err)
			}
		})
	}
}

func TestAChangeEndsTheCallsThatItDoesNotAllow(t *testing.T) {
	s := newStage(t)
	upstream := s.upstream(s.peerOf(database))
	out := s.to(upstream, config.Mutual, config.TCP, database)
	for name, tc := range map[string]struct {
		change func(config.Outbound) []config.Outbound
		stays  bool
	}{
		"nothing": {func(o config.Outbound) []config.Outbound { return []config.Outbound{o} }, true},
		"one more may answer": {func(o config.Outbound) []config.Outbound {
			o.To = append(o.To, config.Peer{ID: stranger})
			return []config.Outbound{o}
		}, true},
		"another one has to": {func(o config.Outbound) []config.Outbound {
			o.To = []config.Peer{{ID: stranger}}
			return []config.Outbound{o}
		}, false},
		"nobody is called now": {func(config.Outbound) []config.Outbound { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.apply(out)
			conn := s.call(out)
			if answer, err := asks(conn, "hello"); err != nil || answer != "HELLO" {
				t.Fatalf("before: %q, %v", answer, err)
			}
			s.apply(tc.change(out)...)
			if answer, err := asks(conn, "again"); (err == nil && answer == "AGAIN") != tc.stays {
				t.Errorf("after: %q, %v", answer, err)
			}
		})
	}
}

// Who has been called and does not answer is given up with the call.
func TestACutDoesNotWaitForWhoIsCalled(t *testing.T) {
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, trust := range map[string]config.Trust{"in its handshake": config.Mutual, "as a server of PostgreSQL": config.Vendor} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			out := s.to(silent.Addr().String(), trust, config.TCP, database)
			if trust == config.Vendor {
				out.Upstream, out.To, out.Names = "", nil, []string{host}
				s.hosts = map[string]string{net.JoinHostPort(host, strconv.Itoa(out.Port)): silent.Addr().String()}
			}
			s.apply(out)
			conn := s.call(out)
			if trust == config.Vendor {
				go func() {
					_, _ = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
					_, _ = io.ReadFull(conn, make([]byte, 1))
					_ = tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
				}()
			}
			called, err := silent.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = called.Close() }()
			s.apply()
			// Long before anybody's patience ends.
			if err := called.SetReadDeadline(time.Now().Add(setup / 3)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, called); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the call goes on")
			}
		})
	}
}

// Nobody is called for longer than what it proved itself by.
func TestACallEndsWithTheCertificateOfWhoAnswers(t *testing.T) {
	var late atomic.Int64
	s := newStage(t)
	now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	s.calls.Now, s.calls.Verifier.Now = now, now
	out := s.to(s.upstream(s.peerOf(database)), config.Mutual, config.TCP, database)
	s.apply(out)
	conn := s.call(out)
	if answer, err := asks(conn, "hello"); err != nil || answer != "HELLO" {
		t.Fatalf("before: %q, %v", answer, err)
	}
	for _, after := range []time.Duration{22 * time.Hour, 24 * time.Hour} {
		late.Store(int64(after))
		s.calls.Sweep()
		if answer, err := asks(conn, "again"); (err == nil && answer == "AGAIN") != (after < 23*time.Hour) {
			t.Errorf("after %s: %q, %v", after, answer, err)
		}
	}
	if s.last() != Expired {
		t.Errorf("the outcome is %q, want %q", s.last(), Expired)
	}
}

// Where nothing proves who answers, a call does not outlive where it leads.
func TestAPlainCallGoesWithItsUpstream(t *testing.T) {
	s := newStage(t)
	out := s.to(s.upstream(nil), config.Plain, config.TCP)
	s.apply(out)
	conn := s.call(out)
	if _, err := asks(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	out.Upstream = s.upstream(nil)
	s.apply(out)
	if answer, err := asks(conn, "again"); err == nil {
		t.Errorf("the old service answers %q", answer)
	}
	if answer, err := asks(s.call(out), "hello"); err != nil || answer != "HELLO" {
		t.Errorf("the new one: %q, %v", answer, err)
	}
}

// An application that has a port on every address keeps the proxy from having it on one.
func TestAPortThatTheApplicationHasItself(t *testing.T) {
	s := newStage(t)
	taken, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	blocked, free := s.to("192.0.2.1:80", config.Plain, config.TCP), s.to(s.upstream(nil), config.Plain, config.TCP)
	blocked.Port = int(netip.MustParseAddrPort(taken.Addr().String()).Port())
	kept := s.to(s.upstream(s.peerOf(database)), config.Mutual, config.TCP, database, stranger)
	s.apply(kept)
	gone := s.call(kept)
	if answer, err := asks(gone, "hello"); err != nil || answer != "HELLO" {
		t.Fatalf("before: %q, %v", answer, err)
	}
	kept.To = []config.Peer{{ID: stranger}}
	both := &config.Configuration{TrustDomain: "cluster.local", Outbound: []config.Outbound{blocked, free, kept}}
	if err := s.calls.Apply(both); err == nil || !strings.Contains(err.Error(), "give the Service that it calls another one") {
		t.Errorf("Apply() = %v", err)
	}
	if answer, err := asks(s.call(free), "hello"); err != nil || answer != "HELLO" {
		t.Errorf("the other one: %q, %v", answer, err)
	}
	if answer, err := asks(gone, "again"); err == nil {
		t.Errorf("who may not answer any more says %q", answer)
	}
	_ = taken.Close()
	if err := s.calls.Apply(both); err != nil {
		t.Errorf("once the port is free: %v", err)
	}
}

func TestTheNumberOfCallsIsBounded(t *testing.T) {
	s := newStage(t)
	out := s.to(s.upstream(nil), config.Plain, config.TCP)
	out.Connections = 2
	s.apply(out)
	first, second := s.call(out), s.call(out)
	for _, conn := range []net.Conn{first, second} {
		if _, err := asks(conn, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := asks(s.call(out), "hello"); err == nil || s.last() != Full {
		t.Errorf("the third: %q, outcome %q", answer, s.last())
	}
	if answer, err := asks(first, "again"); err != nil || answer != "AGAIN" {
		t.Errorf("the first: %q, %v", answer, err)
	}
}

func TestShutdownLetsCallsEnd(t *testing.T) {
	s := newStage(t)
	out := s.to(s.upstream(nil), config.Plain, config.TCP)
	s.apply(out)
	conn := s.call(out)
	if _, err := asks(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { s.calls.Shutdown(t.Context()); close(ended) }()
	if answer, err := asks(conn, "again"); err != nil || answer != "AGAIN" {
		t.Errorf("while others are not taken: %q, %v", answer, err)
	}
	_ = conn.Close()
	<-ended
	if err := s.calls.Apply(&config.Configuration{Outbound: []config.Outbound{out}}); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp4", net.JoinHostPort(out.Address, "1")); err == nil {
		_ = conn.Close()
	}
}

// A caller who speaks first and does not is given up, whatever it holds open.
func TestASilentCallerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer func() { _, _ = here.Close(), there.Close() }()
		start := time.Now()
		first, outcome := (&Calls{Now: time.Now}).listenTo(there, &target{Outbound: config.Outbound{Protocol: config.HTTP, Trust: config.Mutual}})
		if outcome != Silent {
			t.Errorf("it comes to %q, %v", outcome, first)
		}
		if took := time.Since(start); took != firstWords {
			t.Errorf("it was waited for %s, want %s", took, firstWords)
		}
	})
}
