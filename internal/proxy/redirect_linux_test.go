package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/redirect"
)

const (
	// The pod and its neighbours in the network of this test.
	podAddress, podAddress6 = "10.77.0.2", "fd77::2"
	outsideAddress          = "10.77.0.1"
	serviceAddress          = "10.77.0.10"
	serviceAddress6         = "fd77::10"
	memberAddress           = "10.77.0.11"
	vendorAddress           = "203.0.113.9"
	foreignAddress          = "203.0.113.66"
	foreignAddress6         = "fd77::66"

	// applicationUser is whom the rules send to the proxy, which this process is itself.
	applicationUser = 4242
	databaseID      = "spiffe://cluster.local/ns/ehr/sa/db"
)

// TestRedirectedTraffic runs in a network of its own, with another one beside it for
// everybody outside the pod.
func TestRedirectedTraffic(t *testing.T) {
	if os.Getenv(inside) == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root may make the two networks of this test")
		}
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRedirectedTraffic$", "-test.v")
		again.Env = append(os.Environ(), inside+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if said, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	s := newStreet(t)
	t.Run("leaves by the proxy or not at all", s.leaving)
	t.Run("comes by the proxy or not at all", s.arriving)
	t.Run("of a name goes where the name leads", s.names)
	t.Run("ends when the configuration takes its end away", s.withdrawn)
}

// street is a pod with its proxy, and who lives outside.
type street struct {
	*running

	outside int // the other network
	foreign atomic.Int64
	vendors *proxytest.Authority
}

// newStreet builds all of it and waits until the proxy is ready.
func newStreet(t *testing.T) *street {
	t.Helper()
	hold := exec.CommandContext(t.Context(), "sleep", "600")
	hold.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := hold.Start(); err != nil {
		t.Skipf("this machine gives a test no second network: %v", err)
	}
	t.Cleanup(func() { _ = hold.Process.Kill(); _ = hold.Wait() })
	other, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", hold.Process.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &street{outside: other, vendors: proxytest.NewAuthority(t, time.Now())}
	s.ip(t, "", "link set lo up", fmt.Sprintf("link add eth0 type veth peer name eth0 netns %d", hold.Process.Pid),
		"link set eth0 up", "addr add "+podAddress+"/24 dev eth0", "addr add "+podAddress6+"/64 dev eth0 nodad",
		"route add default via "+outsideAddress)
	s.ip(t, fmt.Sprint(hold.Process.Pid), "link set lo up", "link set eth0 up", "addr add "+outsideAddress+"/24 dev eth0",
		"addr add "+serviceAddress+"/24 dev eth0", "addr add "+memberAddress+"/24 dev eth0", "addr add "+vendorAddress+"/32 dev lo",
		"addr add "+foreignAddress+"/32 dev lo", "addr add "+serviceAddress6+"/64 dev eth0 nodad", "addr add "+foreignAddress6+"/64 dev eth0 nodad")

	host = ""
	s.running = run(t, application(t, healthy), func(o *Options) { o.Capture, o.Resolver = CaptureRedirect, "127.0.0.1:53" })
	rules := redirect.Rules{
		User: 0, Inbound: config.CaptureInbound, Outbound: config.CaptureOutbound, Resolver: 53,
		Open: []uint16{uint16(s.options.ProbePort), uint16(s.options.AdminPort)},
	}
	for range 2 { // a second time changes nothing
		if err := rules.Apply(); err != nil {
			t.Fatal(err)
		}
	}
	s.neighbours(t)
	s.config.Resolver = &config.Resolver{Upstreams: []string{outsideAddress + ":5353"}}
	s.config.Outbound = []config.Outbound{
		{
			Names: []string{database}, Address: "127.0.0.16", Port: 5432, Protocol: config.TCP, Trust: config.Mutual,
			Upstream: database + ":5432", To: []config.Peer{{ID: databaseID}}, Endpoint: &config.Endpoint{Ports: []int{5433, 15433}, Dial: 15433},
		},
		{Names: []string{vendor}, Address: "127.0.0.17", Port: 443, Protocol: config.HTTP, Trust: config.Vendor},
	}
	s.under(s.root, api)
	s.writeConfig()
	s.reads(http.StatusOK, "[+]configuration ok\n")
	return s
}

func (*street) ip(t *testing.T, process string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		args := append([]string{"ip"}, strings.Fields(line)...)
		if process != "" {
			args = append([]string{"nsenter", "-t", process, "-n"}, args...)
		}
		if said, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, said)
		}
	}
}

// beyond does something in the network outside: sockets stay in the network in which they
// were made.
func (s *street) beyond(t testing.TB, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(s.outside, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		do()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// asApplication does something as another user, whose sockets the rules tell from the
// proxy's.
func asApplication(do func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		_, _ = unix.SetfsuidRetUid(applicationUser) // what does not change is dialled by the proxy's user, and the test fails
		do()
		close(done)
	}()
	<-done
}

// neighbours serves everybody outside.
func (s *street) neighbours(t *testing.T) {
	t.Helper()
	serve := func(at string, wrap func(net.Listener) net.Listener, take func(net.Conn)) {
		var l net.Listener
		var err error
		s.beyond(t, func() { l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", at) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		l = wrap(l)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					take(conn)
					_ = conn.Close()
				}()
			}
		}()
	}
	plain := func(l net.Listener) net.Listener { return l }
	verifier := &identity.Verifier{Source: proxytest.NewSource(s.root.Leaf(t, time.Now(), databaseID), s.root), Now: time.Now}
	mutual := func(l net.Listener) net.Listener {
		return tls.NewListener(l, verifier.Server(identity.Policy{TrustDomain: domain}))
	}
	echo := func(conn net.Conn) { _, _ = io.Copy(conn, conn) }
	serve(serviceAddress+":5432", mutual, echo)
	serve("["+serviceAddress6+"]:5432", mutual, echo)
	serve(memberAddress+":15433", mutual, echo)
	template := proxytest.LeafTemplate(t, time.Now())
	template.DNSNames = []string{vendor}
	serve(vendorAddress+":443", func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*s.vendors.Issue(t, template)}})
	}, echo)
	for _, at := range []string{foreignAddress + ":443", foreignAddress + ":5432", "[" + foreignAddress6 + "]:443", vendorAddress + ":80"} {
		serve(at, plain, func(net.Conn) { s.foreign.Add(1) })
	}
	s.nameServer(t)
}

// nameServer answers for the cluster, and hears what else comes by UDP.
func (s *street) nameServer(t *testing.T) {
	t.Helper()
	leads := map[string][]string{
		database:                        {serviceAddress, serviceAddress6},
		"10-77-0-11." + database:        {memberAddress},
		"203-0-113-66." + database:      nil,
		vendor:                          {vendorAddress},
		"undeclared.ehr.cluster.local.": {foreignAddress},
	}
	var names, foreign net.PacketConn
	var err error
	s.beyond(t, func() {
		if names, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp", outsideAddress+":5353"); err == nil {
			foreign, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp", foreignAddress+":9999")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = names.Close(); _ = foreign.Close() })
	go func() {
		for {
			if _, _, err := foreign.ReadFrom(make([]byte, 64)); err != nil {
				return
			}
			s.foreign.Add(1)
		}
	}()
	server := &dns.Server{PacketConn: names, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		reply, q := new(dns.Msg).SetReply(question), question.Question[0]
		for _, text := range leads[strings.TrimSuffix(q.Name, ".")] {
			address, header := netip.MustParseAddr(text), dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 5}
			if q.Qtype == dns.TypeA && address.Is4() {
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
			} else if q.Qtype == dns.TypeAAAA && address.Is6() {
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
			}
		}
		_ = w.WriteMsg(reply) // who asked will ask again
	})}
	go func() { _ = server.ActivateAndServe() }()
}

// dialled is what the application hears that calls an address, says a word, and waits for
// its echo.
func dialled(address string, secure *tls.Config) (string, error) {
	var conn net.Conn
	var err error
	asApplication(func() { conn, err = net.DialTimeout("tcp", address, 3*time.Second) })
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if secure != nil {
		conn = tls.Client(conn, secure)
	}
	const word = "MRN 00482913"
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	heard := make([]byte, len(word))
	_, err = io.ReadFull(conn, heard)
	if string(heard) != word && err == nil {
		err = fmt.Errorf("it hears %q", heard)
	}
	return string(heard), err
}

func (s *street) leaving(t *testing.T) {
	s.TB = t
	as := func(name string) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: s.vendors.Pool(), ServerName: name}
	}
	for _, at := range []string{serviceAddress + ":5432", "[" + serviceAddress6 + "]:5432", memberAddress + ":5433", memberAddress + ":15433", "127.0.0.16:5432"} {
		if _, err := dialled(at, nil); err != nil {
			t.Errorf("a peer at %s: %v", at, err)
		}
	}
	s.counts(`phi_proxy_outbound_calls_total{outcome="carried",trust="Mutual"} 5`)
	// To whatever address: the name in TLS is who is called.
	for _, at := range []string{vendorAddress + ":443", foreignAddress + ":443", "[" + foreignAddress6 + "]:443", "127.0.0.17:443"} {
		if _, err := dialled(at, as(vendor)); err != nil {
			t.Errorf("the vendor at %s: %v", at, err)
		}
	}
	s.counts(`phi_proxy_outbound_calls_total{outcome="carried",trust="Vendor"} 4`)

	for at, secure := range map[string]*tls.Config{
		foreignAddress + ":443": as("elsewhere.example"), "[" + foreignAddress6 + "]:443": as("elsewhere.example"),
		foreignAddress + ":5432": nil, vendorAddress + ":80": nil, outsideAddress + ":22": nil, "127.0.0.18:5432": nil,
		"127.0.0.1:15001": nil, serviceAddress + ":5433": nil,
	} {
		if heard, err := dialled(at, secure); err == nil {
			t.Errorf("%s, which nobody declared, answers %q", at, heard)
		}
	}
	if _, err := dialled(vendorAddress+":443", nil); err == nil {
		t.Error("a vendor is called without TLS")
	}
	var sent error
	asApplication(func() {
		conn, err := net.Dial("udp", foreignAddress+":9999")
		if sent = err; err == nil {
			_, sent = conn.Write([]byte("MRN 00482913"))
			_ = conn.Close()
		}
	})
	if sent == nil {
		t.Error("UDP leaves the pod")
	}
	if n := s.foreign.Load(); n != 0 {
		t.Errorf("who is not declared was reached %d times", n)
	}
	s.counts(`phi_proxy_outbound_calls_total{outcome="undeclared",trust="Nobody"}`)
	s.counts(`phi_proxy_outbound_calls_total{outcome="cleartext",trust="Nobody"} 1`)
}

func (s *street) arriving(t *testing.T) {
	s.TB = t
	forward := s.config.Inbound[0].Forward
	verifier := &identity.Verifier{Source: proxytest.NewSource(s.root.Leaf(t, time.Now(), portal), s.root), Now: time.Now}
	asks := func(address string, secure *tls.Config) string {
		var conn net.Conn
		var err error
		s.beyond(t, func() { conn, err = net.DialTimeout("tcp", address, 3*time.Second) })
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err.Error()
		}
		if secure != nil {
			conn = tls.Client(conn, secure)
		}
		if _, err := io.WriteString(conn, "GET /ready?full HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"); err != nil {
			return err.Error()
		}
		text, err := io.ReadAll(conn)
		if len(text) == 0 {
			return fmt.Sprint("nothing, ", err)
		}
		return string(text)
	}
	at := func(address string, port int) string { return net.JoinHostPort(address, fmt.Sprint(port)) }
	peer := verifier.Client(identity.Policy{TrustDomain: domain, Protocols: []string{"http/1.1"}})
	for _, address := range []string{at(podAddress, forward), at(podAddress, s.port), at(podAddress6, forward), at(podAddress6, s.port)} {
		if heard := asks(address, peer); !strings.HasPrefix(heard, "HTTP/1.1 200 ") {
			t.Errorf("a peer hears at %s: %s", address, heard)
		}
	}
	s.counts("phi_proxy_inbound_handshakes_total 4")
	for _, address := range []string{at(podAddress, forward), at(podAddress6, s.port)} {
		if heard := asks(address, nil); strings.HasPrefix(heard, "HTTP/1.1 200 ") {
			t.Errorf("without TLS the application answers at %s: %s", address, heard)
		}
	}
	for _, port := range []int{1, config.CaptureInbound, config.CaptureOutbound, 53} {
		if heard := asks(at(podAddress, port), peer); strings.HasPrefix(heard, "HTTP/") {
			t.Errorf("port %d, which nobody declared, answers %s", port, heard)
		}
	}
	s.counts(`phi_proxy_inbound_refusals_total{reason="undeclared-port"} 4`)
	// The kubelet asks as ever.
	if heard := asks(at(podAddress, s.options.AdminPort), nil); strings.HasPrefix(heard, "nothing") {
		t.Errorf("the proxy's own port says %s", heard)
	}
	s.udpIsDeaf(t)
}

// udpIsDeaf shows that a stranger reaches no socket of the pod by UDP.
func (s *street) udpIsDeaf(t *testing.T) {
	t.Helper()
	l, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", podAddress+":9998")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.beyond(t, func() {
		conn, err := net.Dial("udp", podAddress+":9998")
		if err == nil {
			_, err = conn.Write([]byte("hello"))
			_ = conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	// What came later by a way that is open has overtaken it.
	if got, err := dialled("127.0.0.16:5432", nil); err != nil {
		t.Error(got, err)
	}
	if err := l.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, from, err := l.ReadFrom(make([]byte, 64)); err == nil {
		t.Errorf("%d bytes come by UDP from %s", n, from)
	}
}

func (s *street) names(t *testing.T) {
	s.TB = t
	for name, want := range map[string]string{database: "127.0.0.16", vendor: "127.0.0.17", "undeclared.ehr.cluster.local": ""} {
		var reply *dns.Msg
		var err error
		// Whoever is asked, the proxy answers.
		asApplication(func() {
			reply, _, err = (&dns.Client{Timeout: 5 * time.Second}).Exchange(new(dns.Msg).SetQuestion(name+".", dns.TypeA), foreignAddress+":53")
		})
		if err != nil {
			t.Errorf("asking for %s: %v", name, err)
			continue
		}
		got := ""
		if len(reply.Answer) > 0 {
			got = reply.Answer[0].(*dns.A).A.String() //nolint:errcheck // only such are asked for
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
}

func (s *street) withdrawn(t *testing.T) {
	s.TB = t
	var conn net.Conn
	var err error
	asApplication(func() { conn, err = net.Dial("tcp", serviceAddress+":5432") })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s.config.Workload.Generation++
	s.config.Outbound = s.config.Outbound[1:]
	s.writeConfig()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("a call that is not allowed any more goes on: %v", err)
	}
	if _, err := dialled(serviceAddress+":5432", nil); err == nil {
		t.Error("who is not declared any more still answers")
	}
}
