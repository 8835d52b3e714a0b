package phitest

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// PolicyBuilder builds a NetworkPolicy.
type PolicyBuilder struct{ policy networkingv1.NetworkPolicy }

// Policy selects every pod of the namespace and closes both directions.
func Policy(name string) *PolicyBuilder {
	return &PolicyBuilder{networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}}
}

// Namespace moves it to another namespace.
func (b *PolicyBuilder) Namespace(name string) *PolicyBuilder {
	b.policy.Namespace = name
	return b
}

// Selecting narrows it to pods with these labels.
func (b *PolicyBuilder) Selecting(keysAndValues ...string) *PolicyBuilder {
	b.policy.Spec.PodSelector = *Labels(keysAndValues...)
	return b
}

// Ingress adds a rule. A nil peer is anyone, no ports are all ports.
func (b *PolicyBuilder) Ingress(from *networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort) *PolicyBuilder {
	rule := networkingv1.NetworkPolicyIngressRule{Ports: ports}
	if from != nil {
		rule.From = []networkingv1.NetworkPolicyPeer{*from}
	}
	b.policy.Spec.Ingress = append(b.policy.Spec.Ingress, rule)
	return b
}

// Egress adds a rule. A nil peer is anyone, no ports are all ports.
func (b *PolicyBuilder) Egress(to *networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort) *PolicyBuilder {
	rule := networkingv1.NetworkPolicyEgressRule{Ports: ports}
	if to != nil {
		rule.To = []networkingv1.NetworkPolicyPeer{*to}
	}
	b.policy.Spec.Egress = append(b.policy.Spec.Egress, rule)
	return b
}

// With applies any other change.
func (b *PolicyBuilder) With(change func(*networkingv1.NetworkPolicy)) *PolicyBuilder {
	change(&b.policy)
	return b
}

// Obj returns the object.
func (b *PolicyBuilder) Obj() *networkingv1.NetworkPolicy { return b.policy.DeepCopy() }

// Peer is pods of namespaces; nil leaves a selector out.
func Peer(namespaces, pods *metav1.LabelSelector) *networkingv1.NetworkPolicyPeer {
	return &networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaces, PodSelector: pods}
}

// Block is a range of addresses.
func Block(cidr string, except ...string) *networkingv1.NetworkPolicyPeer {
	return &networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

// TCP is a port.
func TCP(number int32) networkingv1.NetworkPolicyPort { return port(corev1.ProtocolTCP, number) }

// UDP is a port.
func UDP(number int32) networkingv1.NetworkPolicyPort { return port(corev1.ProtocolUDP, number) }

func port(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: ptr.To(intstr.FromInt32(number))}
}

// ServiceBuilder builds a Service.
type ServiceBuilder struct{ service corev1.Service }

// Service leads to pods with the label app=name. It has no ports.
func Service(name string) *ServiceBuilder {
	return &ServiceBuilder{corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}},
	}}
}

// Namespace moves it to another namespace.
func (b *ServiceBuilder) Namespace(name string) *ServiceBuilder {
	b.service.Namespace = name
	return b
}

// Label adds a label.
func (b *ServiceBuilder) Label(key, value string) *ServiceBuilder {
	b.service.Labels = merged(b.service.Labels, map[string]string{key: value})
	return b
}

// Selecting replaces the selector; nothing takes it away.
func (b *ServiceBuilder) Selecting(keysAndValues ...string) *ServiceBuilder {
	b.service.Spec.Selector = pairs(keysAndValues)
	if len(keysAndValues) == 0 {
		b.service.Spec.Selector = nil
	}
	return b
}

// With applies any other change.
func (b *ServiceBuilder) With(change func(*corev1.Service)) *ServiceBuilder {
	change(&b.service)
	return b
}

// Port adds a TCP port that leads to a target port.
func (b *ServiceBuilder) Port(name string, number int32, target intstr.IntOrString) *ServiceBuilder {
	b.service.Spec.Ports = append(b.service.Spec.Ports, corev1.ServicePort{
		Name: name, Port: number, Protocol: corev1.ProtocolTCP, TargetPort: target,
	})
	return b
}

// Obj returns the object.
func (b *ServiceBuilder) Obj() *corev1.Service { return b.service.DeepCopy() }

// SliceBuilder builds an EndpointSlice.
type SliceBuilder struct{ slice discoveryv1.EndpointSlice }

// Slice is written by hand for a Service and lists IPv4 addresses.
func Slice(name, service string, addresses ...string) *SliceBuilder {
	b := &SliceBuilder{discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: DefaultNamespace,
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}}
	for _, address := range addresses {
		b.slice.Endpoints = append(b.slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	return b
}

// Port adds a TCP port.
func (b *SliceBuilder) Port(name string, number int32) *SliceBuilder {
	b.slice.Ports = append(b.slice.Ports, discoveryv1.EndpointPort{
		Name: &name, Port: &number, Protocol: ptr.To(corev1.ProtocolTCP),
	})
	return b
}

// Obj returns the object.
func (b *SliceBuilder) Obj() *discoveryv1.EndpointSlice { return b.slice.DeepCopy() }
