package reach

import (
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// This file reads NetworkPolicy in the plainest way, from its documentation, for concrete ends and one port. It shares
// nothing with the product but types: selectors are judged by apimachinery, blocks by package net.

// end is one side of a concrete connection: a pod with its namespace's labels, or with no namespace an address.
type end struct {
	namespace       string
	namespaceLabels labels.Set
	pod             labels.Set
	ports           []corev1.ContainerPort
	address         netip.Addr
}

// knock is a concrete try to connect: peer is the other side, listener the one that has the port.
type knock struct {
	peer, listener end
	protocol       corev1.Protocol
	port           int32
}

// plugin is where network plugins may differ.
type plugin struct {
	blocksMatchPods bool // an ipBlock matches the address of a pod
	unlistedApply   bool // rules of a direction that policyTypes leaves out count, and isolate
}

func naiveSelects(s *metav1.LabelSelector, l labels.Set) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(l)
}

func naiveIsTarget(target Pods, l labels.Set) bool {
	return naiveSelects(&target.Selector, l) && !slices.ContainsFunc(target.Except, func(s metav1.LabelSelector) bool { return naiveSelects(&s, l) })
}

func naiveIsPeer(peer networkingv1.NetworkPolicyPeer, policyNamespace string, e end, how plugin) bool {
	if peer.IPBlock != nil {
		if e.namespace != "" && !how.blocksMatchPods {
			return false
		}
		return naiveInBlock(peer.IPBlock.CIDR, peer.IPBlock.Except, e.address)
	}
	if e.namespace == "" {
		return false
	}
	if peer.NamespaceSelector == nil {
		if e.namespace != policyNamespace {
			return false
		}
	} else if !naiveSelects(peer.NamespaceSelector, e.namespaceLabels) {
		return false
	}
	return peer.PodSelector == nil || naiveSelects(peer.PodSelector, e.pod)
}

func naiveInBlock(cidr string, except []string, a netip.Addr) bool {
	_, whole, err := net.ParseCIDR(cidr)
	if err != nil || !whole.Contains(a.AsSlice()) {
		return false
	}
	for _, text := range except {
		if _, hole, err := net.ParseCIDR(text); err == nil && hole.Contains(a.AsSlice()) {
			return false
		}
	}
	return true
}

func naiveIsPort(ports []networkingv1.NetworkPolicyPort, k knock) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if protocol != k.protocol {
			continue
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			if naiveHasName(k.listener.ports, p.Port.StrVal, k) {
				return true
			}
		case p.EndPort != nil:
			if p.Port.IntVal <= k.port && k.port <= *p.EndPort {
				return true
			}
		case p.Port.IntVal == k.port:
			return true
		}
	}
	return false
}

func naiveHasName(ports []corev1.ContainerPort, name string, k knock) bool {
	for _, p := range ports {
		protocol := p.Protocol
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		if p.Name == name && protocol == k.protocol && p.ContainerPort == k.port {
			return true
		}
	}
	return false
}

// naiveAffects is the defaulting of policyTypes.
func naiveAffects(spec networkingv1.NetworkPolicySpec, d Direction) bool {
	return slices.Contains(spec.PolicyTypes, d) ||
		len(spec.PolicyTypes) == 0 && (d == Ingress || len(spec.Egress) > 0)
}

type naiveRule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func naiveRules(spec networkingv1.NetworkPolicySpec, d Direction) []naiveRule {
	var rules []naiveRule
	if d == Ingress {
		for _, r := range spec.Ingress {
			rules = append(rules, naiveRule{r.From, r.Ports})
		}
		return rules
	}
	for _, r := range spec.Egress {
		rules = append(rules, naiveRule{r.To, r.Ports})
	}
	return rules
}

// naiveOpen tells whether the policies let a connection pass on one pod's side.
func naiveOpen(policies []networkingv1.NetworkPolicy, d Direction, at end, k knock, how plugin) bool {
	isolated := false
	for _, p := range policies {
		if p.Namespace != at.namespace || !naiveSelects(&p.Spec.PodSelector, at.pod) {
			continue
		}
		rules := naiveRules(p.Spec, d)
		if !naiveAffects(p.Spec, d) && !(how.unlistedApply && len(rules) > 0) {
			continue
		}
		isolated = true
		for _, r := range rules {
			if !naiveIsPort(r.ports, k) {
				continue
			}
			if len(r.peers) == 0 {
				return true
			}
			for _, peer := range r.peers {
				if naiveIsPeer(peer, p.Namespace, k.peer, how) {
					return true
				}
			}
		}
	}
	return !isolated
}

// naiveDeclared tells whether a flow declares a connection. A declared block stands for addresses, never for pods.
func naiveDeclared(flows []Flow, k knock) bool {
	for _, f := range flows {
		if !naiveDeclaredPeer(f.Peer, k.peer) {
			continue
		}
		for _, r := range f.Ports {
			if naiveDeclaredPort(r, k) {
				return true
			}
		}
	}
	return false
}

func naiveDeclaredPeer(p Peer, e end) bool {
	switch p := p.(type) {
	case Anyone:
		return true
	case Block:
		return e.namespace == "" && naiveDeclaredBlock(p, e.address)
	case PodPeer:
		return e.namespace != "" && naiveDeclaredPod(p, e)
	}
	return false
}

func naiveDeclaredBlock(b Block, a netip.Addr) bool {
	for _, hole := range b.Except {
		if hole.Contains(a) {
			return false
		}
	}
	return b.CIDR.Contains(a)
}

func naiveDeclaredPod(p PodPeer, e end) bool {
	if len(p.Namespaces) == 0 && p.NamespaceSelector == nil {
		return false
	}
	if len(p.Namespaces) > 0 && !slices.Contains(p.Namespaces, e.namespace) {
		return false
	}
	if p.NamespaceSelector != nil && !naiveSelects(p.NamespaceSelector, e.namespaceLabels) {
		return false
	}
	return naiveSelects(&p.PodSelector, e.pod)
}

func naiveDeclaredPort(r PortRange, k knock) bool {
	if r.Protocol == AnyProtocol {
		return true
	}
	protocol := r.Protocol
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	if protocol != k.protocol {
		return false
	}
	if protocol == OtherProtocols {
		return true
	}
	if r.Name != "" {
		return naiveHasName(k.listener.ports, r.Name, k)
	}
	last := r.Last
	if last == 0 {
		last = r.First
	}
	return r.First <= k.port && k.port <= last
}
