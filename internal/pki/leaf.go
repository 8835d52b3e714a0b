package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// MaxRequest bounds a certificate request in bytes: one of P-256 has 300.
const MaxRequest = 4 << 10

// NewRequest makes a key and a request for a certificate of it. The request names
// nobody: who asks is for the issuer to find out.
func NewRequest() (*ecdsa.PrivateKey, []byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return key, request, nil
}

// ParseRequest reads the public key of a request whose sender has shown to hold the
// private one. Nothing else in it counts.
func ParseRequest(der []byte) (*ecdsa.PublicKey, error) {
	if len(der) > MaxRequest {
		return nil, fmt.Errorf("reading a certificate request: longer than %d bytes", MaxRequest)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, errors.New("reading a certificate request: it is none in DER")
	}
	key, ok := request.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("reading a certificate request: its key is not one of P-256")
	}
	if err := request.CheckSignature(); err != nil {
		return nil, errors.New("reading a certificate request: it is not signed by its own key")
	}
	return key, nil
}

// Leaf certifies that a key is that of an identity. The chain begins with the leaf
// and ends below the root. It never outlasts who signs it.
func (a Authority) Leaf(id ID, key crypto.PublicKey, now time.Time, lifetime time.Duration) ([]*x509.Certificate, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: CommonName(id)}, URIs: []*url.URL{id.uri()}, ExtKeyUsage: usages(id.Kind)}
	return a.leaf(template, key, now, lifetime)
}

// maxCommonName is X.509's own bound (RFC 5280, appendix A.1).
const maxCommonName = 64

// CommonName is how the certificate of a workload calls it beside its URI: NAMESPACE_ACCOUNT,
// for gateways that compare servers with a host name and know no URI, as nginx does.
// Nobody else reads it. It is no DNS name, since those have no underscore and this has
// no dot; an account whose name has one, or is too long, has no such name.
func CommonName(id ID) string {
	name := id.Namespace + "_" + id.Name
	if id.Kind != Workload || strings.Contains(name, ".") || len(name) > maxCommonName {
		return ""
	}
	return name
}

// Serving certifies the issuer's own server under its DNS names. It carries no
// identity, so no proxy takes it for a peer.
func (a Authority) Serving(names []string, key crypto.PublicKey, now time.Time, lifetime time.Duration) ([]*x509.Certificate, error) {
	if len(names) == 0 {
		return nil, errors.New("making a serving certificate: it names nobody")
	}
	return a.leaf(&x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, key, now, lifetime)
}

func (a Authority) leaf(template *x509.Certificate, key crypto.PublicKey, now time.Time, lifetime time.Duration) ([]*x509.Certificate, error) {
	end, err := a.end(now, lifetime)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	template.NotBefore, template.NotAfter = now.Add(-skew), end
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	certificate, err := sign(template, a.Certificate, key, a.Key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return append([]*x509.Certificate{certificate}, a.Chain...), nil
}

// usages are what each kind of identity is good for. A signer's certificate is good
// for no TLS at all, so that who has it can neither serve nor dial.
func usages(kind Kind) []x509.ExtKeyUsage {
	switch kind {
	case Signer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	case Gateway:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	default:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
}

// DER is a chain as it is sent.
func DER(chain []*x509.Certificate) [][]byte {
	ders := make([][]byte, len(chain))
	for i, certificate := range chain {
		ders[i] = certificate.Raw
	}
	return ders
}

// ParseChain reads what DER has written. Verify says whether it is any good.
func ParseChain(ders [][]byte) ([]*x509.Certificate, error) {
	chain := make([]*x509.Certificate, len(ders))
	for i, der := range ders {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("reading a certificate: %w", err)
		}
	}
	return chain, nil
}

// ChainPEM is a chain as servers of HTTP read it from a file.
func ChainPEM(chain []*x509.Certificate) []byte {
	var text []byte
	for _, certificate := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})...)
	}
	return text
}

// KeyPEM is a key as they read it.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
