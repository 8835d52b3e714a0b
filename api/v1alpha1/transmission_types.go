package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

	// databaseSettings says what becomes of containers that name a database server by
	// a variable which their client or image documents, such as PGHOST, and say nothing
	// about TLS: Complete adds what asks for it, such as PGSSLMODE: require or, where
	// the container names the certificate of the server's authority and a volume holds
	// it, verify-full. Where no volume does nothing is added. It cuts the container off
	// from a server that speaks no TLS. AsDeclared, the default, leaves them.
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

	// proxy is how the proxies are that pods of PHI workloads get. Absent means the
	// defaults of its fields.
	// +optional
	Proxy *ProxyParameters `json:"proxy,omitempty"`
}

// ProxyParameters are how the proxies are that carry the traffic of PHI workloads.
//
// +kubebuilder:validation:MinProperties=1
type ProxyParameters struct {
	// minimumTLS is the oldest version of TLS that proxies speak with each other. The
	// newest that a profile asks for counts; where none does it is 1.3.
	// +optional
	MinimumTLS TLSVersion `json:"minimumTLS,omitempty"`

	// outageGrace is for how long after its end the certificate of a known peer is taken
	// while the issuer cannot be reached. Where several profiles set it the shortest
	// counts; where none does it is 72h. 0s takes none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",message="must be from 0s to 168h"
	OutageGrace *metav1.Duration `json:"outageGrace,omitempty"` //nolint:kubeapilinter // people write 72h, as in the flags of the proxy

	// capture is the most that a workload may ask of how traffic comes to its proxies:
	// Redirect lets it have an init container with the capability NET_ADMIN, which Pod
	// Security baseline and restricted refuse and some platforms forbid. Where several
	// profiles set it Names counts, and so it does where none does.
	// +optional
	Capture CaptureMode `json:"capture,omitempty"`

	// cpu is what a proxy asks for. Where several profiles set it the largest counts;
	// where none does it is 20m.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory is what a proxy asks for, and may not exceed. Where several profiles set it
	// the largest counts; where none does it is 64Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(self).compareTo(quantity('32Mi')) >= 0",message="must be at least 32Mi: below it a proxy does not run"
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// WorkloadTransmission is how the traffic of a workload is carried.
type WorkloadTransmission struct {
	// capture says how traffic comes to the proxies of new pods. Redirect counts only
	// where the profile in force allows it; where it does not, pods are refused.
	// +required
	Capture CaptureMode `json:"capture,omitempty"`
}

// CaptureMode is how traffic comes to a proxy.
//
// +kubebuilder:validation:Enum=Names;Redirect
type CaptureMode string

const (
	// CaptureNames is by names of ports and hosts that lead to the proxy. It needs no
	// capability.
	CaptureNames CaptureMode = "Names"
	// CaptureRedirect is by rules in the pod's own network, whatever the application
	// does.
	CaptureRedirect CaptureMode = "Redirect"
)

// TLSVersion is a version of TLS.
//
// +kubebuilder:validation:Enum="1.2";"1.3"
type TLSVersion string

const (
	// TLS12 is RFC 5246.
	TLS12 TLSVersion = "1.2"
	// TLS13 is RFC 8446.
	TLS13 TLSVersion = "1.3"
)

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
