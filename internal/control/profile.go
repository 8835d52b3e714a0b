package control

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

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
	// Transmission has the most that a profile asks for; where none asks for anything
	// its fields are empty, which means the least.
	Transmission hipaav1.TransmissionParameters
	Session      SessionParameters
	Users        UserParameters
	Residency    ResidencyParameters
	// Sensors are those that profiles declare, the first of each name.
	Sensors         []hipaav1.Sensor
	Platform        PlatformParameters
	CloudServices   CloudServiceParameters
	Vulnerabilities VulnerabilityParameters
	// Responsibility holds the first of each office that a profile names, by the
	// profiles' names.
	Responsibility hipaav1.ResponsibilityParameters
	Access         AccessParameters
}

// PlatformParameters are the merged parameters of what stands under PHI.
type PlatformParameters struct {
	// TableAge is how old a table may be at most; zero where no profile says it.
	TableAge time.Duration
	// Supported are unexpired statements, by version.
	Supported map[string]hipaav1.SupportStatement
	// SecretEncryption is an unexpired statement that etcd's Secrets are encrypted.
	SecretEncryption *hipaav1.Statement
}

const (
	day             = 24 * time.Hour
	defaultTableAge = 365 * day
)

// OldestTable is how old a table of ours may be for it to show that something is in
// order.
func (p PlatformParameters) OldestTable() time.Duration { return cmp.Or(p.TableAge, defaultTableAge) }

// CloudServiceParameters are the merged parameters of services that may hold PHI.
type CloudServiceParameters struct {
	// Covered are unexpired statements, by service.
	Covered map[hipaav1.CloudService]hipaav1.Statement
	// Withheld holds the services of every profile.
	Withheld map[hipaav1.CloudService]bool
	// ListCompared is the unexpired statement of the latest day that has come, or nil.
	ListCompared *hipaav1.ListComparison
}

// VulnerabilityParameters are the merged limits of known holes: the shortest that a
// profile sets, zero where none does.
type VulnerabilityParameters struct{ CriticalAge, ReportAge time.Duration }

const (
	defaultCriticalAge = 30 * day
	defaultReportAge   = 7 * day
)

// Critical is how long a critical vulnerability may have been public.
func (p VulnerabilityParameters) Critical() time.Duration {
	return cmp.Or(p.CriticalAge, defaultCriticalAge)
}

// Report is how old a scanner's report may be.
func (p VulnerabilityParameters) Report() time.Duration { return cmp.Or(p.ReportAge, defaultReportAge) }

// AccessParameters are the merged parameters of who may do what.
type AccessParameters struct {
	// Administrators has one list for each profile that names them; a subject must
	// stand in each. No list means that nobody is named.
	Administrators [][]hipaav1.AccessSubject
	// Provider holds an unexpired statement or none.
	Provider hipaav1.IdentityProvider
	// SecretSource is the strictest; empty is any.
	SecretSource hipaav1.SecretSource
	// SecretsReviewed is an unexpired statement about the Secrets that were there before.
	SecretsReviewed *hipaav1.Statement
}

// NetworkParameters are the merged parameters of network isolation.
type NetworkParameters struct {
	// DNS is set by profiles; empty means what was discovered counts.
	DNS []hipaav1.DNSServer
	// Gateways by name.
	Gateways map[string]hipaav1.Gateway
	// Monitors are those of every profile.
	Monitors []hipaav1.Monitor
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
	// Statements are unexpired statements by class name.
	Statements map[string]hipaav1.StorageStatement
	// NodeDisks is an unexpired statement about the nodes' own disks.
	NodeDisks *hipaav1.Statement
	// EmptyDir is Memory where a profile asks for it, and EmptyDirSizeLimit the
	// smallest limit that one sets; zero is none.
	EmptyDir          hipaav1.EmptyDirPlacement
	EmptyDirSizeLimit resource.Quantity
	// CloudKeys is Customer where a profile asks for it; empty where none says anything.
	CloudKeys hipaav1.KeyHolder
}

// KeysInCloud is whose key must encrypt what is declared outside the cluster.
func (p StorageParameters) KeysInCloud() hipaav1.KeyHolder {
	return cmp.Or(p.CloudKeys, hipaav1.KeyHolderCustomer)
}

// ResidencyParameters say where PHI may be.
type ResidencyParameters struct {
	// Regions are those that every profile which names any allows always, and
	// Allowed those that they allow now, sorted. Both are nil where no profile names
	// any, and empty where they have none in common.
	Regions, Allowed []string
	// FailoverEnds is the first instant at which Allowed shrinks; zero where it is
	// Regions.
	FailoverEnds time.Time
	// FailoverBy are the profiles whose failover lasts, sorted by name.
	FailoverBy []string
	// Unbounded is an unexpired statement that nothing binds PHI to a place.
	Unbounded *hipaav1.Statement
	// Placement is Required where a profile asks for it.
	Placement hipaav1.Placement
}

// Failover lists the regions that are allowed only while a failover lasts, sorted; none
// where none does, or where another profile does not allow them.
func (p *ResidencyParameters) Failover() []string {
	var further []string
	for _, region := range p.Allowed {
		if !slices.Contains(p.Regions, region) {
			further = append(further, region)
		}
	}
	return further
}

// SessionParameters are the merged limits of people's sessions: the shortest that a
// profile sets, zero where none does.
type SessionParameters struct {
	IdleTimeout, AbsoluteTimeout time.Duration
	// OwnIdle and OwnAbsolute are limits of the workload's own, where they are shorter.
	OwnIdle, OwnAbsolute time.Duration
	// Settings is Complete where a profile asks for it.
	Settings hipaav1.SessionSettings
	// WithoutPeople is Stated where every profile that sets anything of sessions says it.
	WithoutPeople hipaav1.SessionsWithoutPeople
}

// The limits of sessions where profiles set none.
const (
	defaultIdleTimeout     = 15 * time.Minute
	defaultAbsoluteTimeout = 12 * time.Hour
)

// Idle is how long a session may go unused.
func (p SessionParameters) Idle() time.Duration {
	return cmp.Or(p.OwnIdle, p.IdleTimeout, defaultIdleTimeout)
}

// Absolute is how long a session may last.
func (p SessionParameters) Absolute() time.Duration {
	return cmp.Or(p.OwnAbsolute, p.AbsoluteTimeout, defaultAbsoluteTimeout)
}

// Shared are the limits of what a workload shares with others: those of profiles.
func (p SessionParameters) Shared() SessionParameters {
	p.OwnIdle, p.OwnAbsolute = 0, 0
	return p
}

// DefaultTagging are the label keys where profiles name none.
func DefaultTagging() hipaav1.TaggingParameters {
	return hipaav1.TaggingParameters{
		OwnerKey:           hipaav1.DefaultOwnerKey,
		CriticalityKey:     hipaav1.DefaultCriticalityKey,
		EnvironmentKey:     hipaav1.DefaultEnvironmentKey,
		DataClassPrefix:    hipaav1.DefaultDataClassPrefix,
		JurisdictionPrefix: hipaav1.DefaultJurisdictionPrefix,
	}
}
