package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs client certificates.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.key, a.certificate = sign(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue gives a certificate for these uses.
func (a *authority) issue(t *testing.T, uses ...x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, certificate := sign(t, a, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: uses})
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
}

// file is the authority as the flag names it.
func (a *authority) file(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func sign(t *testing.T, by *authority, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := template, key
	if by != nil {
		parent, parentKey = by.certificate, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

// mux is a server that only registers.
type mux struct{ *http.ServeMux }

func (m mux) Register(path string, handler http.Handler) { m.Handle(path, handler) }

func TestOnlyAPIServersWithTheirCertificateAreAnswered(t *testing.T) {
	trusted, foreign := newAuthority(t), newAuthority(t)
	server := knowing(t, trusted)
	tests := map[string]struct {
		give []tls.Certificate
		code int
	}{
		"that of the authority":                  {give: []tls.Certificate{trusted.issue(t, x509.ExtKeyUsageClientAuth)}, code: http.StatusOK},
		"none":                                   {code: http.StatusUnauthorized},
		"that of another authority":              {give: []tls.Certificate{foreign.issue(t, x509.ExtKeyUsageClientAuth)}},
		"one of the authority that is no client": {give: []tls.Certificate{trusted.issue(t, x509.ExtKeyUsageServerAuth)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			transport := &http.Transport{TLSClientConfig: &tls.Config{
				RootCAs: roots, MinVersion: tls.VersionTLS13,
				// Shown whether or not the server's list of authorities asks for it.
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(test.give) == 0 {
						return &tls.Certificate{}, nil
					}
					return &test.give[0], nil
				},
			}}
			t.Cleanup(transport.CloseIdleConnections)
			response, err := (&http.Client{Transport: transport}).Post(server.URL+"/validate", "application/json", strings.NewReader("{}"))
			if err != nil {
				if test.code != 0 {
					t.Fatalf("no answer: %v", err)
				}
				return
			}
			defer response.Body.Close()
			if response.StatusCode != test.code {
				t.Errorf("answered %d, want %d (0 is not at all)", response.StatusCode, test.code)
			}
		})
	}
}

func TestWithoutAnAuthorityEverybodyIsAnswered(t *testing.T) {
	pool, err := readAuthority("")
	if err != nil || pool != nil {
		t.Fatalf("read %v, %v", pool, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	verifying(pool)(c)
	if c.ClientAuth != tls.NoClientCert || c.ClientCAs != nil {
		t.Errorf("asks for client certificates: %v", c.ClientAuth)
	}
}

func TestAnAuthorityThatCannotBeReadStopsTheStart(t *testing.T) {
	if _, err := readAuthority(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readAuthority(empty); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("got %v, want that it holds none", err)
	}
}
