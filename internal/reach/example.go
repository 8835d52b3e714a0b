package reach

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Example is one connection, with a peer that may exist or not.
type Example struct {
	// Selected is the labels of a pod of the target that the policy selects; of a live one if there is any.
	Selected labels.Set
	// Namespace and Pod are the labels of the peer and of its namespace. Both are nil when the peer is an Address.
	Namespace, Pod labels.Set
	Address        netip.Addr
	// Protocol and Port are where the listening side listens; under OtherProtocols the port is 0. PortName is set when
	// the rule names the port and the number is only one that it may have.
	Protocol corev1.Protocol
	Port     int32
	PortName string
}

func exampleOf(s selection, o opening) *Example {
	e := &Example{Selected: s.sample, Protocol: laneProtocols[o.at.lane], PortName: o.at.name}
	if o.at.lane != others {
		e.Port = o.at.first
	}
	if len(o.stranger.addresses) > 0 {
		e.Address = o.stranger.addresses.sample()
		return e
	}
	e.Namespace, e.Pod = o.stranger.pods.sample(ofNamespace), o.stranger.pods.sample(ofPod)
	return e
}
