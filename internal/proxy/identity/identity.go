// Package identity says who a peer is. Its promise: a connection has an identity only
// if its certificate carries exactly one SPIFFE id of our trust domain, leads to a root
// that is trusted at this moment, and is in force - or ended less than the grace ago,
// the issuer is out of reach, and this proxy knows the peer from before.
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Source is where certificates come from: files, or the issuer.
type Source interface {
	// Certificate is what this workload shows, nil while it has none.
	Certificate() *tls.Certificate
	// Roots are what peers' certificates lead to, nil while nobody is trusted.
	Roots() *x509.CertPool
}

// Policy is what a peer is held to.
type Policy struct {
	TrustDomain string
	// Grace is how long after its end a known peer's certificate counts during an outage.
	Grace time.Duration
	// MinVersion is tls.VersionTLS13, also where nothing is set, or tls.VersionTLS12.
	MinVersion uint16
	// Protocols are what is offered by ALPN.
	Protocols []string
	// Admit refuses identities during the handshake; all are admitted where it is nil.
	Admit func(id string) bool
}

// PolicyOf is what a configuration holds every peer to.
func PolicyOf(c *config.Configuration) Policy {
	p := Policy{TrustDomain: c.TrustDomain, Grace: time.Duration(c.OutageGrace), MinVersion: tls.VersionTLS13}
	if c.MinTLS() == config.TLS12 {
		p.MinVersion = tls.VersionTLS12
	}
	return p
}

// Verifier makes the two ends of mutual TLS. One serves all connections of a proxy: it
// remembers whom it met.
type Verifier struct {
	Source Source
	Now    func() time.Time
	// Outage reports whether the issuer is out of reach. It never is where this is nil.
	// It is asked in time: when a peer shows a certificate that should be renewed by now.
	Outage func() bool

	known known
}

// Reasons for which a handshake is refused.
var (
	// ErrNotReady means that this proxy has no certificate or no roots yet.
	ErrNotReady = errors.New("this proxy has no certificate or no roots yet")
	// ErrExpired means that the peer's certificate is not in force.
	ErrExpired = errors.New("the peer's certificate is not in force")
	// ErrUntrusted means that the peer's certificate leads to no root of ours.
	ErrUntrusted = errors.New("the peer's certificate leads to no trusted root")
	// ErrNobody means that the peer's certificate names nobody of our trust domain.
	ErrNobody = errors.New("the peer has no identity here")
	// ErrNotAdmitted means that the peer may not come here.
	ErrNotAdmitted = errors.New("the peer is not admitted")
)

// Server is the end that is called. Every connection proves anew who calls: nothing is
// resumed, so a root that is withdrawn counts for the next connection.
func (v *Verifier) Server(p Policy) *tls.Config {
	c := v.config(p, x509.ExtKeyUsageClientAuth)
	c.ClientAuth = tls.RequireAnyClientCert
	c.SessionTicketsDisabled = true
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return v.certificate() }
	return c
}

// OneWay is Server for callers that may have no certificate. One that is shown has to be
// good all the same.
func (v *Verifier) OneWay(p Policy) *tls.Config {
	c := v.Server(p)
	c.ClientAuth = tls.RequestClientCert
	verify := c.VerifyConnection
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		return verify(state)
	}
	return c
}

// Client is the end that calls. Names in certificates count for nothing: Admit tells
// whom the caller meant.
func (v *Verifier) Client(p Policy) *tls.Config {
	c := v.config(p, x509.ExtKeyUsageServerAuth)
	// The chain is verified below, against roots that change, and the identity instead of the name.
	c.InsecureSkipVerify = true
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return v.certificate() }
	return c
}

func (v *Verifier) config(p Policy, usage x509.ExtKeyUsage) *tls.Config {
	version := p.MinVersion
	if version == 0 {
		version = tls.VersionTLS13
	}
	return &tls.Config{
		MinVersion: version,
		NextProtos: p.Protocols,
		Time:       v.Now,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := v.peer(state.PeerCertificates, &p, usage)
			return err
		},
	}
}

func (v *Verifier) certificate() (*tls.Certificate, error) {
	if c := v.Source.Certificate(); c != nil {
		return c, nil
	}
	return nil, ErrNotReady
}

// Peer is the identity of a connection whose handshake is over.
func Peer(state tls.ConnectionState, trustDomain string) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return "", errNoCertificate
	}
	return ID(state.PeerCertificates[0], trustDomain)
}

// peer says who shows these certificates, and remembers who showed one in force.
func (v *Verifier) peer(chain []*x509.Certificate, p *Policy, usage x509.ExtKeyUsage) (string, error) {
	if len(chain) == 0 {
		return "", fmt.Errorf("%w: %w", ErrNobody, errNoCertificate)
	}
	leaf := chain[0]
	id, err := ID(leaf, p.TrustDomain)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNobody, err)
	}
	at, late, err := v.moment(leaf, id, p.Grace)
	if err != nil {
		return "", err
	}
	if err := v.verify(chain, at, usage); err != nil {
		return "", err
	}
	if p.Admit != nil && !p.Admit(id) {
		return "", ErrNotAdmitted
	}
	if !late {
		v.known.add(id)
		if v.Outage != nil && p.Grace > 0 && overdue(leaf, v.Now()) {
			v.Outage() // whoever has to find out first does so before the certificate ends
		}
	}
	return id, nil
}

// moment is when the chain has to have been in force: now, or in an outage the last
// moment of a known peer's certificate.
func (v *Verifier) moment(leaf *x509.Certificate, id string, grace time.Duration) (at time.Time, late bool, err error) {
	now := v.Now()
	if !now.After(leaf.NotAfter) {
		return now, false, nil
	}
	if v.Lapsed(id, leaf.NotAfter, grace) {
		return time.Time{}, false, ErrExpired
	}
	return leaf.NotAfter, true, nil
}

// Lapsed reports whether a certificate that ended then does not count any more: nor does
// a connection that began while it did.
func (v *Verifier) Lapsed(id string, ended time.Time, grace time.Duration) bool {
	late := v.Now().Sub(ended)
	return late > 0 && (late >= grace || v.Outage == nil || !v.known.has(id) || !v.Outage())
}

func (v *Verifier) verify(chain []*x509.Certificate, at time.Time, usage x509.ExtKeyUsage) error {
	roots := v.Source.Roots()
	if roots == nil {
		return ErrNotReady
	}
	options := x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}}
	if len(chain) > 1 {
		options.Intermediates = x509.NewCertPool()
		for _, c := range chain[1:] {
			options.Intermediates.AddCert(c)
		}
	}
	_, err := chain[0].Verify(options)
	if err == nil {
		return nil
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return ErrExpired
	}
	// What crypto/x509 says may quote the certificate.
	return ErrUntrusted
}
