package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProxyStatus says what the proxies of a workload's pods go by.
type ProxyStatus struct {
	// configurationGeneration counts the changes of what the proxies are configured by.
	// It only grows: proxies take no older one.
	// +required
	// +kubebuilder:validation:Minimum=1
	ConfigurationGeneration int64 `json:"configurationGeneration,omitempty"`

	// plaintext says whether callers that a policy lets in reach the application's own
	// ports too.
	// +required
	Plaintext PlaintextAccess `json:"plaintext,omitempty"`

	// plaintextUntil is when plaintext that settles is closed.
	// +optional
	PlaintextUntil *metav1.Time `json:"plaintextUntil,omitempty"`

	// capture is Redirect where the workload asks for it and the traffic of every pod comes
	// to its proxy by rules, so that whoever calls the application's own ports reaches it
	// too. As long as it is, pods that are new have rules. Absent means that policies let
	// callers to the ports of proxies alone.
	// +optional
	Capture CaptureMode `json:"capture,omitempty"`

	// serviceAccounts are those that the workload's pods run under, sorted; while there
	// are no pods, those of the last ones. What the proxies of others take for this
	// workload follows from them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`

	// users says how the sealed configuration has the proxies ask for the users of
	// requests. Absent means that they ask for nobody.
	// +optional
	Users UserAsking `json:"users,omitempty"`

	// issuerNamespace is where the proxies get their certificates.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	IssuerNamespace string `json:"issuerNamespace,omitempty"`
}

// PlaintextAccess says whether plaintext reaches an application.
//
// +kubebuilder:validation:Enum=Open;Settling;Closed
type PlaintextAccess string

const (
	// PlaintextOpen means that policies let declared callers to the application's own
	// ports: a pod without a proxy lives, of the workload or of a PHIWorkload that may
	// call it, or none with one has been seen yet. While such a pod lives proxies take
	// plaintext from declared callers too.
	PlaintextOpen PlaintextAccess = "Open"
	// PlaintextSettling means the same, although every pod has its proxy now: the proxies
	// of callers have to hear of it first.
	PlaintextSettling PlaintextAccess = "Settling"
	// PlaintextClosed means that policies let nobody to the application's own ports.
	PlaintextClosed PlaintextAccess = "Closed"
)
