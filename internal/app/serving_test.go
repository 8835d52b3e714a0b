package app

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func TestTheWebhooksCertificateTellsWhenItEnds(t *testing.T) {
	shown := newAuthority(t).issue(t, x509.ExtKeyUsageServerAuth)
	folder := t.TempDir()
	ask := serving(folder)
	if _, err := ask(); err == nil {
		t.Error("a certificate that is not there has an end")
	}
	for name, text := range map[string]string{"no PEM": "none", "no certificate": encoded("CERTIFICATE", []byte("none"))} {
		if err := os.WriteFile(filepath.Join(folder, "tls.crt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ask(); err == nil {
			t.Errorf("%s has an end", name)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "tls.crt"), []byte(encoded("CERTIFICATE", shown.Certificate[0])), 0o600); err != nil {
		t.Fatal(err)
	}
	if ends, err := ask(); err != nil || !ends.Equal(shown.Leaf.NotAfter) {
		t.Errorf("it ends %s, want %s: %v", ends, shown.Leaf.NotAfter, err)
	}
}
