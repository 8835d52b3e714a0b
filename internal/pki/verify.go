package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// maxChain bounds a chain: a leaf, an intermediate, and one more of who brought
// a root that does not sign by itself.
const maxChain = 4

// The ways in which a chain may be wrong. What else Verify returns is one of them,
// wrapped.
var (
	// ErrExpired says that the leaf ended longer ago than is accepted.
	ErrExpired = errors.New("the certificate has expired")
	// ErrNotYetValid says that the leaf begins later than now.
	ErrNotYetValid = errors.New("the certificate is not valid yet")
	// ErrUntrusted says that no chain leads to a root, by signatures, usages,
	// constraints and the ends of those above the leaf.
	ErrUntrusted = errors.New("the certificate does not chain to a trusted root")
	// ErrNoIdentity says that the leaf names nobody, or more than one.
	ErrNoIdentity = errors.New("the certificate carries no identity")
)

// Acceptance says when and for what a chain has to be good.
type Acceptance struct {
	// At is the instant of the judgement.
	At time.Time
	// Grace is for how long after its end a leaf is still accepted.
	Grace time.Duration
	// Usage is what the leaf must be good for.
	Usage x509.ExtKeyUsage
}

// Verify says who the leaf of a chain is. The chain has the leaf first; its order
// is otherwise no matter.
func Verify(chain []*x509.Certificate, roots Bundle, accept Acceptance) (ID, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return ID{}, fmt.Errorf("%w: the chain has %d certificates", ErrUntrusted, len(chain))
	}
	leaf := chain[0]
	at := accept.At
	switch {
	case at.Before(leaf.NotBefore):
		return ID{}, fmt.Errorf("%w: it begins at %s", ErrNotYetValid, stamp(leaf.NotBefore))
	case at.After(leaf.NotAfter.Add(accept.Grace)):
		return ID{}, fmt.Errorf("%w: it ended at %s", ErrExpired, stamp(leaf.NotAfter))
	case at.After(leaf.NotAfter):
		// Within the grace it is judged as at its last instant: its issuers ended with it.
		at = leaf.NotAfter
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots.Pool(),
		Intermediates: intermediates,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{accept.Usage},
	})
	if err != nil {
		return ID{}, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	id, err := OfCertificate(leaf)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %w", ErrNoIdentity, err)
	}
	return id, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
