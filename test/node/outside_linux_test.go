package node_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// The world outside has addresses of documentation (RFC 5737), which no cluster keeps for itself.
const (
	// uplink is the node's only way out: what passes there has left the node.
	uplink     = "wan0"
	nodeSide   = "198.51.100.1"
	vendorAt   = "198.51.100.7"
	strangerAt = "198.51.100.66"
)

// outside is a network beyond the node, with servers in it. Pods have no other way out.
type outside struct {
	// do is worked on by a thread that lives out there.
	do chan func()
}

// goOutside makes that network, and the way there.
func goOutside() *outside {
	GinkgoHelper()
	o := &outside{do: make(chan func())}
	home, err := os.Open("/proc/thread-self/ns/net")
	Expect(err).NotTo(HaveOccurred())
	defer home.Close()
	go func() {
		runtime.LockOSThread() // and it is never unlocked: the thread ends, and what it made with it
		for f := range o.do {
			f()
		}
	}()
	DeferCleanup(func() {
		Expect(ip("link", "delete", uplink)).To(Succeed())
		close(o.do)
	})
	Expect(o.run(func() error { return unix.Unshare(unix.CLONE_NEWNET) })).To(Succeed())
	for _, command := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "wan1", "type", "veth", "peer", "name", uplink, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), home.Fd())},
		{"address", "add", vendorAt + "/24", "dev", "wan1"},
		{"address", "add", strangerAt + "/24", "dev", "wan1"},
		{"link", "set", "wan1", "up"},
		{"route", "add", "default", "via", nodeSide},
	} {
		Expect(o.run(func() error { return ip(command...) })).To(Succeed())
	}
	Expect(ip("address", "add", nodeSide+"/24", "dev", uplink)).To(Succeed())
	Expect(ip("link", "set", uplink, "up")).To(Succeed())
	return o
}

func ip(args ...string) error {
	said, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return nil
}

// run does something out there.
func (o *outside) run(f func() error) error {
	done := make(chan error)
	o.do <- func() { done <- f() }
	return <-done
}

// listen listens out there.
func (o *outside) listen(address string) net.Listener {
	GinkgoHelper()
	var l net.Listener
	Expect(o.run(func() (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp4", address)
		return err
	})).To(Succeed())
	return l
}

// party is a server of somebody out there, and who has come to it.
type party struct {
	mu sync.Mutex
	// connections are those ever accepted, open those of requests under way.
	connections, open int
	met               []met
}

// met is one request.
type met struct {
	name    string // in TLS
	version uint16
	from    netip.Addr
}

// serve lets a party answer for names at an address and port 443, with a certificate of an authority.
func (o *outside) serve(address string, authority *proxytest.Authority, names ...string) *party {
	GinkgoHelper()
	template := proxytest.LeafTemplate(GinkgoTB(), time.Now())
	template.DNSNames = names
	p := &party{}
	l := &counted{o.listen(net.JoinHostPort(address, "443")), p}
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*authority.Issue(GinkgoTB(), template)}},
	}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	DeferCleanup(func() {
		Expect(server.Close()).To(Succeed())
		Expect(errors.Is(<-done, http.ErrServerClosed)).To(BeTrue())
	})
	return p
}

// counted counts connections, also those on which nothing is said.
type counted struct {
	net.Listener
	party *party
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.party.note(func(p *party) { p.connections++ })
	}
	return conn, err
}

func (p *party) note(f func(*party)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// ServeHTTP says what it got, at /stream without an end.
func (p *party) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // of a listener of TCP
	p.note(func(p *party) {
		p.open++
		p.met = append(p.met, met{r.TLS.ServerName, r.TLS.Version, from.Addr()})
	})
	defer p.note(func(p *party) { p.open-- })
	_, _ = io.WriteString(w, "received") // who asks tells
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for r.URL.Path == "/stream" {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(w, "."); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

// streams is how many requests are under way.
func (p *party) streams() (n int) {
	p.note(func(p *party) { n = p.open })
	return n
}

// visits is how many connections there ever were.
func (p *party) visits() (n int) {
	p.note(func(p *party) { n = p.connections })
	return n
}

// last is the latest request.
func (p *party) last() (m met) {
	p.note(func(p *party) {
		if len(p.met) > 0 {
			m = p.met[len(p.met)-1]
		}
	})
	return m
}

// certified is an authority as files have it.
func certified(authority *proxytest.Authority) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate.Raw}))
}

// names lets the cluster's name servers know of hosts out there, as those of the internet do. It lasts
// until its container ends.
func names(hosts map[string]string) {
	GinkgoHelper()
	var lines strings.Builder
	for name, address := range hosts {
		fmt.Fprintf(&lines, "%s %s\n", address, name)
	}
	write := func(text string) error {
		var m corev1.ConfigMap
		if err := admin.Get(ctx, key("kube-system", "coredns"), &m); err != nil {
			return err
		}
		m.Data["hosts"] = text
		return admin.Update(ctx, &m)
	}
	Expect(write(lines.String())).To(Succeed())
	DeferCleanup(func() { Expect(write("")).To(Succeed()) })
	// The kubelet brings the file to the name servers after a moment.
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "10.96.0.10:53")
	}}
	for name, address := range hosts {
		Eventually(func() ([]string, error) { return resolver.LookupHost(ctx, name+".") }).Should(ConsistOf(address), name)
	}
}
