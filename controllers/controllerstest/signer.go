package controllerstest

import (
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

// Signer is an issuer and the signer that it certified, in one.
type Signer struct {
	*sealing.Sealer

	roots       pki.Bundle
	certificate *tls.Certificate
	away        atomic.Bool
}

// NewSigner makes one with a root of its own.
func NewSigner() *Signer {
	ginkgo.GinkgoHelper()
	const domain, lifetime = "cluster.local", 24 * time.Hour
	now := clock.RealClock{}.Now()
	root, err := pki.NewRoot(domain, now, lifetime)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	by, err := root.Intermediate(domain, nil, now, lifetime)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	id, err := pki.ConfigurationSigner(domain)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	key, _, err := pki.NewRequest()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	chain, err := by.Leaf(id, key.Public(), now, lifetime)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	s := &Signer{
		roots:       pki.Bundle{root.Certificate},
		certificate: &tls.Certificate{Certificate: pki.DER(chain), PrivateKey: key, Leaf: chain[0]},
	}
	s.Sealer, err = sealing.New(s, domain, clock.RealClock{})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return s
}

// SetAway takes the issuer away, or brings it back.
func (s *Signer) SetAway(away bool) { s.away.Store(away) }

// Certificate implements sealing.Credentials.
func (s *Signer) Certificate() *tls.Certificate { return s.certificate }

// Bundle implements sealing.Credentials.
func (s *Signer) Bundle() pki.Bundle { return s.roots }

// Ready implements sealing.Credentials.
func (s *Signer) Ready() error {
	if s.away.Load() {
		return errors.New("the issuer does not answer")
	}
	return nil
}
