package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"
)

// skew is how far clocks of nodes may go behind ours: certificates begin so much earlier.
const skew = 5 * time.Minute

// Authority is a certificate that signs others, and its key.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain is what stands between what it signs and a root: itself first. Empty for a root.
	Chain []*x509.Certificate
}

// NewRoot makes an authority for one trust domain. Its certificate says so itself:
// whoever has the key can name nobody of another domain, no address, and no DNS name
// but those of serving, which are the issuer's own.
func NewRoot(trustDomain string, now time.Time, lifetime time.Duration, serving ...string) (Authority, error) {
	if err := CheckTrustDomain(trustDomain); err != nil {
		return Authority{}, err
	}
	key, err := newKey()
	if err != nil {
		return Authority{}, err
	}
	template := authorityTemplate("hipaa-operator root ", trustDomain, serving)
	template.NotBefore, template.NotAfter = now.Add(-skew), now.Add(lifetime)
	template.MaxPathLen = 1
	certificate, err := sign(template, template, key.Public(), key)
	if err != nil {
		return Authority{}, fmt.Errorf("making a root: %w", err)
	}
	return Authority{Certificate: certificate, Key: key}, nil
}

// Intermediate makes the authority that signs in the root's place. serving are the
// only DNS names that it may certify: those of the issuer itself.
func (a Authority) Intermediate(trustDomain string, serving []string, now time.Time, lifetime time.Duration) (Authority, error) {
	end, err := a.end(now, lifetime)
	if err != nil {
		return Authority{}, fmt.Errorf("making an intermediate: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return Authority{}, err
	}
	template := authorityTemplate("hipaa-operator issuer ", trustDomain, serving)
	template.NotBefore, template.NotAfter = now.Add(-skew), end
	template.MaxPathLenZero = true
	certificate, err := sign(template, a.Certificate, key.Public(), a.Key)
	if err != nil {
		return Authority{}, fmt.Errorf("making an intermediate: %w", err)
	}
	return Authority{Certificate: certificate, Key: key, Chain: append([]*x509.Certificate{certificate}, a.Chain...)}, nil
}

// ParseRoot reads a root and its key in PEM, as people bring their own. It must be
// able to do what ours does, for the given trust domain and the issuer's own names.
func ParseRoot(certificate, key []byte, trustDomain string, serving ...string) (Authority, error) {
	bundle, err := ParseBundle(certificate)
	if err != nil {
		return Authority{}, err
	}
	root := bundle[0]
	switch {
	case len(bundle) != 1:
		return Authority{}, errors.New("reading a root: there are several certificates where one belongs")
	case !bytes.Equal(root.RawIssuer, root.RawSubject) || root.CheckSignatureFrom(root) != nil:
		return Authority{}, errors.New("reading a root: the certificate is not signed by itself")
	case root.MaxPathLen == 0 && root.MaxPathLenZero:
		return Authority{}, errors.New("reading a root: its path length leaves no room for an intermediate")
	}
	signer, err := parseKey(key)
	if err != nil {
		return Authority{}, err
	}
	if public, ok := root.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(signer.Public()) {
		return Authority{}, errors.New("reading a root: the key is not that of the certificate")
	}
	authority := Authority{Certificate: root, Key: signer}
	if err := authority.try(trustDomain, serving); err != nil {
		return Authority{}, fmt.Errorf("reading a root: what it signs does not verify: %w", err)
	}
	return authority, nil
}

// try signs through an intermediate and verifies: a root with constraints of other
// names, usages or lengths is found before anybody trusts it.
func (a Authority) try(trustDomain string, serving []string) error {
	now := a.Certificate.NotBefore.Add(a.Certificate.NotAfter.Sub(a.Certificate.NotBefore) / 2)
	id, err := WorkloadID(trustDomain, "try", "try")
	if err != nil {
		return err
	}
	intermediate, err := a.Intermediate(trustDomain, serving, now, time.Hour)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	chain, err := intermediate.Leaf(id, key.Public(), now, time.Hour)
	if err != nil {
		return err
	}
	if _, err := Verify(chain, Bundle{a.Certificate}, Acceptance{At: now, Usage: x509.ExtKeyUsageClientAuth}); err != nil || len(serving) == 0 {
		return err
	}
	if chain, err = intermediate.Serving(serving, key.Public(), now, time.Hour); err != nil {
		return err
	}
	between := x509.NewCertPool()
	between.AddCert(intermediate.Certificate)
	_, err = chain[0].Verify(x509.VerifyOptions{
		DNSName: serving[0], Roots: Bundle{a.Certificate}.Pool(), Intermediates: between, CurrentTime: now,
	})
	return err
}

// KeyPEM is the key as ParseRoot reads it.
func (a Authority) KeyPEM() ([]byte, error) { return KeyPEM(a.Key) }

// end is when something that begins now and would last that long ends: never after
// who signs it.
func (a Authority) end(now time.Time, lifetime time.Duration) (time.Time, error) {
	end := now.Add(lifetime)
	if end.After(a.Certificate.NotAfter) {
		end = a.Certificate.NotAfter
	}
	if !end.After(now) {
		return time.Time{}, errors.New("the authority has expired")
	}
	return end, nil
}

// nothing is a domain that nobody ever has (RFC 6761). To permit it alone is to permit
// none, where an empty list would permit all.
const nothing = "invalid"

// authorityTemplate has the names that an authority may certify: URIs of the trust
// domain and the given DNS names, no address and no mailbox.
func authorityTemplate(name, trustDomain string, serving []string) *x509.Certificate {
	if len(serving) == 0 {
		serving = []string{nothing}
	}
	return &x509.Certificate{
		Subject:                     pkix.Name{CommonName: name + trustDomain},
		KeyUsage:                    x509.KeyUsageCertSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		PermittedDNSDomainsCritical: true, // all of them, whatever the field is called
		PermittedURIDomains:         []string{trustDomain},
		PermittedDNSDomains:         serving,
		PermittedEmailAddresses:     []string{nothing},
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
}

// parseKey reads a P-256 or P-384 key in PEM, as PKCS #8 or as openssl writes it.
func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("reading a key: it holds no elliptic key in PEM")
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := parsed.(*ecdsa.PrivateKey); ok {
				return key, nil
			}
		}
		text = rest
	}
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// sign makes a certificate with a random serial number.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
