package reach

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// truth is an answer that may be missing. Its order makes min an "and", max an "or".
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

func surely(b bool) truth {
	if b {
		return yes
	}
	return no
}

// isPeer tells whether the endpoint is meant by a place of a policy in the given namespace.
func (w World) isPeer(e Endpoint, p place, namespace string) truth {
	if p.peer < 0 {
		return yes
	}
	peer := p.rule.peers[p.peer]
	selector := peer.PodSelector != nil || peer.NamespaceSelector != nil
	switch {
	case selector == (peer.IPBlock != nil): // neither or both, which the API server refuses
		return maybe
	case selector:
		return w.isSelected(e, podPeerOf(peer, namespace))
	}
	return inBlock(e, peer.IPBlock)
}

func (w World) isSelected(e Endpoint, p PodPeer) truth {
	if e.Namespace == "" {
		return no
	}
	c, ok := p.crowd()
	if !ok {
		return maybe
	}
	b := c.pods[0]
	if !b.matches(ofPod, e.Labels) {
		return no
	}
	if l, known := w.labelsOf(e.Namespace); known {
		return surely(b.matches(ofNamespace, l))
	}
	b = b.onlyOf(ofNamespace)
	named := everyPod().with(namespaceName, oneOf(e.Namespace))
	switch {
	case named.implies(b):
		return yes
	case named.disjoint(b):
		return no
	}
	return maybe
}

// onlyOf forgets the constraints on other labels.
func (b box) onlyOf(s scope) box {
	var kept box
	for _, c := range b {
		if c.key.scope == s {
			kept = append(kept, c)
		}
	}
	return kept
}

// inBlock never answers yes for a pod: whether an ipBlock matches the address of a pod differs between plugins.
func inBlock(e Endpoint, block *networkingv1.IPBlock) truth {
	cidr, ok := parseCIDR(block.CIDR)
	if !ok || len(e.Addresses) == 0 {
		return maybe
	}
	b := Block{CIDR: cidr}
	doubt := yes
	for _, text := range block.Except {
		hole, ok := parseCIDR(text)
		if !ok {
			doubt = maybe
			continue
		}
		b.Except = append(b.Except, hole)
	}
	addresses := addressesOf(b.CIDR, b.Except)
	inside := 0
	for _, a := range e.Addresses {
		if addresses.has(a) {
			inside++
		}
	}
	switch {
	case inside == 0:
		return no
	case inside < len(e.Addresses) || e.Namespace != "":
		return maybe
	}
	return doubt
}

// portsAre tells whether the ports of a rule hold the port of a connection.
func portsAre(ports []networkingv1.NetworkPolicyPort, c Connection) truth {
	if len(ports) == 0 {
		return yes
	}
	on, known := laneOf(c.Protocol)
	if !known || on == others {
		return no
	}
	answer := no
	for _, p := range ports {
		answer = max(answer, portIs(p, on, c))
	}
	return answer
}

func portIs(p networkingv1.NetworkPolicyPort, on lane, c Connection) truth {
	protocol := corev1.ProtocolTCP
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	l, known := laneOf(protocol)
	switch {
	case !known || l == others:
		return maybe
	case l != on:
		return no
	case p.Port == nil && p.EndPort == nil:
		return yes
	case p.Port == nil:
		return maybe
	case p.Port.Type == intstr.Int:
		return numberIs(p, c.Port)
	case p.EndPort != nil || !isPortName(p.Port.StrVal) || c.To.Ports == nil:
		return maybe
	}
	var names portNames
	names.add(c.To.Ports)
	return surely(slices.Contains(names.numbers[namedPort{l, p.Port.StrVal}], c.Port))
}

func numberIs(p networkingv1.NetworkPolicyPort, port int32) truth {
	first := p.Port.IntVal
	last := first
	if p.EndPort != nil {
		last = *p.EndPort
	}
	if first < firstPort || last > lastPort || last < first {
		return maybe
	}
	return surely(first <= port && port <= last)
}
