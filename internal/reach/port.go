package reach

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

const (
	// AnyProtocol in a PortRange means every port of every protocol, as a rule without ports does.
	AnyProtocol corev1.Protocol = "*"
	// OtherProtocols in a PortRange means what is neither TCP nor UDP nor SCTP, such as ICMP; it has no ports.
	OtherProtocols corev1.Protocol = "other"
)

// PortRange is ports of one protocol on the listening side. One that makes no sense (a port outside 1-65535, an end
// before its start, an unknown protocol) is no port at all.
type PortRange struct {
	// Protocol is TCP, UDP, SCTP, AnyProtocol or OtherProtocols; empty means TCP, as in a NetworkPolicy.
	Protocol corev1.Protocol
	// First and Last bound the range, both included. Last 0 means First alone.
	First, Last int32
	// Name, when set, stands instead of numbers for the container port of that name, whichever number it has.
	Name string
}

// spans is what a declared range allows: nothing where it makes no sense.
func (r PortRange) spans() []span {
	if r.Protocol == AnyProtocol {
		return everySpan()
	}
	l, known := laneOf(r.Protocol)
	if !known {
		return nil
	}
	if l == others {
		return []span{wholeLane(others)}
	}
	if r.Name != "" {
		return []span{{lane: l, first: firstPort, last: lastPort, name: r.Name}}
	}
	last := cmp.Or(r.Last, r.First)
	if r.First < firstPort || last > lastPort || last < r.First {
		return nil
	}
	return []span{{lane: l, first: r.First, last: last}}
}

// portRanges writes spans as they would be declared.
func portRanges(s []span) []PortRange {
	if slices.Equal(s, everySpan()) {
		return []PortRange{{Protocol: AnyProtocol}}
	}
	ranges := make([]PortRange, 0, len(s))
	for _, p := range s {
		r := PortRange{Protocol: laneProtocols[p.lane]}
		switch {
		case p.name != "":
			r.Name = p.name
		case p.lane != others:
			r.First, r.Last = p.first, p.last
		}
		ranges = append(ranges, r)
	}
	return ranges
}
