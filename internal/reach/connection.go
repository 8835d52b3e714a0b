package reach

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Verdict answers whether a connection may pass.
type Verdict string

// The verdicts. Unknown means that a fact is missing or that network plugins differ.
const (
	Reachable   Verdict = "Reachable"
	Unreachable Verdict = "Unreachable"
	Unknown     Verdict = "Unknown"
)

// Endpoint is one pod, or with an empty Namespace something outside the pod network.
type Endpoint struct {
	Namespace string
	Labels    labels.Set
	// Ports are the container ports, complete (see PortsOf); nil means they are not known.
	Ports []corev1.ContainerPort
	// Addresses are all of the endpoint's addresses; none means they are not known.
	Addresses []netip.Addr
}

// Connection is a connection to a port on which To listens. Services are not followed: To is the pod behind one.
type Connection struct {
	From, To Endpoint
	// Protocol is TCP, UDP or SCTP; empty means TCP. What policies do to others is undefined: they are Reachable where
	// nothing isolates or a rule without ports permits, else Unknown.
	Protocol corev1.Protocol
	Port     int32
}

// Passage is one side's answer.
type Passage struct {
	Verdict Verdict
	// Isolated names the policies that close this side, surely or perhaps, as namespace/name. None: it is open.
	Isolated []string
	// Permitted names the places that let the connection pass, surely or perhaps, as namespace/name path.
	Permitted []string
}

// Answer is what the policies of both sides make of a connection: it passes only if it may leave and may enter.
type Answer struct {
	Verdict         Verdict
	Egress, Ingress Passage
}

// Reach judges one connection. Outside endpoints have no policies.
func (w World) Reach(c Connection) Answer {
	a := Answer{
		Verdict: Reachable,
		Egress:  w.passage(Egress, c, c.From, c.To),
		Ingress: w.passage(Ingress, c, c.To, c.From),
	}
	switch {
	case a.Egress.Verdict == Unreachable || a.Ingress.Verdict == Unreachable:
		a.Verdict = Unreachable
	case a.Egress.Verdict == Unknown || a.Ingress.Verdict == Unknown:
		a.Verdict = Unknown
	}
	return a
}
