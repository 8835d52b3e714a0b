package flows

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// ownPorts are the numbers of the workload's own ports of these names; no names
// are all of them.
func (d declaration) ownPorts(names []string) (ports []reach.PortRange, unknown []string) {
	if len(names) == 0 {
		return portsOf(d.workload), nil
	}
	for _, name := range names {
		i := slices.IndexFunc(d.workload.Spec.Ports, func(p hipaav1.WorkloadPort) bool { return p.Name == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		ports = appendListeners(ports, d.workload, d.workload.Spec.Ports[i].Port)
	}
	return ports, unknown
}

func portsOf(w *hipaav1.PHIWorkload) []reach.PortRange {
	var ports []reach.PortRange
	for _, p := range w.Spec.Ports {
		ports = appendListeners(ports, w, p.Port)
	}
	return ports
}

// appendListeners adds where a workload is called at a port that it declares.
func appendListeners(ports []reach.PortRange, w *hipaav1.PHIWorkload, number int32) []reach.PortRange {
	for _, listener := range control.Listeners(w, number) {
		ports = appendPort(ports, corev1.ProtocolTCP, listener)
	}
	return ports
}

// appendPort adds a port that makes sense and is not there yet.
func appendPort(ports []reach.PortRange, protocol corev1.Protocol, number int32) []reach.PortRange {
	port := reach.PortRange{Protocol: protocol, First: number}
	if number < 1 || number > 65535 || slices.Contains(ports, port) {
		return ports
	}
	return append(ports, port)
}

// transport is the protocol of a port outside the PHI workloads.
func transport(p hipaav1.TransportProtocol) corev1.Protocol {
	switch p {
	case hipaav1.TransportUDP:
		return corev1.ProtocolUDP
	case hipaav1.TransportSCTP:
		return corev1.ProtocolSCTP
	default:
		return corev1.ProtocolTCP
	}
}
