// Package proxy measures phi-proxy beside what else could terminate mutual TLS. Its
// promise: every figure of a table comes from one run, with the same certificates, the
// same application and the same load, each proxy in a process of its own.
package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	domain = "cluster.local"
	server = "spiffe://cluster.local/ns/ehr/sa/patient-api"
	caller = "spiffe://cluster.local/ns/ehr/sa/portal"

	// role makes this binary one of the processes that are measured.
	role = "PROXY_BENCH_ROLE"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "application":
		err = serveApplication(os.Args[1])
	case "reverse":
		err = serveReverse(os.Args[1], os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serveApplication answers every request with 1 KiB.
func serveApplication(address string) error {
	body := []byte(strings.Repeat("x", 1024))
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "1024")
		_, _ = w.Write(body)
	}))
}

// serveReverse is the proxy that the standard library has.
func serveReverse(address, to, certificates string) error {
	roots, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	handler := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: to})
	}}
	s := &http.Server{Addr: address, Handler: handler, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, SessionTicketsDisabled: true,
	}}
	return s.ListenAndServeTLS(filepath.Join(certificates, "tls.crt"), filepath.Join(certificates, "tls.key"))
}

// TestBenchProxy prints the tables. It takes two minutes, so it runs only when asked.
func TestBenchProxy(t *testing.T) {
	if os.Getenv("PROXY_BENCH") == "" {
		t.Skip("make bench-proxy runs it")
	}
	b := &bench{T: t, root: proxytest.NewAuthority(t, time.Now()), certificates: t.TempDir(), application: freePort(t)}
	b.root.Write(t, b.certificates, b.root.Leaf(t, time.Now(), server))
	b.own(role+"=application", address(b.application))
	contenders := []contender{{name: "direct", port: b.application, plain: true}, b.phi(nil), b.phi(proxytest.NewProvider(t)), b.reverse()}
	for name, start := range map[string]func(string) contender{"nginx": b.nginx, "haproxy": b.haproxy} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is not installed; it is left out", name)
			continue
		}
		contenders = append(contenders, start(path))
	}
	for i := range contenders {
		b.await(&contenders[i])
	}
	b.requests(contenders)
	b.rates(contenders)
	b.handshakes(contenders)
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
