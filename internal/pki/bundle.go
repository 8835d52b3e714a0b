package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Bundle is the roots that somebody trusts. During a rotation it has two or three.
type Bundle []*x509.Certificate

const (
	// MaxBundle bounds a bundle in bytes, and maxRoots in certificates: a bundle
	// comes from the network, and nobody rotates so often.
	MaxBundle = 64 << 10
	maxRoots  = 16

	certificateBlock = "CERTIFICATE"
)

// ParseBundle reads roots in PEM. Anything between or after them that is not one
// is refused: half a bundle would refuse half of the peers.
func ParseBundle(text []byte) (Bundle, error) {
	if len(text) > MaxBundle {
		return nil, fmt.Errorf("reading a bundle: longer than %d bytes", MaxBundle)
	}
	var bundle Bundle
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != certificateBlock || !bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) {
			return nil, errors.New("reading a bundle: it holds something else than certificates in PEM")
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a bundle: %w", err)
		}
		if err := checkRoot(root); err != nil {
			return nil, fmt.Errorf("reading a bundle: %w", err)
		}
		if bundle = append(bundle, root); len(bundle) > maxRoots {
			return nil, fmt.Errorf("reading a bundle: it holds more than %d certificates", maxRoots)
		}
		text = rest
	}
	if len(bundle) == 0 {
		return nil, errors.New("reading a bundle: it is empty")
	}
	return bundle, nil
}

// PEM is the bundle as ParseBundle reads it.
func (b Bundle) PEM() []byte {
	var text bytes.Buffer
	for _, root := range b {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: root.Raw}))
	}
	return text.Bytes()
}

// Pool is the bundle as crypto/tls takes it.
func (b Bundle) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, root := range b {
		pool.AddCert(root)
	}
	return pool
}

// Equal says whether two bundles hold the same roots in the same order.
func (b Bundle) Equal(other Bundle) bool { return bytes.Equal(b.PEM(), other.PEM()) }

// checkRoot refuses what could not stand at the end of a chain.
func checkRoot(root *x509.Certificate) error {
	switch {
	case !root.BasicConstraintsValid || !root.IsCA:
		return errors.New("a certificate is not one of an authority")
	case root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("the key of an authority may not sign certificates")
	}
	return nil
}
