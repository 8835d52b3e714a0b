// Package pki makes and reads the certificates by which PHI workloads know each
// other. Its promise: it computes from what it is given, keys included - no clock,
// no file, no cluster - and what it does not understand it refuses.
package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Kind says what sort of party an identity names.
type Kind string

// The kinds. Their values are how paths of identities spell them.
const (
	// Workload is a ServiceAccount, under which the pods of one PHIWorkload run.
	Workload Kind = "sa"
	// Gateway is what lets callers from outside in and shows a certificate inside.
	Gateway Kind = "gateway"
	// Signer signs the configurations of proxies. It neither serves nor dials.
	Signer Kind = "signer"
)

// ID is who a certificate speaks of, as a SPIFFE ID. Two are the same if they are ==.
type ID struct {
	// TrustDomain is the host of the URI, in lower case.
	TrustDomain string
	// Kind says what Namespace and Name name.
	Kind Kind
	// Namespace is that of the ServiceAccount or gateway; empty for a Signer.
	Namespace string
	// Name is that of the ServiceAccount or gateway, or what a Signer signs.
	Name string
}

const (
	scheme = "spiffe://"
	// SPIFFE's own bounds, in bytes.
	maxID          = 2048
	maxTrustDomain = 255
	// Kubernetes' bounds of a namespace and of the name of a ServiceAccount.
	maxNamespace = 63
	maxName      = 253
	// configuration is what the one Signer signs.
	configuration = "configuration"
)

// WorkloadID names the pods that run under a ServiceAccount.
func WorkloadID(trustDomain, namespace, serviceAccount string) (ID, error) {
	id := ID{TrustDomain: trustDomain, Kind: Workload, Namespace: namespace, Name: serviceAccount}
	return id, id.check()
}

// GatewayID names what lets callers from outside in, and runs in a namespace.
func GatewayID(trustDomain, namespace, name string) (ID, error) {
	id := ID{TrustDomain: trustDomain, Kind: Gateway, Namespace: namespace, Name: name}
	return id, id.check()
}

// ConfigurationSigner names who signs the configurations of proxies.
func ConfigurationSigner(trustDomain string) (ID, error) {
	id := ID{TrustDomain: trustDomain, Kind: Signer, Name: configuration}
	return id, id.check()
}

// ParseID reads a SPIFFE ID of one of our forms. There is one spelling of each, so
// whatever would have to be unescaped, lowered or cleaned is refused.
func ParseID(text string) (ID, error) {
	if len(text) > maxID {
		return ID{}, fmt.Errorf("reading a SPIFFE ID: longer than %d bytes", maxID)
	}
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return ID{}, errors.New("reading a SPIFFE ID: it begins with spiffe://")
	}
	var id ID
	switch parts := strings.Split(rest, "/"); {
	case len(parts) == 5 && parts[1] == "ns" && (parts[3] == string(Workload) || parts[3] == string(Gateway)):
		id = ID{TrustDomain: parts[0], Kind: Kind(parts[3]), Namespace: parts[2], Name: parts[4]}
	case len(parts) == 3 && parts[1] == string(Signer):
		id = ID{TrustDomain: parts[0], Kind: Signer, Name: parts[2]}
	default:
		return ID{}, errors.New("reading a SPIFFE ID: its path is /ns/NAMESPACE/sa/NAME, /ns/NAMESPACE/gateway/NAME or /signer/configuration")
	}
	return id, id.check()
}

// OfCertificate is whom a certificate speaks of: an X.509-SVID has one URI and no
// other name that a verifier could take instead. That holds whatever the authorities
// above it may certify: one that people brought may have no constraints.
func OfCertificate(certificate *x509.Certificate) (ID, error) {
	switch {
	case certificate.IsCA:
		return ID{}, errors.New("reading an identity: the certificate is one of an authority")
	case len(certificate.URIs) != 1:
		return ID{}, fmt.Errorf("reading an identity: the certificate has %d URIs instead of one", len(certificate.URIs))
	case len(certificate.DNSNames)+len(certificate.IPAddresses)+len(certificate.EmailAddresses) > 0 || otherNames(certificate):
		return ID{}, errors.New("reading an identity: the certificate has names beside its URI")
	}
	return ParseID(certificate.URIs[0].String())
}

var alternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}

// otherNames says whether a certificate has more alternative names than its one URI:
// crypto/x509 passes over those of kinds that it does not know, such as principals.
func otherNames(certificate *x509.Certificate) bool {
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(alternativeNames) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) > 0 || len(names) != 1 {
			return true
		}
	}
	return false
}

// String is the URI.
func (id ID) String() string {
	if id.Kind == Signer {
		return scheme + id.TrustDomain + "/" + string(Signer) + "/" + id.Name
	}
	return scheme + id.TrustDomain + "/ns/" + id.Namespace + "/" + string(id.Kind) + "/" + id.Name
}

// uri is what certificates hold. An ID that was checked needs no escaping.
func (id ID) uri() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: id.TrustDomain, Path: strings.TrimPrefix(id.String(), scheme+id.TrustDomain)}
}

func (id ID) check() error {
	if err := CheckTrustDomain(id.TrustDomain); err != nil {
		return err
	}
	switch id.Kind {
	case Signer:
		if id.Namespace != "" || id.Name != configuration {
			return errors.New("reading a SPIFFE ID: the only signer is /signer/configuration")
		}
		return nil
	case Workload, Gateway:
	default:
		return errors.New("reading a SPIFFE ID: it names a ServiceAccount, a gateway or a signer")
	}
	if !isName(id.Namespace, maxNamespace) || strings.Contains(id.Namespace, ".") {
		return errors.New("reading a SPIFFE ID: the namespace is no name of Kubernetes")
	}
	if !isName(id.Name, maxName) {
		return errors.New("reading a SPIFFE ID: the last segment is no name of Kubernetes")
	}
	return nil
}

// CheckTrustDomain says whether a trust domain can stand in identities: a DNS name
// in lower case, as Go's verifier compares the hosts of URIs with name constraints.
func CheckTrustDomain(name string) error {
	if !isName(name, maxTrustDomain) {
		return errors.New("reading a SPIFFE ID: the trust domain is no DNS name in lower case")
	}
	return nil
}

// isName is a DNS subdomain as Kubernetes has it.
func isName(text string, most int) bool {
	if text == "" || len(text) > most {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, b := range []byte(label) {
			if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return false
			}
		}
	}
	return true
}
