package egress

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// What leaves the cluster is in TLS of today, whatever the two ends would agree on.
func TestOldTLSDoesNotLeave(t *testing.T) {
	const old = tls.VersionTLS11
	for name, tc := range map[string]struct {
		server, caller uint16 // the newest version that each takes
		want           Outcome
	}{
		"TLS 1.3":                            {tls.VersionTLS13, tls.VersionTLS13, Carried},
		"TLS 1.2":                            {tls.VersionTLS12, tls.VersionTLS13, Carried},
		"a vendor who has nothing newer":     {old, tls.VersionTLS12, Outdated},
		"an application with nothing newer":  {tls.VersionTLS13, old, Outdated},
		"neither of them has anything newer": {old, old, Outdated},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			template := proxytest.LeafTemplate(t, time.Now())
			template.DNSNames = []string{host}
			vendor, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{
				MinVersion: tls.VersionTLS10, MaxVersion: tc.server, Certificates: []tls.Certificate{*s.authority.Issue(t, template)},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = vendor.Close() })
			go func() {
				if conn, err := vendor.Accept(); err == nil {
					_, _ = conn.Write([]byte("received")) // after the handshake
					_ = conn.Close()
				}
			}()
			s.gate.Dial = func(ctx context.Context, _ string, _ uint16) (*net.TCPConn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", vendor.Addr().String())
				tcp, _ := conn.(*net.TCPConn) // as Dial says of tcp
				return tcp, err
			}
			conn, err := s.as(t, workload, Protocol)
			if err != nil {
				t.Fatal(err)
			}
			if err := Ask(conn, Destination{Direct, host, 443}); err != nil {
				t.Fatal(err)
			}
			caller := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: s.authority.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: tc.caller})
			err = caller.HandshakeContext(t.Context())
			if got := s.outcome(t); got != tc.want || (err == nil) != (tc.want == Carried) {
				t.Errorf("the outcome is %q, want %q; the caller says %v", got, tc.want, err)
			}
		})
	}
}
