package reach

import (
	"cmp"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Why a Service cannot stand for pods and ports.
var (
	// ErrNoSelector: its endpoints are written by hand or it is a name elsewhere; declare addresses instead.
	ErrNoSelector = errors.New("it selects no pods")
	// ErrNoPorts: it is headless and names no port, so that any would do.
	ErrNoPorts = errors.New("it names no port")
)

// ServiceFlow turns a Service into the flow to the pods behind it: policies judge a connection after the Service's
// address has been translated, so only its selector and target ports count. Named target ports stay names: only the pods
// know their numbers.
//
// The error is ErrNoSelector or ErrNoPorts; only a change of the Service lifts it.
func ServiceFlow(service *corev1.Service) (Flow, error) {
	fail := func(err error) (Flow, error) {
		return Flow{}, fmt.Errorf("resolving service %s/%s: %w", service.Namespace, service.Name, err)
	}
	if len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
		return fail(ErrNoSelector)
	}
	if len(service.Spec.Ports) == 0 {
		return fail(ErrNoPorts)
	}
	f := Flow{Peer: PodPeer{
		Namespaces:  []string{service.Namespace},
		PodSelector: metav1.LabelSelector{MatchLabels: maps.Clone(service.Spec.Selector)},
	}}
	for _, p := range service.Spec.Ports {
		f.Ports = append(f.Ports, TargetPort(&p))
	}
	return f, nil
}

// TargetPort is where a port of a Service leads: a number, or a name that pods resolve.
func TargetPort(p *corev1.ServicePort) PortRange {
	protocol := cmp.Or(p.Protocol, corev1.ProtocolTCP)
	switch {
	case p.TargetPort.Type == intstr.Int:
		return PortRange{Protocol: protocol, First: cmp.Or(p.TargetPort.IntVal, p.Port)}
	case p.TargetPort.StrVal == "":
		return PortRange{Protocol: protocol, First: p.Port}
	default:
		return PortRange{Protocol: protocol, Name: p.TargetPort.StrVal}
	}
}
