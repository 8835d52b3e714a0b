// Package proxytest makes the certificates of tests. Its promise: an authority of its
// own, so that nothing that a test trusts is trusted anywhere else.
package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
)

// Authority issues certificates.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority is a root that is in force for an hour before and ten years after now.
func NewAuthority(tb testing.TB, now time.Time) *Authority {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return &Authority{Certificate: sign(tb, template, template, &key.PublicKey, key), key: key}
}

// Intermediate is an authority below this one, for a week.
func (a *Authority) Intermediate(tb testing.TB, now time.Time) *Authority {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test intermediate"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 7),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return &Authority{Certificate: sign(tb, template, a.Certificate, &key.PublicKey, a.key), key: key}
}

// Leaf is a certificate of 24 hours that began an hour ago, for the URIs that are given.
func (a *Authority) Leaf(tb testing.TB, now time.Time, uris ...string) *tls.Certificate {
	tb.Helper()
	return a.Issue(tb, LeafTemplate(tb, now, uris...))
}

// LeafTemplate is what Leaf issues, for tests that change something.
func LeafTemplate(tb testing.TB, now time.Time, uris ...string) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(23 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, text := range uris {
		uri, err := url.Parse(text)
		if err != nil {
			tb.Fatalf("reading a URI: %v", err)
		}
		template.URIs = append(template.URIs, uri)
	}
	return template
}

// Issue signs a template with a new key.
func (a *Authority) Issue(tb testing.TB, template *x509.Certificate) *tls.Certificate {
	tb.Helper()
	key := newKey(tb)
	leaf := sign(tb, template, a.Certificate, &key.PublicKey, a.key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// Pool trusts this authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// Write puts a certificate, its key and this authority into a directory.
func (a *Authority) Write(tb testing.TB, directory string, c *tls.Certificate) {
	tb.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatalf("writing a key: %v", err)
	}
	var chain []byte
	for _, raw := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	for name, text := range map[string][]byte{
		identity.FileCertificate: chain,
		identity.FileKey:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		identity.FileRoots:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw}),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o600); err != nil {
			tb.Fatalf("writing %s: %v", name, err)
		}
	}
}

// Source hands over what a test puts into it.
type Source struct {
	Own   atomic.Pointer[tls.Certificate]
	Trust atomic.Pointer[x509.CertPool]
}

// NewSource has a certificate and trusts an authority.
func NewSource(c *tls.Certificate, a *Authority) *Source {
	s := new(Source)
	s.Own.Store(c)
	s.Trust.Store(a.Pool())
	return s
}

// Certificate is the one that was put in.
func (s *Source) Certificate() *tls.Certificate { return s.Own.Load() }

// Roots are those that were put in.
func (s *Source) Roots() *x509.CertPool { return s.Trust.Load() }

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("making a key: %v", err)
	}
	return key
}

func sign(tb testing.TB, template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		tb.Fatalf("signing a certificate: %v", err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		tb.Fatalf("reading a certificate: %v", err)
	}
	return c
}
