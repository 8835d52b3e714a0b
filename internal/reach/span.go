package reach

import (
	"cmp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// lane is one of the protocols that a rule can tell apart.
type lane uint8

const (
	tcp lane = iota
	udp
	sctp
	others
	lanes // their number
)

const (
	firstPort int32 = 1
	lastPort  int32 = 65535
)

var laneProtocols = [lanes]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP, OtherProtocols}

func laneOf(p corev1.Protocol) (lane, bool) {
	if p == "" {
		return tcp, true
	}
	i := slices.Index(laneProtocols[:], p)
	return lane(max(i, 0)), i >= 0 //nolint:gosec // an index of a list of four
}

// span is a range of ports of one lane; with a name it is the port of that name, which may be any of them.
type span struct {
	lane        lane
	first, last int32
	name        string
}

func wholeLane(l lane) span { return span{lane: l, first: firstPort, last: lastPort} }

func everySpan() []span {
	return []span{wholeLane(tcp), wholeLane(udp), wholeLane(sctp), wholeLane(others)}
}

// ruleSpans is what the ports of a rule open, sorted and joined. What the API server would refuse is read as the most
// that it could mean.
func ruleSpans(ports []networkingv1.NetworkPolicyPort) []span {
	if len(ports) == 0 {
		return everySpan()
	}
	var s []span
	for _, p := range ports {
		s = append(s, portSpans(p)...)
	}
	return joined(s)
}

func portSpans(p networkingv1.NetworkPolicyPort) []span {
	protocol := corev1.ProtocolTCP
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	l, known := laneOf(protocol)
	switch {
	case !known || l == others:
		return everySpan()
	case p.Port == nil:
		return []span{wholeLane(l)}
	case p.Port.Type == intstr.Int:
		return []span{numericSpan(l, p)}
	case p.EndPort != nil || !isPortName(p.Port.StrVal):
		return []span{wholeLane(l)}
	}
	return []span{{lane: l, first: firstPort, last: lastPort, name: p.Port.StrVal}}
}

func numericSpan(l lane, p networkingv1.NetworkPolicyPort) span {
	first := p.Port.IntVal
	last := first
	if p.EndPort != nil {
		last = *p.EndPort
	}
	if first < firstPort || last > lastPort || last < first {
		return wholeLane(l)
	}
	return span{lane: l, first: first, last: last}
}

// isPortName refuses what is no name, and what Kubernetes takes for a name but a network plugin for a number: Cilium
// reads 0x50 as 80.
func isPortName(s string) bool {
	_, err := strconv.ParseInt(s, 0, 64)
	return err != nil && len(validation.IsValidPortName(s)) == 0
}

// joined sorts spans and merges those that touch; spans with a name stand alone, each once.
func joined(s []span) []span {
	slices.SortFunc(s, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.name, b.name),
			cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	kept := s[:0]
	for _, next := range s {
		if n := len(kept); n > 0 && kept[n-1].lane == next.lane && kept[n-1].name == next.name &&
			next.first <= kept[n-1].last+1 {
			kept[n-1].last = max(kept[n-1].last, next.last)
			continue
		}
		kept = append(kept, next)
	}
	return kept
}
