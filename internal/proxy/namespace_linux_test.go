package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/miekg/dns"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	// inside says that this process has a network of its own.
	inside = "PHI_PROXY_TEST_NETWORK"
	// outer is an address outside every pod, in that network.
	outer = "198.51.100.7"
	// beyond is one of its network that no device has: the vendor's. Loopback leads to it
	// as well.
	beyond = "198.51.100.9"

	gateID   = "spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"
	database = "db.ehr.svc.cluster.local"
	vendor   = "api.vendor.example"
)

// TestCallsLeaveThePod runs the test below in a network of its own: names never lead to
// loopback, so the pods need addresses.
func TestCallsLeaveThePod(t *testing.T) {
	if os.Getenv(inside) != "" {
		network(t)
		t.Run("to another workload", testWorkloadCalled)
		t.Run("to a vendor", testVendorCalled)
		t.Run("while certificates and roots change", testRotationUnderLoad)
		return
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCallsLeaveThePod$", "-test.v")
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	var text strings.Builder
	again.Stdout, again.Stderr = &text, &text
	if err := again.Start(); err != nil {
		t.Skipf("this machine gives a test no network of its own: %v", err)
	}
	if err := again.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// network brings loopback up and gives it the outer address.
func network(t *testing.T) {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(socket) }()
	request := func(code uintptr, device string, fill func(rest []byte)) {
		t.Helper()
		var r [40]byte // struct ifreq
		copy(r[:16], device)
		fill(r[16:])
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), code, uintptr(unsafe.Pointer(&r))); failed != 0 {
			t.Fatalf("preparing the network: %v", failed)
		}
	}
	up := func(rest []byte) { rest[0] = syscall.IFF_UP | syscall.IFF_RUNNING }
	request(syscall.SIOCSIFFLAGS, "lo", up)
	request(syscall.SIOCSIFADDR, "lo:1", func(rest []byte) {
		rest[0] = syscall.AF_INET
		copy(rest[4:], net.ParseIP(outer).To4())
	})
	request(syscall.SIOCSIFFLAGS, "lo:1", up)
	host = ""
}

// cluster answers for names with the outer address, and the vendor's with the one beyond
// it, and returns where.
func cluster(t *testing.T) string {
	t.Helper()
	packets, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", outer+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		reply := new(dns.Msg).SetReply(question)
		if q := question.Question[0]; q.Qtype == dns.TypeA {
			address := outer
			if q.Name == dns.Fqdn(vendor) {
				address = beyond
			}
			reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 5}, A: net.ParseIP(address)}}
		}
		_ = w.WriteMsg(reply) // who asked will ask again
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = packets.Close() })
	return packets.LocalAddr().String()
}

// under lets a proxy show an identity that another one's authority vouches for.
func (r *running) under(root *proxytest.Authority, id string) {
	r.Helper()
	r.root = root
	root.Write(r, r.options.Certificates, root.Leaf(r, time.Now(), id))
}

// inPod is an application that asks the proxy of its pod for names.
func (r *running) inPod(pool *tls.Config) *http.Client {
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, r.options.Resolver)
	}}
	dialer := &net.Dialer{Resolver: names}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSClientConfig: pool}}
}

func body(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, text), err
}

func (r *running) counts(part string) {
	r.Helper()
	if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, part) {
		r.Errorf("the metrics do not say %s:\n%s", part, text)
	}
}

func testWorkloadCalled(t *testing.T) {
	server := run(t, application(t, func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = fmt.Fprintf(w, "%s from %s", r.URL.Path, host) // the caller may be gone
	}))
	server.config.Inbound[0].From = []config.Peer{{ID: api}}
	server.under(server.root, portal)
	server.writeConfig()
	server.reads(http.StatusOK, "[+]configuration ok\n")

	client := run(t, application(t, healthy))
	client.config.Resolver = &config.Resolver{Upstreams: []string{cluster(t)}}
	end := config.Outbound{
		Names: []string{database}, Address: "127.0.0.16", Port: proxytest.FreePort(t), Protocol: config.HTTP,
		Upstream: fmt.Sprintf("%s:%d", database, server.port), Trust: config.Mutual, To: []config.Peer{{ID: portal}},
	}
	client.config.Outbound = []config.Outbound{end}
	client.under(server.root, api)
	client.writeConfig()
	client.reads(http.StatusOK, "[+]configuration ok\n")

	app := client.inPod(nil)
	if got, err := body(t, app, fmt.Sprintf("http://%s:%d/Patient", database, end.Port)); got != "200 /Patient from 127.0.0.6" {
		t.Errorf("the application hears %q, %v", got, err)
	}
	if got, err := body(t, app, fmt.Sprintf("http://collector.example.com:%d/", end.Port)); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("of a name that is not declared it hears %q, %v", got, err)
	}
	client.counts(`phi_proxy_outbound_calls_total{outcome="carried",trust="Mutual"} 1`)
	client.counts(`phi_proxy_names_total{outcome="undeclared"}`)

	// Somebody else answers from now on.
	server.under(server.root, "spiffe://cluster.local/ns/lab/sa/db")
	client.eventually("a refusal", func() (string, bool) {
		got, err := body(t, app, fmt.Sprintf("http://%s:%d/Patient", database, end.Port))
		return fmt.Sprint(got, err), strings.HasPrefix(got, "503 ") && strings.Contains(got, "who answers is not whom the configuration names")
	})
}

func testVendorCalled(t *testing.T) {
	authority := proxytest.NewAuthority(t, time.Now())
	template := proxytest.LeafTemplate(t, time.Now())
	template.DNSNames = []string{vendor}
	listener, err := tls.Listen("tcp4", beyond+":0", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*authority.Issue(t, template)}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "prescribed") })}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	_, text, _ := net.SplitHostPort(listener.Addr().String())
	var port int
	if _, err := fmt.Sscan(text, &port); err != nil {
		t.Fatal(err)
	}
	names := cluster(t)

	gate := run(t, application(t, healthy))
	gate.config.Inbound, gate.config.Resolver = nil, &config.Resolver{Upstreams: []string{names}}
	gate.config.Egress = &config.Egress{Listen: proxytest.FreePort(t), Vendors: []config.Vendors{{Names: []string{vendor}, Ports: []int{port}, From: []config.Peer{{ID: api}}}}}
	gate.under(gate.root, gateID)
	gate.writeConfig()
	gate.reads(http.StatusOK, "[+]configuration ok\n")

	client := run(t, application(t, healthy))
	client.config.Resolver = &config.Resolver{Upstreams: []string{names}}
	client.config.Outbound = []config.Outbound{{
		Names: []string{vendor}, Address: "127.0.0.17", Port: port, Protocol: config.HTTP, Trust: config.Vendor,
		Upstream: fmt.Sprintf("phi-egress.hipaa-operator-system.svc.cluster.local:%d", gate.config.Egress.Listen), To: []config.Peer{{ID: gateID}},
	}}
	client.under(gate.root, api)
	client.writeConfig()
	client.reads(http.StatusOK, "[+]configuration ok\n")

	app := client.inPod(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: authority.Pool()})
	if got, err := body(t, app, fmt.Sprintf("https://%s:%d/", vendor, port)); got != "200 prescribed" {
		t.Errorf("the application hears %q, %v", got, err)
	}
	if got, err := body(t, app, fmt.Sprintf("http://%s:%d/", vendor, port)); !strings.Contains(got, "a vendor is called over TLS: write https") {
		t.Errorf("without TLS it hears %q, %v", got, err)
	}
	gate.counts(`phi_proxy_egress_calls_total{outcome="carried"} 1`)

	gate.config.Egress = nil
	gate.config.Workload.Generation++
	gate.writeConfig()
	gate.eventually("that the gate is shut", func() (string, bool) {
		got, err := body(t, app, fmt.Sprintf("https://%s:%d/", vendor, port))
		return fmt.Sprint(got, err), err != nil
	})
}
