package phitest

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// ProfileBuilder builds a ComplianceProfile.
type ProfileBuilder struct{ profile hipaav1.ComplianceProfile }

// Profile governs every PHI namespace and enforces every control of the first
// ruleset.
func Profile(name string) *ProfileBuilder {
	return &ProfileBuilder{hipaav1.ComplianceProfile{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: hipaav1.ComplianceProfileSpec{
			NamespaceSelector: &metav1.LabelSelector{},
			RulesetVersion:    "2026.1",
			DefaultMode:       hipaav1.ModeEnforce,
			UndeclaredPods:    hipaav1.UndeclaredPodsDeny,
		},
	}}
}

// Selecting governs only PHI namespaces with these labels.
func (b *ProfileBuilder) Selecting(keysAndValues ...string) *ProfileBuilder {
	b.profile.Spec.NamespaceSelector = Labels(keysAndValues...)
	return b
}

// OnlyByName governs no namespace by itself.
func (b *ProfileBuilder) OnlyByName() *ProfileBuilder {
	b.profile.Spec.NamespaceSelector = nil
	return b
}

// Jurisdictions binds it to workloads that state one of these.
func (b *ProfileBuilder) Jurisdictions(codes ...string) *ProfileBuilder {
	b.profile.Spec.Jurisdictions = codes
	return b
}

// Ruleset pins a ruleset.
func (b *ProfileBuilder) Ruleset(version string) *ProfileBuilder {
	b.profile.Spec.RulesetVersion = version
	return b
}

// Extends names further profiles.
func (b *ProfileBuilder) Extends(names ...string) *ProfileBuilder {
	b.profile.Spec.Extends = append(b.profile.Spec.Extends, names...)
	return b
}

// Mode sets the default mode.
func (b *ProfileBuilder) Mode(m hipaav1.Mode) *ProfileBuilder {
	b.profile.Spec.DefaultMode = m
	return b
}

// With changes what no other method does.
func (b *ProfileBuilder) With(change func(*hipaav1.ComplianceProfileSpec)) *ProfileBuilder {
	change(&b.profile.Spec)
	return b
}

// Control sets one control apart.
func (b *ProfileBuilder) Control(id string, m hipaav1.Mode) *ProfileBuilder {
	setting := hipaav1.ControlSetting{ID: id, Mode: m, Reason: reason}
	if m == hipaav1.ModeOff {
		setting.Record = record()
	}
	b.profile.Spec.Controls = append(b.profile.Spec.Controls, setting)
	return b
}

// LongestException bounds exceptions.
func (b *ProfileBuilder) LongestException(d time.Duration) *ProfileBuilder {
	b.exceptions().MaximumLength = &metav1.Duration{Duration: d}
	return b
}

// NoExceptions names controls from which no exception is taken.
func (b *ProfileBuilder) NoExceptions(ids ...string) *ProfileBuilder {
	b.exceptions().NeverFor = append(b.exceptions().NeverFor, ids...)
	return b
}

// OnlyExceptions has no control in force and bounds exceptions.
func (b *ProfileBuilder) OnlyExceptions(d time.Duration) *ProfileBuilder {
	b.profile.Spec.UndeclaredPods = hipaav1.UndeclaredPodsAllow
	return b.Mode(hipaav1.ModeOff).LongestException(d)
}

// WarnsBefore names the hours before its end at which people hear of an exception.
func (b *ProfileBuilder) WarnsBefore(hours ...int32) *ProfileBuilder {
	b.exceptions().WarnHoursBefore = append(b.exceptions().WarnHoursBefore, hours...)
	return b
}

func (b *ProfileBuilder) exceptions() *hipaav1.ExceptionParameters {
	if b.profile.Spec.Exceptions == nil {
		b.profile.Spec.Exceptions = &hipaav1.ExceptionParameters{}
	}
	return b.profile.Spec.Exceptions
}

// Brings adds controls of the profile's own.
func (b *ProfileBuilder) Brings(controls ...hipaav1.CustomControl) *ProfileBuilder {
	b.profile.Spec.CustomControls = append(b.profile.Spec.CustomControls, controls...)
	return b
}

// Undeclared says what to do with undeclared pods.
func (b *ProfileBuilder) Undeclared(u hipaav1.UndeclaredPods) *ProfileBuilder {
	b.profile.Spec.UndeclaredPods = u
	return b
}

func (b *ProfileBuilder) network() *hipaav1.NetworkParameters {
	if b.profile.Spec.Network == nil {
		b.profile.Spec.Network = &hipaav1.NetworkParameters{}
	}
	return b.profile.Spec.Network
}

// Gateway declares pods as a gateway.
func (b *ProfileBuilder) Gateway(name, namespace string, keysAndValues ...string) *ProfileBuilder {
	n := b.network()
	n.Gateways = append(n.Gateways, hipaav1.Gateway{Name: name, Namespace: namespace, PodSelector: Labels(keysAndValues...)})
	return b
}

// GatewayAt declares addresses as a gateway.
func (b *ProfileBuilder) GatewayAt(name string, cidrs ...string) *ProfileBuilder {
	n := b.network()
	n.Gateways = append(n.Gateways, hipaav1.Gateway{Name: name, CIDRs: cidrs})
	return b
}

// Monitor declares pods that read the metrics of proxies.
func (b *ProfileBuilder) Monitor(namespace string, keysAndValues ...string) *ProfileBuilder {
	n := b.network()
	n.Monitors = append(n.Monitors, hipaav1.Monitor{Namespace: namespace, PodSelector: Labels(keysAndValues...)})
	return b
}

// DNSPods declares pods of kube-system as resolver, on port 53.
func (b *ProfileBuilder) DNSPods(keysAndValues ...string) *ProfileBuilder {
	n := b.network()
	n.DNS = append(n.DNS, hipaav1.DNSServer{PodSelector: Labels(keysAndValues...), Port: 53})
	return b
}

// DNSAt declares addresses as resolver.
func (b *ProfileBuilder) DNSAt(cidr string, port int32) *ProfileBuilder {
	n := b.network()
	n.DNS = append(n.DNS, hipaav1.DNSServer{CIDR: cidr, Port: port})
	return b
}

// ExternalRanges bounds ipBlock peers.
func (b *ProfileBuilder) ExternalRanges(cidrs ...string) *ProfileBuilder {
	b.network().ExternalRanges = cidrs
	return b
}

// IsolationStated states until an instant that policies are enforced.
func (b *ProfileBuilder) IsolationStated(until metav1.Time) *ProfileBuilder {
	s := statement(until)
	b.network().Enforcement = &s
	return b
}

// IngressStated states until an instant that a class refuses plaintext and old TLS.
func (b *ProfileBuilder) IngressStated(class string, until metav1.Time) *ProfileBuilder {
	n := b.network()
	n.IngressStatements = append(n.IngressStatements, hipaav1.IngressStatement{IngressClass: class, Statement: statement(until)})
	return b
}

func (b *ProfileBuilder) storage() *hipaav1.StorageParameters {
	if b.profile.Spec.Storage == nil {
		b.profile.Spec.Storage = &hipaav1.StorageParameters{}
	}
	return b.profile.Spec.Storage
}

// EncryptedClass sets the class for claims without one.
func (b *ProfileBuilder) EncryptedClass(name string) *ProfileBuilder {
	b.storage().EncryptedClass = name
	return b
}

// CloudKeys says whose key must encrypt what is declared outside the cluster.
func (b *ProfileBuilder) CloudKeys(holder hipaav1.KeyHolder) *ProfileBuilder {
	b.storage().CloudKeys = holder
	return b
}

// ClassStated states until an instant how a class is encrypted.
func (b *ProfileBuilder) ClassStated(class string, g hipaav1.StorageGrade, until metav1.Time) *ProfileBuilder {
	s := b.storage()
	s.Statements = append(s.Statements, hipaav1.StorageStatement{StorageClass: class, Grade: g, Statement: statement(until)})
	return b
}

func statement(until metav1.Time) hipaav1.Statement {
	return hipaav1.Statement{StatedBy: "platform lead", Reason: reason, Expires: until}
}

// Users has an identity provider of people that is stated to end guessing until an instant,
// and lets clinicians break the glass.
func (b *ProfileBuilder) Users(realm string, until metav1.Time) *ProfileBuilder {
	ends := statement(until)
	b.profile.Spec.Users = &hipaav1.UserParameters{
		Realms: []hipaav1.Realm{{
			Name: realm, Issuer: "https://idp.example.org/realms/" + realm, Audiences: []string{"patient-api"}, Lockout: &ends,
		}},
		OpenPaths:  []string{"/static/*"},
		BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}},
	}
	return b
}

// NodeDisksStated states until an instant that the nodes' disks are encrypted.
func (b *ProfileBuilder) NodeDisksStated(until metav1.Time) *ProfileBuilder {
	b.storage().NodeDisks = &hipaav1.Statement{StatedBy: "ops@example.org", Reason: "every node boots from an encrypted disk", Expires: until}
	return b
}

// EmptyDirsInMemory puts scratch directories into memory; an empty limit is the
// default one.
func (b *ProfileBuilder) EmptyDirsInMemory(limit string) *ProfileBuilder {
	b.storage().EmptyDir = hipaav1.EmptyDirMemory
	if limit != "" {
		b.storage().EmptyDirSizeLimit = ptr.To(resource.MustParse(limit))
	}
	return b
}

// Vulnerabilities sets the limits of known holes.
func (b *ProfileBuilder) Vulnerabilities(p hipaav1.VulnerabilityParameters) *ProfileBuilder {
	b.profile.Spec.Vulnerabilities = &p
	return b
}

// Platform sets what is said of what stands under PHI.
func (b *ProfileBuilder) Platform(p hipaav1.PlatformParameters) *ProfileBuilder {
	b.profile.Spec.Platform = &p
	return b
}

// CloudServices sets which services of clouds may hold PHI.
func (b *ProfileBuilder) CloudServices(p hipaav1.CloudServiceParameters) *ProfileBuilder {
	b.profile.Spec.CloudServices = &p
	return b
}

// Sensors declares DaemonSets that watch the nodes.
func (b *ProfileBuilder) Sensors(sensors ...hipaav1.Sensor) *ProfileBuilder {
	b.profile.Spec.Detection = &hipaav1.DetectionParameters{Sensors: sensors}
	return b
}

// Officers names who answers for security and for privacy.
func (b *ProfileBuilder) Officers() *ProfileBuilder {
	b.profile.Spec.Responsibility = &hipaav1.ResponsibilityParameters{
		SecurityOfficer: &hipaav1.Officer{Name: "Ada Moreno", Contact: "security@example.org"},
		PrivacyOfficer:  &hipaav1.Officer{Name: "Jon Okafor", Contact: "privacy@example.org"},
	}
	return b
}

func (b *ProfileBuilder) access() *hipaav1.AccessParameters {
	if b.profile.Spec.Access == nil {
		b.profile.Spec.Access = &hipaav1.AccessParameters{}
	}
	return b.profile.Spec.Access
}

// Administrators may hold the whole cluster.
func (b *ProfileBuilder) Administrators(subjects ...hipaav1.AccessSubject) *ProfileBuilder {
	b.access().Administrators = subjects
	return b
}

func (b *ProfileBuilder) residency() *hipaav1.ResidencyParameters {
	if b.profile.Spec.Residency == nil {
		b.profile.Spec.Residency = &hipaav1.ResidencyParameters{}
	}
	return b.profile.Spec.Residency
}

// Regions bounds where PHI may be.
func (b *ProfileBuilder) Regions(names ...string) *ProfileBuilder {
	b.residency().Regions = names
	return b
}

// Failover allows further regions until an instant.
func (b *ProfileBuilder) Failover(until metav1.Time, regions ...string) *ProfileBuilder {
	b.residency().Failover = &hipaav1.ResidencyFailover{Regions: regions, Statement: statement(until)}
	return b
}

// UnboundedStated states until an instant that nothing binds PHI to a place.
func (b *ProfileBuilder) UnboundedStated(until metav1.Time) *ProfileBuilder {
	s := statement(until)
	b.residency().Unbounded = &s
	return b
}

func (b *ProfileBuilder) transmission() *hipaav1.TransmissionParameters {
	if b.profile.Spec.Transmission == nil {
		b.profile.Spec.Transmission = &hipaav1.TransmissionParameters{}
	}
	return b.profile.Spec.Transmission
}

// DatabaseTLS sets how well connections to databases must be secured.
func (b *ProfileBuilder) DatabaseTLS(least hipaav1.DatabaseTLS) *ProfileBuilder {
	b.transmission().DatabaseTLS = least
	return b
}

// DatabaseSettingsCompleted adds to containers what asks for TLS.
func (b *ProfileBuilder) DatabaseSettingsCompleted() *ProfileBuilder {
	b.transmission().DatabaseSettings = hipaav1.DatabaseSettingsComplete
	return b
}

// Certificates sets what is said of certificates.
func (b *ProfileBuilder) Certificates(elsewhere *hipaav1.Statement, warningDays ...int32) *ProfileBuilder {
	b.transmission().CertificatesElsewhere, b.transmission().CertificateWarningDays = elsewhere, warningDays
	return b
}

// Dialled says whether the edge of the cluster is dialled, and how often; zero minutes
// say nothing.
func (b *ProfileBuilder) Dialled(probe hipaav1.EdgeProbe, minutes int32) *ProfileBuilder {
	b.transmission().EdgeProbe, b.transmission().EdgeProbeMinutes = probe, minutes
	return b
}

// Sessions sets the limits of people's sessions; zero is none.
func (b *ProfileBuilder) Sessions(idle, absolute time.Duration) *ProfileBuilder {
	b.profile.Spec.Session = &hipaav1.SessionParameters{}
	if idle > 0 {
		b.profile.Spec.Session.IdleTimeout = &metav1.Duration{Duration: idle}
	}
	if absolute > 0 {
		b.profile.Spec.Session.AbsoluteTimeout = &metav1.Duration{Duration: absolute}
	}
	return b
}

// IdentityProvider gives people a prefix, and states until an instant that it asks
// for a second factor.
func (b *ProfileBuilder) IdentityProvider(prefix string, until metav1.Time) *ProfileBuilder {
	s := statement(until)
	b.access().IdentityProvider = &hipaav1.IdentityProvider{UsernamePrefix: prefix, GroupsPrefix: prefix, MFA: &s}
	return b
}

// SecretsReviewed states until an instant that the Secrets from before have been looked
// through.
func (b *ProfileBuilder) SecretsReviewed(until metav1.Time) *ProfileBuilder {
	s := statement(until)
	b.access().SecretsReviewed = &s
	return b
}

// ExternalSecrets asks that Secrets come from a manager outside the cluster.
func (b *ProfileBuilder) ExternalSecrets() *ProfileBuilder {
	b.access().SecretSource = hipaav1.SecretSourceExternal
	return b
}

// Tagging sets the label keys.
func (b *ProfileBuilder) Tagging(t hipaav1.TaggingParameters) *ProfileBuilder {
	b.profile.Spec.Tagging = &t
	return b
}

func (b *ProfileBuilder) rollout() *hipaav1.RolloutParameters {
	if b.profile.Spec.Rollout == nil {
		b.profile.Spec.Rollout = &hipaav1.RolloutParameters{}
	}
	return b.profile.Spec.Rollout
}

// Window sets when pods may be replaced.
func (b *ProfileBuilder) Window(w string) *ProfileBuilder {
	b.rollout().Window = w
	return b
}

// MaxUnavailable bounds how many pods may be away, such as "1" or "10%".
func (b *ProfileBuilder) MaxUnavailable(text string) *ProfileBuilder {
	parsed := intstr.Parse(text)
	b.rollout().MaxUnavailable = &parsed
	return b
}

// EnforceBy sets when Previewing ends by itself.
func (b *ProfileBuilder) EnforceBy(at metav1.Time) *ProfileBuilder {
	b.rollout().EnforceBy = &at
	return b
}

// Accepts accepts the preview of a workload of the default namespace.
func (b *ProfileBuilder) Accepts(workload, digest string) *ProfileBuilder {
	r := b.rollout()
	r.AcceptedPreviews = append(r.AcceptedPreviews,
		hipaav1.AcceptedPreview{Namespace: DefaultNamespace, Name: workload, Digest: digest})
	return b
}

// PausedFor pauses the profile for a duration from Epoch.
func (b *ProfileBuilder) PausedFor(d time.Duration) *ProfileBuilder {
	b.profile.Spec.Pause = &hipaav1.Pause{Reason: reason, Until: After(d)}
	return b
}

// Obj returns the object.
func (b *ProfileBuilder) Obj() *hipaav1.ComplianceProfile { return b.profile.DeepCopy() }
