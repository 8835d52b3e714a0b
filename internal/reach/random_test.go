package reach

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// dice makes small random worlds in which selectors, blocks and ports meet often.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 7))} }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

var (
	namespaceNames = []string{"ehr", "lab", "web"}
	podKeys        = []string{"app", "tier"}
	values         = []string{"a", "b"}
	blocks         = []string{"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "::/0", "2001:db8::/32"}
	addresses      = []string{"10.0.0.1", "10.1.2.3", "10.200.0.1", "9.9.9.9", "198.51.100.7", "2001:db8::7", "2001:db9::7"}
	portNumbers    = []int32{1, 79, 80, 81, 443, 5432, 65535}
	protocols      = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
)

func (d dice) selector(keys ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	for _, key := range keys {
		switch d.IntN(8) {
		case 0, 1:
			s.MatchLabels = labels.Merge(s.MatchLabels, labels.Set{key: pick(d, values...)})
		case 2:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn,
				Values: pick(d, []string{"a"}, []string{"b"}, []string{"b", "a"}, []string{"a", "c"})})
		case 3:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpNotIn,
				Values: pick(d, []string{"a"}, []string{"b"}, []string{"b", "a"})})
		case 4:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key,
				Operator: pick(d, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)})
		}
	}
	return s
}

func (d dice) namespaceSelector() *metav1.LabelSelector {
	s := d.selector("team")
	switch d.IntN(4) {
	case 0:
		s.MatchLabels = labels.Merge(s.MatchLabels, labels.Set{corev1.LabelMetadataName: pick(d, namespaceNames...)})
	case 1:
		s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: corev1.LabelMetadataName, Operator: pick(d, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn),
			Values: pick(d, namespaceNames[:2], namespaceNames[1:]),
		})
	}
	return s
}

func (d dice) peer() networkingv1.NetworkPolicyPeer {
	switch d.IntN(4) {
	case 0:
		b := &networkingv1.IPBlock{CIDR: pick(d, blocks...)}
		if d.chance(40) {
			b.Except = []string{pick(d, blocks...)}
		}
		return networkingv1.NetworkPolicyPeer{IPBlock: b}
	case 1:
		return networkingv1.NetworkPolicyPeer{PodSelector: d.selector(podKeys...)}
	case 2:
		return networkingv1.NetworkPolicyPeer{NamespaceSelector: d.namespaceSelector()}
	}
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: d.namespaceSelector(), PodSelector: d.selector(podKeys...)}
}

func (d dice) port() networkingv1.NetworkPolicyPort {
	var p networkingv1.NetworkPolicyPort
	if d.chance(60) {
		protocol := pick(d, protocols...)
		p.Protocol = &protocol
	}
	switch d.IntN(6) {
	case 0:
	case 1:
		name := intstr.FromString(pick(d, "http", "pg"))
		p.Port = &name
	case 2, 3:
		first, last := pick(d, portNumbers...), pick(d, portNumbers...)
		number, end := intstr.FromInt32(min(first, last)), max(first, last)
		p.Port, p.EndPort = &number, &end
	default:
		number := intstr.FromInt32(pick(d, portNumbers...))
		p.Port = &number
	}
	return p
}

func times[T any](d dice, most int, roll func() T) []T {
	var made []T
	for range d.IntN(most + 1) {
		made = append(made, roll())
	}
	return made
}

func (d dice) policy(namespace, name string) networkingv1.NetworkPolicy {
	p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.PodSelector = *d.selector(podKeys...)
	p.Spec.PolicyTypes = pick(d, nil, []networkingv1.PolicyType{Ingress}, []networkingv1.PolicyType{Egress}, []networkingv1.PolicyType{Egress, Ingress})
	p.Spec.Ingress = times(d, 2, func() networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{From: times(d, 2, d.peer), Ports: times(d, 2, d.port)}
	})
	p.Spec.Egress = times(d, 2, func() networkingv1.NetworkPolicyEgressRule {
		return networkingv1.NetworkPolicyEgressRule{To: times(d, 2, d.peer), Ports: times(d, 2, d.port)}
	})
	return p
}

// declared takes a peer of a policy as a declaration: now and then the very one that the policy names.
func (d dice) declaredPeer(in string) Peer {
	if d.chance(10) {
		return Anyone{}
	}
	p := d.peer()
	if p.IPBlock == nil {
		return podPeerOf(p, in)
	}
	b := Block{CIDR: netip.MustParsePrefix(p.IPBlock.CIDR)}
	for _, text := range p.IPBlock.Except {
		b.Except = append(b.Except, netip.MustParsePrefix(text))
	}
	return b
}

func (d dice) flow(in string) Flow {
	f := Flow{Peer: d.declaredPeer(in)}
	for range 1 + d.IntN(2) {
		first, last := pick(d, portNumbers...), pick(d, portNumbers...)
		protocol := pick(d, protocols...)
		f.Ports = append(f.Ports, pick(d,
			PortRange{Protocol: AnyProtocol},
			PortRange{Protocol: OtherProtocols},
			PortRange{Protocol: protocol, First: 1, Last: 65535},
			PortRange{Protocol: protocol, First: min(first, last), Last: max(first, last)},
			PortRange{Protocol: protocol, First: first},
			PortRange{Protocol: protocol, Name: "http"},
		))
	}
	return f
}

// write states flows as a policy, in one of the forms that a user might choose, and rather a narrower one.
func (d dice) write(name string, target Pods, a Allowed) networkingv1.NetworkPolicy {
	p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: target.Namespace, Name: name}}
	p.Spec.PodSelector = target.Selector
	for _, f := range a.Ingress {
		if peers, ok := d.writePeer(f.Peer); ok && d.chance(70) {
			p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers, Ports: d.writePorts(f.Ports)})
		}
	}
	for _, f := range a.Egress {
		if peers, ok := d.writePeer(f.Peer); ok && d.chance(70) {
			p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peers, Ports: d.writePorts(f.Ports)})
		}
	}
	return p
}

func (d dice) writePeer(p Peer) ([]networkingv1.NetworkPolicyPeer, bool) {
	switch p := p.(type) {
	case Block:
		if !p.CIDR.IsValid() {
			return nil, false
		}
		b := &networkingv1.IPBlock{CIDR: p.CIDR.String()}
		for _, hole := range p.Except {
			b.Except = append(b.Except, hole.String())
		}
		return []networkingv1.NetworkPolicyPeer{{IPBlock: b}}, true
	case PodPeer:
		namespaces := p.NamespaceSelector.DeepCopy()
		if namespaces == nil {
			namespaces = &metav1.LabelSelector{}
		}
		if len(p.Namespaces) > 0 {
			namespaces.MatchExpressions = append(namespaces.MatchExpressions, metav1.LabelSelectorRequirement{
				Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: p.Namespaces})
		}
		pods := p.PodSelector.DeepCopy()
		if d.chance(30) {
			pods.MatchExpressions = append(pods.MatchExpressions, metav1.LabelSelectorRequirement{Key: "more", Operator: metav1.LabelSelectorOpExists})
		}
		return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaces, PodSelector: pods}}, true
	}
	return nil, true
}

func (d dice) writePorts(ranges []PortRange) []networkingv1.NetworkPolicyPort {
	var ports []networkingv1.NetworkPolicyPort
	for _, r := range ranges {
		if r.Protocol == AnyProtocol {
			return nil
		}
		if r.Protocol == OtherProtocols {
			continue
		}
		p := networkingv1.NetworkPolicyPort{Protocol: &r.Protocol}
		if r.Name != "" {
			name := intstr.FromString(r.Name)
			p.Port = &name
		} else {
			first, last := r.First, max(r.Last, r.First)
			if d.chance(30) {
				last = first
			}
			number := intstr.FromInt32(first)
			p.Port, p.EndPort = &number, &last
		}
		ports = append(ports, p)
	}
	if ports == nil { // nothing that a policy can say; a port that every list of this kind includes
		number, protocol := intstr.FromInt32(9), corev1.ProtocolSCTP
		ports = []networkingv1.NetworkPolicyPort{{Protocol: &protocol, Port: &number}}
	}
	return ports
}

// everyPeer enumerates pods over all labels that selectors can tell apart, in known namespaces and a strange one, and
// the addresses. Namespaces whose labels are known have these.
func everyPeer(known map[string]labels.Set, ports []corev1.ContainerPort) []end {
	var peers []end
	for _, namespace := range append([]string{"strange"}, namespaceNames...) {
		for _, team := range []string{"", "a", "b", "c", "strange"} {
			in := with(labels.Set{corev1.LabelMetadataName: namespace}, "team", team)
			if l, told := known[namespace]; told && l["team"] != team {
				continue
			}
			for _, app := range []string{"", "a", "b", "c", "strange"} {
				for _, tier := range []string{"", "a", "b", "c", "strange"} {
					for _, more := range []string{"", "a"} {
						pod := with(with(with(labels.Set{}, "app", app), "tier", tier), "more", more)
						peers = append(peers, end{namespace: namespace, namespaceLabels: in, pod: pod, ports: ports})
					}
				}
			}
		}
	}
	for _, a := range addresses {
		peers = append(peers, end{address: netip.MustParseAddr(a)})
	}
	return peers
}

// everyPodLabels are the labels of pods that selectors can tell apart.
func everyPodLabels() []labels.Set {
	var pods []labels.Set
	for _, e := range everyPeer(nil, nil) {
		if e.namespace == "ehr" && e.namespaceLabels["team"] == "" {
			pods = append(pods, e.pod)
		}
	}
	return pods
}

func with(l labels.Set, key, value string) labels.Set {
	if value == "" {
		return l
	}
	return labels.Merge(l, labels.Set{key: value})
}

func (e end) String() string {
	if e.namespace == "" {
		return e.address.String()
	}
	return fmt.Sprintf("pod %v in %v with ports %v", e.pod, e.namespaceLabels, e.ports)
}
