package control

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/api/resource"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Profile is what controls may know of the profiles in force: their parameters,
// merged, with expired statements left out. Modes are the engine's.
type Profile struct {
	// Names are the profiles it was merged from, sorted.
	Names []string

	Network NetworkParameters
	Storage StorageParameters
	Tagging hipaav1.TaggingParameters
	// Responsibility holds the first of each office that a profile names, by the
	// profiles' names.
	Responsibility hipaav1.ResponsibilityParameters
	Access         AccessParameters
}

// AccessParameters are the merged parameters of who may do what.
type AccessParameters struct {
	// Administrators has one list for each profile that names them; a subject must
	// stand in each. No list means that nobody is named.
	Administrators [][]hipaav1.AccessSubject
	// Provider holds an unexpired statement or none.
	Provider hipaav1.IdentityProvider
}

// NetworkParameters are the merged parameters of network isolation.
type NetworkParameters struct {
	// DNS is set by profiles; empty means what was discovered counts.
	DNS []hipaav1.DNSServer
	// Gateways by name.
	Gateways map[string]hipaav1.Gateway
	// Ingresses are unexpired statements about ingress controllers, by class.
	Ingresses map[string]hipaav1.IngressStatement
	// ExternalRanges has one list for each profile that bounds ipBlock peers; a
	// peer must lie inside one range of each list.
	ExternalRanges [][]netip.Prefix
	// Enforcement is an unexpired statement that policies are enforced.
	Enforcement *hipaav1.Statement
}

// StorageParameters are the merged parameters of encryption at rest.
type StorageParameters struct {
	// EncryptedClass is the class that claims without one get; may be empty.
	EncryptedClass string
	// MinimumGrade is the highest that a profile asks for.
	MinimumGrade hipaav1.StorageGrade
	// Statements are unexpired statements by class name.
	Statements map[string]hipaav1.StorageStatement
	// NodeDisks is an unexpired statement about the nodes' own disks.
	NodeDisks *hipaav1.Statement
	// EmptyDir is Memory where a profile asks for it, and EmptyDirSizeLimit the
	// smallest limit that one sets; zero is none.
	EmptyDir          hipaav1.EmptyDirPlacement
	EmptyDirSizeLimit resource.Quantity
}

// DefaultTagging are the label keys where profiles name none.
func DefaultTagging() hipaav1.TaggingParameters {
	return hipaav1.TaggingParameters{
		OwnerKey:        hipaav1.DefaultOwnerKey,
		CriticalityKey:  hipaav1.DefaultCriticalityKey,
		EnvironmentKey:  hipaav1.DefaultEnvironmentKey,
		DataClassPrefix: hipaav1.DefaultDataClassPrefix,
	}
}
