package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certLifetime is longer than any local cluster lives; a cluster left running over a holiday must not break.
const certLifetime = 365 * 24 * time.Hour

// authority signs the certificates of one purpose. Its key stays in the cluster's folder.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  time.Time
	dir  string
}

// keyPair names the two PEM files of a certificate.
type keyPair struct{ cert, key string }

// subject is what a certificate says about its holder.
type subject struct {
	user   string
	groups []string
	// hosts are DNS names and addresses; a certificate without any is for a client only.
	hosts []string
}

// newAuthority makes a certificate authority and writes it to DIR/NAME.crt and .key.
func newAuthority(dir, name string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	template := certTemplate(subject{user: "hipaa-operator local cluster " + name}, now)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	a := &authority{cert: cert, key: key, now: now, dir: dir}
	return a, writeKeyPair(pairIn(dir, name), der, key)
}

// issue signs a certificate for s and writes it to DIR/NAME.crt and .key.
func (a *authority) issue(name string, s subject) (keyPair, error) {
	pair := pairIn(a.dir, name)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, fmt.Errorf("making certificate %s: %w", name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, certTemplate(s, a.now), a.cert, key.Public(), a.key)
	if err != nil {
		return pair, fmt.Errorf("making certificate %s: %w", name, err)
	}
	return pair, writeKeyPair(pair, der, key)
}

func certTemplate(s subject, now time.Time) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: s.user, Organization: s.groups},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	if len(s.hosts) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return t
}

// newSigningKey writes the pair of keys that signs and checks ServiceAccount tokens.
func newSigningKey(dir, name string) (private, public string, err error) {
	private, public = filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pub")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("making %s: %w", name, err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("making %s: %w", name, err)
	}
	if err := writePEM(public, "PUBLIC KEY", der); err != nil {
		return "", "", err
	}
	return private, public, writeKey(private, key)
}

func pairIn(dir, name string) keyPair {
	return keyPair{cert: filepath.Join(dir, name+".crt"), key: filepath.Join(dir, name+".key")}
}

func writeKeyPair(pair keyPair, cert []byte, key *ecdsa.PrivateKey) error {
	if err := writePEM(pair.cert, "CERTIFICATE", cert); err != nil {
		return err
	}
	return writeKey(pair.key, key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}
