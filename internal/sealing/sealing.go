// Package sealing keeps the configurations of proxies sealed. Its promise: what stands
// and is good stays as it is, and a generation is never given to two payloads. It has
// no client: who calls it writes what it answers.
package sealing

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

// Credentials are the certificate of the signer and the roots that count with it.
// Package enrol keeps them.
type Credentials interface {
	// Certificate is the present one, nil before the first.
	Certificate() *tls.Certificate
	// Bundle is the roots of this moment, nil before the first certificate.
	Bundle() pki.Bundle
	// Ready says whether there is a certificate that has not expired, and if not, why.
	Ready() error
}

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Sealer seals as the signer of configurations. It may be asked from many goroutines.
type Sealer struct {
	credentials Credentials
	signer      pki.ID
	clock       Clock
}

// New makes a sealer of a trust domain.
func New(credentials Credentials, trustDomain string, clock Clock) (*Sealer, error) {
	signer, err := pki.ConfigurationSigner(trustDomain)
	if err != nil {
		return nil, err
	}
	return &Sealer{credentials: credentials, signer: signer, clock: clock}, nil
}

// Draft is a configuration that is to stand sealed.
type Draft struct {
	// Workload is the uid of the PHIWorkload.
	Workload string
	// Known is the greatest generation that its status tells, zero where it tells none.
	Known int64
	// Payload and Seal stand now; nil where nothing does.
	Payload, Seal []byte
	// Write writes the configuration with a generation, the same bytes each time.
	Write func(generation int64) ([]byte, error)
}

// Sealed is what is to stand.
type Sealed struct {
	// Generation is that of the payload. It has to be known before the payload is out.
	Generation int64
	// Payload and Seal are those of the draft where nothing has to be written.
	Payload, Seal []byte
	// Again is when to ask again at the latest: the seal is due for another then.
	Again time.Time
}

// ErrNoCertificate says that there is nothing to seal by. What stands goes on to count.
var ErrNoCertificate = errors.New("there is no certificate to seal by")

const (
	// ever is a grace that nobody outlives: a seal whose certificate has ended still
	// tells which generation it gave.
	ever = 100 * 365 * 24 * time.Hour
	// shortest is how soon to look again for a newer certificate.
	shortest = time.Minute
)

// Seal answers what is to stand in place of what stands. Where that is what Write
// writes for its generation, sealed by the signer under a root of this moment, it stays;
// in the second half of its certificate's life the same bytes get a new seal. Everything
// else gets a generation that nobody has seen: the next after the one that is known and
// the one that stands, which counts only if the signer sealed it.
//
// After an error what stands has to stay as it is.
func (s *Sealer) Seal(d Draft) (Sealed, error) {
	by, leaf, err := s.by()
	if err != nil {
		return Sealed{}, err
	}
	now := s.clock.Now()
	standing, openErr := seal.Open(d.Payload, d.Seal, seal.Expectation{
		Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: d.Workload},
		Roots:     s.credentials.Bundle(), Signer: s.signer, At: now, Grace: ever,
	})
	if openErr == nil && standing.Generation >= d.Known {
		payload, err := d.Write(standing.Generation)
		switch {
		case err != nil:
			return Sealed{}, err
		case !bytes.Equal(payload, d.Payload):
		case now.Before(middle(standing.SignedFrom, standing.SignedUntil)) || !leaf.NotAfter.After(standing.SignedUntil):
			return Sealed{Generation: standing.Generation, Payload: d.Payload, Seal: d.Seal, Again: again(standing.SignedFrom, standing.SignedUntil, now)}, nil
		default:
			return s.close(by, d.Workload, standing.Generation, payload)
		}
	}
	generation := max(d.Known, standing.Generation) + 1
	payload, err := d.Write(generation)
	if err != nil {
		return Sealed{}, err
	}
	return s.close(by, d.Workload, generation, payload)
}

// by is the key and the certificate of this moment.
func (s *Sealer) by() (seal.Signer, *x509.Certificate, error) {
	if err := s.credentials.Ready(); err != nil {
		return seal.Signer{}, nil, fmt.Errorf("%w: %w", ErrNoCertificate, err)
	}
	certificate := s.credentials.Certificate()
	chain, err := pki.ParseChain(certificate.Certificate)
	if err != nil {
		return seal.Signer{}, nil, fmt.Errorf("%w: %w", ErrNoCertificate, err)
	}
	id, err := pki.Verify(chain, s.credentials.Bundle(), pki.Acceptance{At: s.clock.Now(), Usage: x509.ExtKeyUsageAny})
	switch {
	case err != nil:
		// Proxies would not take what it signs.
		return seal.Signer{}, nil, fmt.Errorf("%w: %w", ErrNoCertificate, err)
	case id != s.signer:
		return seal.Signer{}, nil, fmt.Errorf("%w: the issuer certified %s instead of %s; the manager runs under ServiceAccount hipaa-operator-manager, and its trust domain is the issuer's", ErrNoCertificate, id, s.signer)
	}
	key, is := certificate.PrivateKey.(crypto.Signer)
	if !is {
		return seal.Signer{}, nil, fmt.Errorf("%w: its key does not sign", ErrNoCertificate)
	}
	return seal.Signer{Key: key, Chain: chain}, chain[0], nil
}

func (s *Sealer) close(by seal.Signer, workload string, generation int64, payload []byte) (Sealed, error) {
	text, err := by.Close(seal.Statement{Kind: seal.ProxyConfiguration, Workload: workload, Generation: generation}, payload)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{Generation: generation, Payload: payload, Seal: text, Again: again(by.Chain[0].NotBefore, by.Chain[0].NotAfter, s.clock.Now())}, nil
}

// again is in the middle of a certificate's life; past that, several times before its
// end, as a newer one may come any moment.
func again(from, until, now time.Time) time.Time {
	if due := middle(from, until); now.Before(due) {
		return due
	}
	return now.Add(max(shortest, until.Sub(now)/8))
}

func middle(from, until time.Time) time.Time { return from.Add(until.Sub(from) / 2) }
