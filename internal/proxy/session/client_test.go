package session

import (
	"context"
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// TestTheStoreHasToProveItself asks a real Redis by TLS, with a password.
func TestTheStoreHasToProveItself(t *testing.T) {
	root, foreign := proxytest.NewAuthority(t, time.Now()), proxytest.NewAuthority(t, time.Now())
	files := t.TempDir()
	template := proxytest.LeafTemplate(t, time.Now())
	template.DNSNames = []string{"sessions.ehr.svc"}
	root.Write(t, files, root.Issue(t, template))
	password := filepath.Join(files, "password")
	if err := os.WriteFile(password, []byte("a password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(files, name) }
	secure := strconv.Itoa(proxytest.FreePort(t))
	proxytest.Redis(t, "--requirepass", "a password", "--tls-port", secure,
		"--tls-cert-file", at("tls.crt"), "--tls-key-file", at("tls.key"), "--tls-ca-cert-file", at("ca.crt"), "--tls-auth-clients", "no")
	dial := func(ctx context.Context, _ string, port uint16) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	}
	trust := func(a *proxytest.Authority) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw}))
	}
	good := config.Store{Address: "sessions.ehr.svc:" + secure, Roots: trust(root), PasswordFile: password, OnOutage: config.Refuse}
	for name, tc := range map[string]struct {
		change func(*config.Store)
		want   bool
	}{
		"with all that it takes":              {func(*config.Store) {}, true},
		"under another root":                  {func(s *config.Store) { s.Roots = trust(foreign) }, false},
		"under the roots of the system":       {func(s *config.Store) { s.Roots = "" }, false},
		"by another name":                     {func(s *config.Store) { s.Address = "other.ehr.svc:" + secure }, false},
		"without the password":                {func(s *config.Store) { s.PasswordFile = "" }, false},
		"with a password that is not there":   {func(s *config.Store) { s.PasswordFile = at("none") }, false},
		"without TLS at the port that has it": {func(s *config.Store) { s.Plain = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			store := good
			tc.change(&store)
			client, err := NewClient(&store, dial)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = patient(client, "p:", config.Refuse, quiet).Touch(t.Context(), (look{present: true}).touch())
			if (err == nil) != tc.want {
				t.Errorf("%v", err)
			}
		})
	}
}
