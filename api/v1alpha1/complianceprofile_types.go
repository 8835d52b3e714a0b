package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ComplianceProfileSpec is what the security team decides for namespaces.
// Several profiles may govern a namespace; the most restrictive setting counts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.exceptions) || !has(self.exceptions.neverFor) || !has(self.controls) || !self.controls.exists(c, c.mode == 'Off' && c.id in self.exceptions.neverFor)",fieldPath=".exceptions.neverFor",message="names a control that this profile sets to Off"
type ComplianceProfileSpec struct {
	// namespaceSelector selects the PHI namespaces that this profile governs;
	// only namespaces with the label hipaa-operator.io/phi: "true" count. Empty
	// means all of them. Absent means that the profile takes effect only where a
	// PHIWorkload's profileRef or another profile's extends names it.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// jurisdictions binds the profile to PHIWorkloads that state one of these under
	// spec.jurisdictions, state no jurisdiction, or name the country alone: the law of
	// a state reaches the data of its residents, and silence loosens nothing. What no
	// PHIWorkload claims is not judged by it. Empty binds it to none. Codes are those
	// of ISO 3166-2, such as US-CA.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=6
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`
	Jurisdictions []string `json:"jurisdictions,omitempty"`

	// rulesetVersion pins the rules, as year.number. Controls that a later ruleset
	// brings stay out until it is raised.
	// +required
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^20[0-9]{2}\.[1-9][0-9]?$`
	RulesetVersion string `json:"rulesetVersion,omitempty"`

	// extends names profiles whose settings count as well.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Extends []string `json:"extends,omitempty"`

	// defaultMode is the mode of every control that controls does not list.
	// +optional
	// +default="Enforce"
	DefaultMode Mode `json:"defaultMode,omitempty"`

	// controls sets single controls apart.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=128
	Controls []ControlSetting `json:"controls,omitempty"`

	// customControls are controls of your own. Their modes are set as those of the
	// catalogue are; this profile brings them into force.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=16
	CustomControls []CustomControl `json:"customControls,omitempty"`

	// undeclaredPods says what admission does with a pod that no PHIWorkload selects.
	// +optional
	// +default="Deny"
	UndeclaredPods UndeclaredPods `json:"undeclaredPods,omitempty"`

	// network holds the parameters of network isolation.
	// +optional
	Network *NetworkParameters `json:"network,omitempty"`

	// storage holds the parameters of encryption at rest.
	// +optional
	Storage *StorageParameters `json:"storage,omitempty"`

	// transmission holds the parameters of encryption on the way.
	// +optional
	Transmission *TransmissionParameters `json:"transmission,omitempty"`

	// session holds the limits of people's sessions.
	// +optional
	Session *SessionParameters `json:"session,omitempty"`

	// tagging holds the label keys of classification.
	// +optional
	Tagging *TaggingParameters `json:"tagging,omitempty"`

	// residency says in which regions PHI may be.
	// +optional
	Residency *ResidencyParameters `json:"residency,omitempty"`

	// detection says what watches the nodes.
	// +optional
	Detection *DetectionParameters `json:"detection,omitempty"`

	// vulnerabilities holds the limits of known holes in images.
	// +optional
	Vulnerabilities *VulnerabilityParameters `json:"vulnerabilities,omitempty"`

	// platform says what stands under PHI.
	// +optional
	Platform *PlatformParameters `json:"platform,omitempty"`

	// responsibility names who answers for safeguards and for privacy.
	// +optional
	Responsibility *ResponsibilityParameters `json:"responsibility,omitempty"`

	// access holds the parameters of who may do what.
	// +optional
	Access *AccessParameters `json:"access,omitempty"`

	// exceptions bounds exceptions from controls.
	// +optional
	Exceptions *ExceptionParameters `json:"exceptions,omitempty"`

	// rollout bounds what the operator may do to running pods, and how workloads
	// enter Enforce.
	// +optional
	Rollout *RolloutParameters `json:"rollout,omitempty"`

	// pause turns Warn and Enforce of this profile into Audit until it ends by
	// itself, within seven days. Admission stamps who wrote it into the annotation
	// hipaa-operator.io/paused-by.
	// +optional
	Pause *Pause `json:"pause,omitempty"`
}

// ControlSetting sets one control apart from the default mode.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Off' || (has(self.reason) && self.reason.size() >= 10)",fieldPath=".reason",message="is required with mode Off: reports show the control as not met, with this reason"
type ControlSetting struct {
	// id is the control, as in docs/controls.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`

	// mode is the mode of the control.
	// +required
	Mode Mode `json:"mode,omitempty"`

	// reason says why the control departs from the default (45 CFR
	// 164.306(d)(3) for an addressable specification).
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:MinLength=1
	Reason string `json:"reason,omitempty"`

	// record is what the law asks for where mode is Off and the control stands for an
	// addressable specification: without it such a setting is refused.
	// +optional
	Record *AddressableRecord `json:"record,omitempty"`
}

// Statement is what a person says where no machine can look. Verdicts that rest
// on it have the evidence class Attested, and it ends.
type Statement struct {
	// statedBy names the person.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	StatedBy string `json:"statedBy,omitempty"`

	// reason says how the person knows.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`

	// expires is the instant from which the statement no longer counts.
	// +required
	Expires metav1.Time `json:"expires,omitempty,omitzero"`
}

// ResponsibilityParameters name who answers for safeguards and for privacy, for all
// that the profile governs.
//
// +kubebuilder:validation:MinProperties=1
type ResponsibilityParameters struct {
	// securityOfficer is the security official (45 CFR 164.308(a)(2)).
	// +optional
	SecurityOfficer *Officer `json:"securityOfficer,omitempty"`

	// privacyOfficer is the privacy official (45 CFR 164.530(a)(1)).
	// +optional
	PrivacyOfficer *Officer `json:"privacyOfficer,omitempty"`
}

// Officer is a person who answers for something, and where to reach them.
type Officer struct {
	// name is that of the person.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Name string `json:"name,omitempty"`

	// contact is an address that is read, such as an e-mail address.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Contact string `json:"contact,omitempty"`
}

// NetworkParameters are the parameters of network isolation.
type NetworkParameters struct {
	// dns says where pods resolve names. Empty means discovered: the pods behind
	// the Service kube-system/kube-dns.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	DNS []DNSServer `json:"dns,omitempty"`

	// gateways are the ingress controllers and load balancers that workloads may
	// name as callers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Gateways []Gateway `json:"gateways,omitempty"`

	// ingressStatements say of ingress controllers, by class, what no Ingress shows:
	// that plaintext and TLS below 1.2 are refused. Without one that is Unknown.
	// +optional
	// +listType=map
	// +listMapKey=ingressClass
	// +kubebuilder:validation:MaxItems=32
	IngressStatements []IngressStatement `json:"ingressStatements,omitempty"`

	// externalRanges bounds the ipBlock peers of workloads: each must lie inside
	// one of them. Absent means not bounded by this profile.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="is not a CIDR such as 10.20.0.0/16 or 2001:db8::/64"
	ExternalRanges []string `json:"externalRanges,omitempty"`

	// enforcement is a statement that the network plugin of this cluster enforces
	// NetworkPolicies, for clusters where no probe may run. Without either, the
	// verdict of network isolation stays Unknown.
	// +optional
	Enforcement *Statement `json:"enforcement,omitempty"`
}

// DNSServer is where pods resolve names: exactly one of pods or cidr.
//
// +kubebuilder:validation:XValidation:rule="has(self.podSelector) != has(self.cidr)",message="name exactly one of podSelector, cidr"
// +kubebuilder:validation:XValidation:rule="!has(self.namespace) || has(self.podSelector)",fieldPath=".namespace",message="belongs beside podSelector"
type DNSServer struct {
	// namespace of the pods. Empty means kube-system.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`

	// podSelector selects the pods that answer.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// cidr is a range of addresses that answer, such as that of a node-local cache.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="is not a CIDR such as 169.254.20.10/32"
	// +kubebuilder:validation:MinLength=1
	CIDR string `json:"cidr,omitempty"`

	// port is the number on which they answer, over UDP and TCP.
	// +optional
	// +default=53
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// Gateway is an ingress controller or load balancer: pods, or ranges of addresses.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespace) != has(self.cidrs)",message="name exactly one of namespace (with podSelector), cidrs"
// +kubebuilder:validation:XValidation:rule="has(self.namespace) == has(self.podSelector)",fieldPath=".podSelector",message="goes together with namespace"
type Gateway struct {
	// name by which workloads refer to it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// namespace of its pods.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`

	// podSelector selects its pods.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// cidrs are the addresses from which it calls.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="is not a CIDR such as 10.20.0.0/16"
	CIDRs []string `json:"cidrs,omitempty"`
}

// StorageGrade is how well a volume is encrypted.
//
// +kubebuilder:validation:Enum=EncryptedProviderKey;EncryptedCustomerKey
type StorageGrade string

// Grades that a profile may state.
const (
	StorageGradeProviderKey StorageGrade = "EncryptedProviderKey"
	StorageGradeCustomerKey StorageGrade = "EncryptedCustomerKey"
)

// KeyHolder is whose key encrypts something.
//
// +kubebuilder:validation:Enum=Provider;Customer
type KeyHolder string

const (
	// KeyHolderProvider takes the provider's default key, and every other.
	KeyHolderProvider KeyHolder = "Provider"
	// KeyHolderCustomer asks for a key that the customer manages.
	KeyHolderCustomer KeyHolder = "Customer"
)

// StorageParameters are the parameters of encryption at rest.
type StorageParameters struct {
	// encryptedClass is the StorageClass that claims without a class get.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:MinLength=1
	EncryptedClass string `json:"encryptedClass,omitempty"`

	// cloudKeys says whose key must encrypt what is declared outside the cluster, such
	// as databases and buckets. Where several profiles say it Customer counts, and
	// where none does it is Customer.
	// +optional
	CloudKeys KeyHolder `json:"cloudKeys,omitempty"`

	// statements grade classes whose encryption no field shows, such as EFS or
	// disks that the node encrypts.
	// +optional
	// +listType=map
	// +listMapKey=storageClass
	// +kubebuilder:validation:MaxItems=32
	Statements []StorageStatement `json:"statements,omitempty"`

	// nodeDisks states that the nodes' own disks are encrypted, and wiped before
	// they serve something else. Without it, what is on them is Unknown.
	// +optional
	NodeDisks *Statement `json:"nodeDisks,omitempty"`

	// emptyDir says what becomes of emptyDir volumes that name no medium: Memory
	// puts them into the node's memory, which can break an application that writes
	// more than the limit. AsDeclared, the default, leaves them.
	// +optional
	// +default="AsDeclared"
	EmptyDir EmptyDirPlacement `json:"emptyDir,omitempty"`

	// emptyDirSizeLimit is the limit of those put into memory that name none. Where
	// several profiles set one the smallest counts; where none does it is 64Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be more than 0"
	EmptyDirSizeLimit *resource.Quantity `json:"emptyDirSizeLimit,omitempty"`
}

// EmptyDirPlacement says where emptyDir volumes that name no medium go.
//
// +kubebuilder:validation:Enum=AsDeclared;Memory
type EmptyDirPlacement string

const (
	// EmptyDirAsDeclared leaves them on the node's disk.
	EmptyDirAsDeclared EmptyDirPlacement = "AsDeclared"
	// EmptyDirMemory puts them into the node's memory, with a size limit.
	EmptyDirMemory EmptyDirPlacement = "Memory"
)

// DefaultEmptyDirSizeLimit is the limit of an emptyDir in memory that names none,
// where no profile sets one.
const DefaultEmptyDirSizeLimit = "64Mi"

// StorageStatement says how a StorageClass is encrypted where no field shows it.
// It never outweighs evidence: a class that says it is not encrypted stays so.
type StorageStatement struct {
	// storageClass is the class that the statement is about.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClass string `json:"storageClass,omitempty"`

	// grade is what the person states.
	// +required
	Grade StorageGrade `json:"grade,omitempty"`

	Statement `json:",inline"`
}

// DatabaseTLS is how well a connection to a database must be secured.
//
// +kubebuilder:validation:Enum=Require;VerifyFull
type DatabaseTLS string

const (
	// DatabaseTLSRequire asks for TLS that cannot fall back to plaintext.
	DatabaseTLSRequire DatabaseTLS = "Require"
	// DatabaseTLSVerifyFull asks that the server proves its name as well.
	DatabaseTLSVerifyFull DatabaseTLS = "VerifyFull"
)

// TransmissionParameters are the parameters of encryption on the way.
//
// +kubebuilder:validation:XValidation:rule="!has(self.edgeProbeMinutes) || !has(self.edgeProbe) || self.edgeProbe != 'Never'",fieldPath=".edgeProbeMinutes",message="says nothing where edgeProbe is Never"
type TransmissionParameters struct {
	// databaseTLS is the least that connections to databases, caches and queues
	// must ask for.
	// +optional
	// +default="Require"
	DatabaseTLS DatabaseTLS `json:"databaseTLS,omitempty"`

	// databaseSettings says what becomes of containers that name a PostgreSQL server
	// by PGHOST and say nothing about TLS: Complete adds PGSSLMODE, require or, where
	// the container names the certificate of its authority, verify-full. It cuts the
	// container off from a server that speaks no TLS. AsDeclared, the default, leaves
	// them.
	// +optional
	// +default="AsDeclared"
	DatabaseSettings DatabaseSettings `json:"databaseSettings,omitempty"`

	// certificateWarningDays are how many days before the end of a certificate people
	// are warned, each once. Where several profiles set some all count; where none does
	// they are 30, 14 and 3.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=365
	CertificateWarningDays []int32 `json:"certificateWarningDays,omitempty"`

	// certificatesElsewhere states that certificates which no object of the cluster
	// shows, such as those of load balancers, are watched and renewed in time.
	// +optional
	CertificatesElsewhere *Statement `json:"certificatesElsewhere,omitempty"`

	// edgeProbe says whether the operator dials the addresses by which callers from
	// outside the cluster reach PHI workloads, as the status of their Ingresses and
	// Services of type LoadBalancer states them. Dial wins where profiles differ, and
	// holds where none says anything. Never is for clusters whose operator cannot reach
	// them.
	// +optional
	EdgeProbe EdgeProbe `json:"edgeProbe,omitempty"`

	// edgeProbeMinutes is how many minutes lie between two dials of one address. Where
	// several profiles set it the fewest count; where none does it is 60. What was seen
	// counts for three times as long.
	// +optional
	// +kubebuilder:validation:Minimum=15
	// +kubebuilder:validation:Maximum=1440
	EdgeProbeMinutes int32 `json:"edgeProbeMinutes,omitempty"`
}

// EdgeProbe says whether addresses at the edge of the cluster are dialled.
//
// +kubebuilder:validation:Enum=Dial;Never
type EdgeProbe string

const (
	// EdgeProbeDial dials them.
	EdgeProbeDial EdgeProbe = "Dial"
	// EdgeProbeNever dials nothing.
	EdgeProbeNever EdgeProbe = "Never"
)

// DatabaseSettings says what becomes of settings that leave TLS open.
//
// +kubebuilder:validation:Enum=AsDeclared;Complete
type DatabaseSettings string

const (
	// DatabaseSettingsAsDeclared leaves them.
	DatabaseSettingsAsDeclared DatabaseSettings = "AsDeclared"
	// DatabaseSettingsComplete adds what asks for TLS.
	DatabaseSettingsComplete DatabaseSettings = "Complete"
)

// SessionParameters are the limits of people's sessions. Where several profiles set
// one the shortest counts.
type SessionParameters struct {
	// idleTimeout is how long a session may go unused before it ends. Where no
	// profile sets it, it is 15m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"` //nolint:kubeapilinter // people write 15m, as in the configuration of their applications

	// absoluteTimeout is how long a session may last however much it is used. Where
	// no profile sets it, it is 12h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	AbsoluteTimeout *metav1.Duration `json:"absoluteTimeout,omitempty"` //nolint:kubeapilinter // as idleTimeout

	// settings says what becomes of containers of known applications that say nothing
	// about unused sessions: Complete tells new ones idleTimeout, by the variable that
	// the application reads, but where care depends on the workload: there people do.
	// AsDeclared, the default, leaves them.
	// +optional
	// +default="AsDeclared"
	Settings SessionSettings `json:"settings,omitempty"`
}

// SessionSettings says what becomes of settings that leave unused sessions open.
//
// +kubebuilder:validation:Enum=AsDeclared;Complete
type SessionSettings string

const (
	// SessionSettingsAsDeclared leaves them.
	SessionSettingsAsDeclared SessionSettings = "AsDeclared"
	// SessionSettingsComplete adds a limit.
	SessionSettingsComplete SessionSettings = "Complete"
)

// TaggingParameters are the label keys of classification.
//
// +kubebuilder:validation:XValidation:rule="self.ownerKey != self.criticalityKey && self.ownerKey != self.environmentKey && self.criticalityKey != self.environmentKey",message="ownerKey, criticalityKey and environmentKey must differ"
// +kubebuilder:validation:XValidation:rule="self.dataClassPrefix != self.jurisdictionPrefix",message="dataClassPrefix and jurisdictionPrefix must differ"
type TaggingParameters struct {
	// ownerKey carries the owner's team.
	// +optional
	// +default="hipaa-operator.io/owner"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	OwnerKey string `json:"ownerKey,omitempty"`

	// criticalityKey carries the continuity.
	// +optional
	// +default="hipaa-operator.io/criticality"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	CriticalityKey string `json:"criticalityKey,omitempty"`

	// environmentKey carries the environment.
	// +optional
	// +default="hipaa-operator.io/environment"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	EnvironmentKey string `json:"environmentKey,omitempty"`

	// dataClassPrefix and a data class make a key of value "true".
	// +optional
	// +default="data-class.hipaa-operator.io"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	DataClassPrefix string `json:"dataClassPrefix,omitempty"`

	// jurisdictionPrefix and a jurisdiction make a key of value "true".
	// +optional
	// +default="jurisdiction.hipaa-operator.io"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	JurisdictionPrefix string `json:"jurisdictionPrefix,omitempty"`
}

// RolloutParameters bound what the operator may do to running pods.
type RolloutParameters struct {
	// window is when pods may be replaced, such as
	// "Mon-Fri 09:00-16:00 America/Chicago". Absent means at any time.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? ([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9] [A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`
	// +kubebuilder:validation:MinLength=1
	Window string `json:"window,omitempty"`

	// maxUnavailable is how many pods of a workload may be away at once because
	// the operator replaces them: a number, or a percentage rounded down but
	// never below one. The last ready pod is never taken.
	// +optional
	// +default=1
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 1000 : self.matches('^(100|[1-9]?[0-9])%$')",message="is neither a number from 0 to 1000 nor a percentage"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// enforceBy is the instant from which workloads that are still Previewing are
	// enforced whatever their preview says.
	// +optional
	EnforceBy *metav1.Time `json:"enforceBy,omitempty"`

	// acceptedPreviews are the previews that the security team has read and
	// accepts: their workloads enter Enforce.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	AcceptedPreviews []AcceptedPreview `json:"acceptedPreviews,omitempty"`
}

// AcceptedPreview accepts the preview of one workload.
type AcceptedPreview struct {
	// namespace of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// digest is status.preview.digest of what was read, in full.
	// +required
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`
}

// LongestPause bounds a pause: one that nobody ends must not become the rule. A
// week covers a go-live weekend and the days after it; whoever needs longer says so
// again, and is on record again.
const LongestPause = 7 * 24 * time.Hour

// Pause suspends enforcement for a time.
type Pause struct {
	// reason says why.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`

	// until is the instant from which the profile enforces again. More than seven
	// days ahead is refused; where that was written while admission was away, only
	// the last seven days count.
	// +required
	Until metav1.Time `json:"until,omitempty,omitzero"`
}

// Begins is the earliest instant at which the pause can count.
func (p *Pause) Begins() time.Time { return p.Until.Add(-LongestPause) }

// Holds reports whether the pause counts at an instant; nil is no pause.
func (p *Pause) Holds(now time.Time) bool {
	return p != nil && now.Before(p.Until.Time) && !now.Before(p.Begins())
}

// PauseInForce is a pause that counts now.
type PauseInForce struct {
	// until is the instant at which it ends by itself.
	// +required
	Until metav1.Time `json:"until,omitempty,omitzero"`

	// by is who wrote it, stamped by admission. Absent where it was written while
	// admission was away; the API server's audit log knows.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	By string `json:"by,omitempty"`
}

// UndeclaredCounts are live pods that no PHIWorkload selects. The default deny
// of their namespace cuts them off; nothing evicts them.
type UndeclaredCounts struct {
	// pods counts them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Pods int32 `json:"pods,omitempty"`

	// namespaces counts the namespaces in which they live.
	// +required
	// +kubebuilder:validation:Minimum=1
	Namespaces int32 `json:"namespaces,omitempty"`

	// in lists the namespaces, those with the most pods first, 64 at most.
	// +required
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	In []UndeclaredIn `json:"in,omitempty"`
}

// UndeclaredIn counts the undeclared pods of one namespace.
type UndeclaredIn struct {
	// namespace in which they live.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// pods counts them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Pods int32 `json:"pods,omitempty"`

	// lastCreated is when the youngest of them was created.
	// +required
	LastCreated metav1.Time `json:"lastCreated,omitempty,omitzero"`
}

// ComplianceProfileStatus is what became of a profile.
type ComplianceProfileStatus struct {
	// observedGeneration is the generation of the spec that this status is about;
	// -1 until the operator has looked at the object for the first time.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"` //nolint:kubeapilinter // 0 never occurs: -1 before the first pass, then generations from 1

	// conditions follow kstatus: Ready, Reconciling, Stalled, and those of
	// conditions.go.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// namespaces counts the PHI namespaces that the profile governs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Namespaces *int32 `json:"namespaces,omitempty"`

	// workloads counts the PHIWorkloads that the profile governs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Workloads *int32 `json:"workloads,omitempty"`

	// previewing counts those of them that have not entered Enforce.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Previewing *int32 `json:"previewing,omitempty"`

	// pause is the pause that is in force; absent while none is.
	// +optional
	Pause *PauseInForce `json:"pause,omitempty"`

	// undeclared counts live pods of the governed namespaces that no PHIWorkload
	// selects, whatever the mode; absent where there are none.
	// +optional
	Undeclared *UndeclaredCounts `json:"undeclared,omitempty"`
}

// ComplianceProfile says which controls hold in which namespaces, in which
// mode, with which parameters. The security team writes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cprof,categories=hipaa
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.defaultMode`
// +kubebuilder:printcolumn:name="Ruleset",type=string,JSONPath=`.spec.rulesetVersion`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Workloads",type=integer,JSONPath=`.status.workloads`
// +kubebuilder:printcolumn:name="Previewing",type=integer,JSONPath=`.status.previewing`
// +kubebuilder:printcolumn:name="Paused-Until",type=string,JSONPath=`.status.pause.until`
// +kubebuilder:printcolumn:name="Admission",type=string,JSONPath=`.status.conditions[?(@.type=="AdmissionGuarded")].reason`
// +kubebuilder:printcolumn:name="Paused-By",type=string,JSONPath=`.status.pause.by`,priority=1
// +kubebuilder:printcolumn:name="Undeclared",type=integer,JSONPath=`.status.undeclared.pods`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name is longer than 63 characters"
type ComplianceProfile struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the security team decides.
	// +required
	Spec ComplianceProfileSpec `json:"spec,omitempty,omitzero"`

	// status is what became of it.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ComplianceProfileStatus `json:"status,omitempty,omitzero"` //nolint:kubeapilinter // the default, in the form that controller-gen reads, makes kstatus wait for the first pass
}

// ComplianceProfileList is a list of ComplianceProfiles.
//
// +kubebuilder:object:root=true
type ComplianceProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComplianceProfile `json:"items"`
}
