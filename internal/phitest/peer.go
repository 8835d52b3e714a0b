package phitest

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// reason is long enough for every field that asks for one.
const reason = "declared by a test, for the sake of the test"

// FromWorkload is a PHIWorkload of the same namespace that calls.
func FromWorkload(name string) hipaav1.AccessPeer {
	return hipaav1.AccessPeer{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: name}}
}

// FromGateway is a gateway of the profile that calls.
func FromGateway(name string) hipaav1.AccessPeer {
	return hipaav1.AccessPeer{Gateway: &hipaav1.GatewayPeer{Name: name}}
}

// FromPods are pods that call. A nil namespace selector means the workload's own
// namespace, a nil pod selector all pods.
func FromPods(namespaces, pods *metav1.LabelSelector) hipaav1.AccessPeer {
	return hipaav1.AccessPeer{Pods: &hipaav1.PodPeer{NamespaceSelector: namespaces, PodSelector: pods, Reason: reason}}
}

// FromBlock is a range of addresses that calls.
func FromBlock(cidr string, except ...string) hipaav1.AccessPeer {
	return hipaav1.AccessPeer{IPBlock: &hipaav1.IPBlockPeer{CIDR: cidr, Except: except, Reason: reason}}
}

// OnPorts narrows a caller to named ports.
func OnPorts(peer hipaav1.AccessPeer, names ...string) hipaav1.AccessPeer {
	peer.Ports = names
	return peer
}

// ToWorkload is a PHIWorkload of the same namespace that is called.
func ToWorkload(name string) hipaav1.EgressPeer {
	return hipaav1.EgressPeer{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: name}}
}

// ToService is a Service that is called; an empty namespace is the workload's.
func ToService(namespace, name string) hipaav1.EgressPeer {
	return hipaav1.EgressPeer{Service: &hipaav1.ServicePeer{Namespace: namespace, Name: name}}
}

// ToVendor is a third party that is called.
func ToVendor(name string) hipaav1.EgressPeer {
	return hipaav1.EgressPeer{Vendor: &hipaav1.VendorPeer{Name: name}}
}

// ToKubernetesAPI is the API server.
func ToKubernetesAPI() hipaav1.EgressPeer {
	return hipaav1.EgressPeer{KubernetesAPI: &hipaav1.KubernetesAPIPeer{}}
}

// ToPods are pods that are called over TCP.
func ToPods(namespaces, pods *metav1.LabelSelector, ports ...int32) hipaav1.EgressPeer {
	return hipaav1.EgressPeer{
		Pods:  &hipaav1.PodPeer{NamespaceSelector: namespaces, PodSelector: pods, Reason: reason},
		Ports: tcp(ports),
	}
}

// ToBlock is a range of addresses that is called over TCP.
func ToBlock(cidr string, ports ...int32) hipaav1.EgressPeer {
	return hipaav1.EgressPeer{
		IPBlock: &hipaav1.IPBlockPeer{CIDR: cidr, Reason: reason},
		Ports:   tcp(ports),
	}
}

func tcp(numbers []int32) []hipaav1.PeerPort {
	ports := make([]hipaav1.PeerPort, len(numbers))
	for i, n := range numbers {
		ports[i] = hipaav1.PeerPort{Port: n, Protocol: hipaav1.TransportTCP}
	}
	return ports
}
