package reach

import networkingv1 "k8s.io/api/networking/v1"

// Direction is the side of the target's pods on which a flow arrives or leaves; its values are those of policyTypes.
type Direction = networkingv1.PolicyType

// The two directions.
const (
	Ingress Direction = networkingv1.PolicyTypeIngress
	Egress  Direction = networkingv1.PolicyTypeEgress
)

// Flow is one declared way: this peer, on these ports of whichever side listens. No ports allow nothing; every port
// must be said: PortRange{Protocol: AnyProtocol}.
type Flow struct {
	Peer  Peer
	Ports []PortRange
}

// Allowed is everything that is declared for a set of pods: who may connect to them, and whither they may connect.
// The zero value allows nothing.
type Allowed struct {
	Ingress, Egress []Flow
}
