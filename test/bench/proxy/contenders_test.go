package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

type bench struct {
	*testing.T

	root         *proxytest.Authority
	certificates string
	application  int
}

// contender is one that is measured.
type contender struct {
	name  string
	port  int
	plain bool
	pid   int
	// token is the user's; empty where nobody asks who it is.
	token string
}

// start runs a process until the test ends, by its id.
func (b *bench) start(environment []string, path string, args ...string) int {
	b.Helper()
	c := exec.Command(path, args...)
	c.Env = append(os.Environ(), environment...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		b.Fatalf("starting %s: %v", path, err)
	}
	b.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() { _, _ = c.Process.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
		}
		if b.Failed() {
			b.Logf("%s said:\n%s", filepath.Base(path), said.String())
		}
	})
	return c.Process.Pid
}

// own runs this binary in another role.
func (b *bench) own(role string, args ...string) int {
	b.Helper()
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return b.start([]string{role, "GOMAXPROCS=2"}, path, args...)
}

func (b *bench) reverse() contender {
	port := freePort(b)
	pid := b.own(role+"=reverse", address(port), address(b.application), b.certificates)
	return contender{name: "ReverseProxy", port: port, pid: pid}
}

// phi runs the proxy as it is built for release. With a provider it asks for users: each
// request has a token verified, belongs to a session and may be put on record.
func (b *bench) phi(provider *proxytest.Provider) contender {
	b.Helper()
	path := os.Getenv("PHI_PROXY")
	if path == "" {
		b.Fatal("PHI_PROXY names no binary; make bench-proxy builds it")
	}
	directory, port := b.TempDir(), freePort(b)
	c := contender{name: "phi-proxy", port: port}
	var users *config.Users
	if provider != nil {
		c.name, c.token = "phi-proxy users", provider.Token(time.Now(), map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		bench := config.Refusal{Control: "bench", Citation: "bench"}
		users = &config.Users{
			Issuers:  []config.Issuer{{URL: provider.URL, Audiences: []string{"patient-api"}, Roots: provider.Roots()}},
			Routes:   []config.Route{{Name: "all", Paths: []string{"/*"}, MultiFactor: true}},
			Refusals: config.UserRefusals{Identity: bench, MultiFactor: bench, Session: bench, Lockout: bench},
		}
	}
	text, err := json.Marshal(config.Configuration{
		Users:   users,
		Version: 1, TrustDomain: domain,
		Workload: config.Workload{UID: "bench", Namespace: "ehr", Name: "patient-api", Generation: 1},
		Refusal:  config.Refusal{Control: "bench", Citation: "bench"},
		Inbound:  []config.Inbound{{Name: "http", Listen: port, Forward: b.application, Protocol: config.HTTP, From: []config.Peer{{ID: caller}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.write(filepath.Join(directory, "config.json"), string(text))
	c.pid = b.start(nil, path, "--unsigned", "--config", directory, "--certificates", b.certificates, "--host", "127.0.0.1",
		"--probe-port", fmt.Sprint(freePort(b)), "--admin-port", fmt.Sprint(freePort(b)))
	return c
}

// nginx is one worker, as in the table of peers.
func (b *bench) nginx(path string) contender {
	b.Helper()
	directory, port := b.TempDir(), freePort(b)
	b.write(filepath.Join(directory, "nginx.conf"), fmt.Sprintf(`
daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  keepalive_requests 100000000; keepalive_timeout 300s;
  upstream application { server 127.0.0.1:%[2]d; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:%[3]d ssl;
    ssl_certificate %[4]s/tls.crt; ssl_certificate_key %[4]s/tls.key; ssl_protocols TLSv1.3;
    ssl_client_certificate %[4]s/ca.crt; ssl_verify_client on; ssl_session_tickets off; ssl_session_cache off;
    location / { proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}`, directory, b.application, port, b.certificates))
	return contender{name: "nginx", port: port, pid: b.start(nil, path, "-c", filepath.Join(directory, "nginx.conf"), "-e", filepath.Join(directory, "error.log"))}
}

// haproxy has two threads, as in the table of peers.
func (b *bench) haproxy(path string) contender {
	b.Helper()
	directory, port := b.TempDir(), freePort(b)
	var pair strings.Builder
	for _, name := range []string{"tls.crt", "tls.key"} {
		text, err := os.ReadFile(filepath.Join(b.certificates, name))
		if err != nil {
			b.Fatal(err)
		}
		pair.Write(text)
	}
	b.write(filepath.Join(directory, "pair.pem"), pair.String())
	b.write(filepath.Join(directory, "haproxy.cfg"), fmt.Sprintf(`
global
  nbthread 2
  maxconn 4096
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend in
  bind 127.0.0.1:%d ssl crt %s/pair.pem ca-file %s/ca.crt verify required ssl-min-ver TLSv1.3 no-tls-tickets
  default_backend application
backend application
  server one 127.0.0.1:%d
`, port, directory, b.certificates, b.application))
	return contender{name: "haproxy", port: port, pid: b.start(nil, path, "-db", "-f", filepath.Join(directory, "haproxy.cfg"))}
}

func (b *bench) write(path, text string) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port //nolint:errcheck // tcp gives nothing else
}
