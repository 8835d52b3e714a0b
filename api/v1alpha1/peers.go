package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Access says who may open connections to a workload. What is not listed is
// refused.
type Access struct {
	// from lists the callers. Empty means that nobody may call.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	From []AccessPeer `json:"from,omitempty"`
}

// Egress says to whom a workload may open connections. What is not listed is
// closed, except name resolution.
type Egress struct {
	// to lists the destinations. Empty means that the workload calls nobody.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	To []EgressPeer `json:"to,omitempty"`
}

// AccessPeer is one caller: exactly one of phiWorkload, gateway, pods or ipBlock.
//
// +kubebuilder:validation:XValidation:rule="[has(self.phiWorkload), has(self.gateway), has(self.pods), has(self.ipBlock)].filter(x, x).size() == 1",message="name exactly one of phiWorkload, gateway, pods, ipBlock"
type AccessPeer struct {
	// phiWorkload is a workload that handles PHI itself.
	// +optional
	PHIWorkload *PHIWorkloadPeer `json:"phiWorkload,omitempty"`

	// gateway is an ingress controller or load balancer that the profile
	// declares under network.gateways.
	// +optional
	Gateway *GatewayPeer `json:"gateway,omitempty"`

	// pods are pods that handle no PHI of their own, such as a metrics scraper.
	// +optional
	Pods *PodPeer `json:"pods,omitempty"`

	// ipBlock is a range of addresses outside the cluster's pods.
	// +optional
	IPBlock *IPBlockPeer `json:"ipBlock,omitempty"`

	// ports names the ports of this workload that the caller may reach. Empty
	// means all of spec.ports.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=15
	Ports []string `json:"ports,omitempty"`
}

// EgressPeer is one destination: exactly one of phiWorkload, service, vendor,
// kubernetesAPI, pods or ipBlock.
//
// +kubebuilder:validation:XValidation:rule="[has(self.phiWorkload), has(self.service), has(self.vendor), has(self.kubernetesAPI), has(self.pods), has(self.ipBlock)].filter(x, x).size() == 1",message="name exactly one of phiWorkload, service, vendor, kubernetesAPI, pods, ipBlock"
// +kubebuilder:validation:XValidation:rule="!(has(self.pods) || has(self.ipBlock)) || (has(self.ports) && self.ports.size() > 0)",fieldPath=".ports",message="is required beside pods and ipBlock: nothing else tells which ports are meant"
// +kubebuilder:validation:XValidation:rule="!(has(self.phiWorkload) || has(self.service) || has(self.vendor) || has(self.kubernetesAPI)) || !has(self.ports)",fieldPath=".ports",message="belongs beside pods and ipBlock only: the other peers bring their ports"
type EgressPeer struct {
	// phiWorkload is a workload that handles PHI itself; its spec.ports are opened.
	// +optional
	PHIWorkload *PHIWorkloadPeer `json:"phiWorkload,omitempty"`

	// service is a Service outside the PHI workloads. It becomes its selector and
	// target ports; one without a selector is a finding.
	// +optional
	Service *ServicePeer `json:"service,omitempty"`

	// vendor is a third party that the privacy officer has declared as a Vendor. A new
	// one whose agreement does not cover the workload is refused. Its egress stays
	// closed, and condition FlowsResolved says so, until the cluster has a path for
	// vendors.
	// +optional
	Vendor *VendorPeer `json:"vendor,omitempty"`

	// kubernetesAPI is the API server of this cluster.
	// +optional
	KubernetesAPI *KubernetesAPIPeer `json:"kubernetesAPI,omitempty"`

	// pods are pods that handle no PHI of their own.
	// +optional
	Pods *PodPeer `json:"pods,omitempty"`

	// ipBlock is a range of addresses outside the cluster's pods.
	// +optional
	IPBlock *IPBlockPeer `json:"ipBlock,omitempty"`

	// ports are the destination's ports, beside pods and ipBlock.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Ports []PeerPort `json:"ports,omitempty"`
}

// PHIWorkloadPeer names a PHIWorkload.
type PHIWorkloadPeer struct {
	// name of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// namespace of the PHIWorkload. Empty means the namespace of this one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`
}

// GatewayPeer names an entry of the profile's network.gateways.
type GatewayPeer struct {
	// name of the gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// ServicePeer names a Service.
type ServicePeer struct {
	// name of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// namespace of the Service. Empty means the namespace of this workload.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`
}

// VendorPeer names a vendor.
type VendorPeer struct {
	// name of the vendor.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// KubernetesAPIPeer stands for the API server of this cluster.
type KubernetesAPIPeer struct{}

// PodPeer selects pods by their labels and those of their namespace.
type PodPeer struct {
	// namespaceSelector selects namespaces. Absent means the namespace of this
	// workload; empty means all namespaces.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// podSelector selects pods in them. Absent or empty means all of them.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// reason says why pods outside the PHI workloads take part.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// IPBlockPeer is a range of addresses.
type IPBlockPeer struct {
	// cidr is the range, IPv4 or IPv6. Where the profile declares
	// network.externalRanges it must lie inside them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="is not a CIDR such as 10.20.0.0/16 or 2001:db8::/64"
	CIDR string `json:"cidr,omitempty"`

	// except are ranges inside cidr that stay closed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="is not a CIDR"
	Except []string `json:"except,omitempty"`

	// reason says what is at those addresses and why it takes part.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// PeerPort is a destination port outside the PHI workloads.
type PeerPort struct {
	// port is the port number.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// protocol is the transport.
	// +optional
	// +default="TCP"
	Protocol TransportProtocol `json:"protocol,omitempty"`
}
