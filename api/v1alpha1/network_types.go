package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

	// monitors are the pods that read the metrics of proxies, at port 15090: counts of
	// what passes and of what is refused, without a name, a record or an address.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Monitors []Monitor `json:"monitors,omitempty"`

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

// Monitor is what reads metrics, such as Prometheus.
type Monitor struct {
	// namespace of its pods.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// podSelector selects its pods.
	// +required
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
}

// GatewayAuthentication says how the proxies of workloads know a gateway.
//
// +kubebuilder:validation:Enum=Certificate;Address;Plaintext
type GatewayAuthentication string

const (
	// GatewayCertificate means that the gateway shows a client certificate. The issuer
	// keeps one in Secret hipaa-gateway-NAME of the gateway's namespace, where a Role
	// there lets it.
	GatewayCertificate GatewayAuthentication = "Certificate"
	// GatewayAddress means that the gateway speaks TLS and shows no certificate: whoever
	// calls from its ranges is taken for it. That is a lower grade, and reported as one.
	GatewayAddress GatewayAuthentication = "Address"
	// GatewayPlaintext means that the gateway may still speak plaintext, while it is
	// being moved to TLS. Workloads that name it fail for it.
	GatewayPlaintext GatewayAuthentication = "Plaintext"
)

// Gateway is an ingress controller or load balancer: pods, or ranges of addresses.
//
// +kubebuilder:validation:XValidation:rule="!has(self.authentication) || self.authentication != 'Certificate' || has(self.namespace)",fieldPath=".authentication",message="is Certificate beside namespace only: the certificate is kept where the pods of the gateway run"
// +kubebuilder:validation:XValidation:rule="!has(self.authentication) || self.authentication != 'Address' || has(self.cidrs)",fieldPath=".authentication",message="is Address beside cidrs only: nothing else would tell who calls"
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

	// authentication says how proxies know the gateway. Absent, one of pods shows a
	// certificate, and one of addresses is refused by workloads that have proxies.
	// +optional
	Authentication GatewayAuthentication `json:"authentication,omitempty"`
}
