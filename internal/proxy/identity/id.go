package identity

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Reasons for which a certificate names nobody.
var (
	errNoCertificate = errors.New("the peer showed no certificate")
	errNoID          = errors.New("the certificate does not have exactly one URI, as an X.509-SVID does")
	errForeignID     = errors.New("the certificate is of another trust domain")
	errNoWorkload    = errors.New("the certificate's URI is no SPIFFE id")
)

// ID is who the certificate was issued to: its one URI, a SPIFFE id of the trust
// domain in its only spelling.
func ID(leaf *x509.Certificate, trustDomain string) (string, error) {
	if len(leaf.URIs) != 1 {
		return "", errNoID
	}
	id, err := pki.OfCertificate(leaf)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoWorkload, err)
	}
	if id.TrustDomain != trustDomain {
		return "", errForeignID
	}
	return id.String(), nil
}
