package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	workload = "spiffe://cluster.local/ns/ehr/sa/api"
	gateID   = "spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"
	host     = "api.vendor.example"
)

func TestALineSaysOneThing(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want Destination
		bad  bool
	}{
		"TLS":                    {"tls api.vendor.example:443\n", Destination{Direct, host, 443}, false},
		"PostgreSQL":             {"postgres api.vendor.example:5432\n", Destination{Postgres, host, 5432}, false},
		"another way":            {"http api.vendor.example:443\n", Destination{}, true},
		"no port":                {"tls api.vendor.example\n", Destination{}, true},
		"a port with a sign":     {"tls api.vendor.example:+443\n", Destination{}, true},
		"a port with a zero":     {"tls api.vendor.example:0443\n", Destination{}, true},
		"port zero":              {"tls api.vendor.example:0\n", Destination{}, true},
		"a port too large":       {"tls api.vendor.example:65979\n", Destination{}, true},
		"an address":             {"tls 192.0.2.1:443\n", Destination{}, true},
		"two lines":              {"tls api.vendor.example:443\ntls x.example:443\n", Destination{}, true},
		"more after the line":    {"tls api.vendor.example:443\n\x16\x03", Destination{}, true},
		"a carriage return":      {"tls api.vendor.example:443\r\n", Destination{}, true},
		"no end":                 {"tls " + strings.Repeat("a", maxLine), Destination{}, true},
		"an end that comes soon": {"tls api.vendor", Destination{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readLine(strings.NewReader(tc.line))
			if got != tc.want || (err != nil) != tc.bad {
				t.Errorf("readLine() = %+v, %v", got, err)
			}
		})
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add("tls api.vendor.example:443\n")
	f.Add("postgres x:1\n")
	f.Fuzz(func(t *testing.T, line string) {
		d, err := readLine(strings.NewReader(line))
		if err == nil && d.line() != line {
			t.Errorf("%q is read as %+v", line, d)
		}
	})
}

// scene is a gate with one vendor, and what became of its calls.
type scene struct {
	authority *proxytest.Authority
	gate      *Gate
	address   string

	late     atomic.Int64
	mu       sync.Mutex
	outcomes []Outcome
	told     int
	noted    chan struct{}
}

func newScene(t *testing.T) *scene {
	t.Helper()
	now := time.Now()
	s := &scene{authority: proxytest.NewAuthority(t, now), noted: make(chan struct{}, 4*maxWaiting)}
	vendor, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := vendor.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	clock := func() time.Time { return time.Now().Add(time.Duration(s.late.Load())) }
	gate := &Gate{
		Verifier: &identity.Verifier{Source: proxytest.NewSource(s.authority.Leaf(t, now, gateID), s.authority), Now: clock},
		Now:      clock,
		Dial: func(ctx context.Context, _ string, _ uint16) (*net.TCPConn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", vendor.Addr().String())
			tcp, _ := conn.(*net.TCPConn) // as Dial says of tcp
			return tcp, err
		},
		Observe: func(o Outcome) {
			s.mu.Lock()
			s.outcomes = append(s.outcomes, o)
			s.mu.Unlock()
			s.noted <- struct{}{}
		},
	}
	gate.Apply(&config.Configuration{TrustDomain: "cluster.local", Egress: &config.Egress{
		Vendors: []config.Vendors{{Names: []string{host}, Ports: []int{443}, From: []config.Peer{{ID: workload}}}},
	}})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.gate = gate
	gate.Open(listener)
	t.Cleanup(func() {
		_ = vendor.Close()
		ctx, stop := context.WithCancel(context.Background())
		stop()
		gate.Shutdown(ctx)
	})
	return s
}

// as is a proxy of a workload that asks the gate.
func (s *scene) as(t *testing.T, id string, protocols ...string) (*tls.Conn, error) {
	t.Helper()
	raw, err := net.Dial("tcp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	if err := raw.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	v := &identity.Verifier{Source: proxytest.NewSource(s.authority.Leaf(t, time.Now(), id), s.authority), Now: time.Now}
	conn := tls.Client(raw, v.Client(identity.Policy{TrustDomain: "cluster.local", Protocols: protocols}))
	return conn, conn.HandshakeContext(t.Context())
}

func (s *scene) outcome(t *testing.T) Outcome {
	t.Helper()
	select {
	case <-s.noted:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing became of the call")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told++
	return s.outcomes[s.told-1]
}

func TestWhatAGateRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		id, line string
		says     string
		want     Outcome
		answer   error
	}{
		"a port that is not declared":       {workload, "tls api.vendor.example:8443\n", "", Undeclared, ErrRefused},
		"a host that is not declared":       {workload, "tls other.example:443\n", "", Undeclared, ErrRefused},
		"an address":                        {workload, "tls 192.0.2.1:443\n", "", Garbled, io.EOF},
		"what is no TLS, once it has led":   {workload, "tls api.vendor.example:443\n", "GET / HTTP/1.1\r\n\r\n", Misnamed, nil},
		"another name, once it has led out": {workload, "tls api.vendor.example:443\n", "hello", Misnamed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			conn, err := s.as(t, tc.id, Protocol)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, tc.line); err != nil {
				t.Fatal(err)
			}
			answer, err := bufio.NewReader(conn).ReadByte()
			switch {
			case tc.answer == nil && (err != nil || answer != yes),
				errors.Is(tc.answer, io.EOF) && err == nil,
				errors.Is(tc.answer, ErrRefused) && answer != no:
				t.Errorf("the gate answers %q, %v", answer, err)
			}
			if tc.says == "hello" {
				go func() {
					_ = tls.Client(conn, &tls.Config{ServerName: "other.example", MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
				}()
			} else if _, err := io.WriteString(conn, tc.says); err != nil && tc.answer == nil {
				t.Fatal(err)
			}
			if got := s.outcome(t); got != tc.want {
				t.Errorf("the outcome is %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNobodyElseComesToAGate(t *testing.T) {
	for name, tc := range map[string]struct {
		id        string
		protocols []string
	}{
		"a workload that may call nobody": {"spiffe://cluster.local/ns/lab/sa/x", []string{Protocol}},
		"somebody with another protocol":  {workload, []string{"h2"}},
		"somebody without one":            {workload, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			if conn, err := s.as(t, tc.id, tc.protocols...); err == nil {
				if answer, err := bufio.NewReader(conn).ReadByte(); err == nil {
					t.Errorf("the gate answers %q", answer)
				}
			}
			if got := s.outcome(t); got != Unproved {
				t.Errorf("the outcome is %q, want %q", got, Unproved)
			}
		})
	}
}

// Who is silent before it has proved who it is keeps nobody else out.
func TestSilentCallersGiveWay(t *testing.T) {
	s := newScene(t)
	var first net.Conn
	for range maxWaiting + 1 {
		conn, err := net.Dial("tcp4", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if first == nil {
			first = conn
		}
	}
	for s.outcome(t) != Full {
		// Those who are cut are told of as well.
	}
	if err := first.SetReadDeadline(time.Now().Add(setup)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest stays")
	}
	if conn, err := s.as(t, workload, Protocol); err != nil {
		t.Errorf("somebody who speaks is not let in: %v", err)
	} else if _, err := io.WriteString(conn, "tls api.vendor.example:443\n"); err != nil {
		t.Error(err)
	} else if answer, err := bufio.NewReader(conn).ReadByte(); err != nil || answer != yes {
		t.Errorf("the gate answers %q, %v", answer, err)
	}
}

// An end that is set beforehand comes by itself: for new calls, and for those that are open.
func TestACallEndsWhenItsTimeIsOver(t *testing.T) {
	s := newScene(t)
	s.gate.Apply(&config.Configuration{TrustDomain: "cluster.local", Egress: &config.Egress{
		Vendors: []config.Vendors{{Names: []string{host}, Ports: []int{443}, From: []config.Peer{{ID: workload}}, Until: time.Now().Add(time.Hour)}},
	}})
	ask := func() (*tls.Conn, byte) {
		conn, err := s.as(t, workload, Protocol)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "tls api.vendor.example:443\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := bufio.NewReader(conn).ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		return conn, answer
	}
	conn, answer := ask()
	if answer != yes {
		t.Fatalf("before its end the gate answers %q", answer)
	}
	s.late.Store(int64(time.Hour))
	s.gate.Sweep()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the call hears %v", err)
	}
	if _, answer := ask(); answer != no {
		t.Errorf("at its end the gate answers %q", answer)
	}
}

// Nobody is let out for longer than what it proved itself by.
func TestACallEndsWithItsCertificate(t *testing.T) {
	s := newScene(t)
	conn, err := s.as(t, workload, Protocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "tls api.vendor.example:443\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(conn).ReadByte(); err != nil || answer != yes {
		t.Fatalf("the gate answers %q, %v", answer, err)
	}
	s.late.Store(int64(24 * time.Hour))
	s.gate.Sweep()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the call hears %v", err)
	}
	if got := s.outcome(t); got != Expired {
		t.Errorf("the outcome is %q, want %q", got, Expired)
	}
}

func TestWhatAGateDialsForNobody(t *testing.T) {
	var gate Gate
	vendor, inside, own := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("127.0.0.1")
	if !gate.Refuses(vendor) {
		t.Error("a gate without a configuration dials")
	}
	gate.Apply(&config.Configuration{TrustDomain: "cluster.local", Egress: &config.Egress{Refuse: []string{"10.0.0.0/8"}}})
	for address, want := range map[netip.Addr]bool{vendor: false, inside: true, own: true} {
		if got := gate.Refuses(address); got != want {
			t.Errorf("%s is refused: %t", address, got)
		}
	}
}

// A network that is refused from now on ends the calls that lead there.
func TestARefusalEndsTheCallsThatLeadThere(t *testing.T) {
	s := newScene(t)
	conn, err := s.as(t, workload, Protocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "tls api.vendor.example:443\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(conn).ReadByte(); err != nil || answer != yes {
		t.Fatalf("the gate answers %q, %v", answer, err)
	}
	s.gate.Apply(&config.Configuration{TrustDomain: "cluster.local", Egress: &config.Egress{
		Vendors: []config.Vendors{{Names: []string{host}, Ports: []int{443}, From: []config.Peer{{ID: workload}}}},
		Refuse:  []string{"127.0.0.0/8"},
	}})
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the call hears %v", err)
	}
}

// A gate that moves to another port, or is one no more, ends its calls.
func TestACloseEndsTheCalls(t *testing.T) {
	s := newScene(t)
	conn, err := s.as(t, workload, Protocol)
	if err != nil {
		t.Fatal(err)
	}
	s.gate.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the call hears %v", err)
	}
}
