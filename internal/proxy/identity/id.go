package identity

import (
	"crypto/x509"
	"errors"
	"strings"
)

// Reasons for which a certificate names nobody.
var (
	errNoCertificate = errors.New("the peer showed no certificate")
	errNoID          = errors.New("the certificate does not have exactly one URI, as an X.509-SVID does")
	errForeignID     = errors.New("the certificate is of another trust domain")
	errNoWorkload    = errors.New("the certificate's URI is no SPIFFE id")
)

// maxID is the longest SPIFFE id (SPIFFE-ID, section 2.3).
const maxID = 2048

// ID is who the certificate was issued to: its one URI, a SPIFFE id of the trust
// domain in its only spelling.
func ID(leaf *x509.Certificate, trustDomain string) (string, error) {
	if len(leaf.URIs) != 1 {
		return "", errNoID
	}
	id := leaf.URIs[0].String()
	rest, ok := strings.CutPrefix(id, "spiffe://")
	if !ok || len(id) > maxID {
		return "", errNoWorkload
	}
	domain, path, ok := strings.Cut(rest, "/")
	if domain != trustDomain {
		return "", errForeignID
	}
	if !ok {
		return "", errNoWorkload
	}
	for segment := range strings.SplitSeq(path, "/") {
		if !isSegment(segment) {
			return "", errNoWorkload
		}
	}
	return id, nil
}

// isSegment reports whether the text may stand between two slashes of a SPIFFE id.
func isSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c-'0' > 9 && c|0x20-'a' > 25 && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}
