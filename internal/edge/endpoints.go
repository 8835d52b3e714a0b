package edge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const (
	// maxWays bounds what one object lets the operator dial. An object that has more is
	// not dialled at all: part of it would show nothing of the rest.
	maxWays = 64
	// anyName stands for the names that a wildcard covers.
	anyName = "hipaa-operator"

	portHTTP  = 80
	portHTTPS = 443
)

// Way is a way in from outside the cluster.
type Way struct {
	// Path is what in the object leads there, such as "spec.rules[0].host".
	Path string
	control.Endpoint
}

// IngressWays lists where callers of an Ingress are let in: each of its hosts at each
// address that its status states. The names that people wrote are asked for there and
// never resolved, so that nobody points the operator at an address by writing one.
func IngressWays(ingress *networkingv1.Ingress, ask control.Ask) []Way {
	port := int32(portHTTPS)
	if ask == control.AskPlaintext {
		port = portHTTP
	}
	var ways []Way
	for _, at := range ingress.Status.LoadBalancer.Ingress {
		add := func(path, host string) {
			ways = append(ways, Way{path, control.Endpoint{Ask: ask, Address: cmp.Or(at.IP, at.Hostname), Port: port, Host: host}})
		}
		for i := range ingress.Spec.Rules {
			host := ingress.Spec.Rules[i].Host
			if rest, wildcard := strings.CutPrefix(host, "*."); wildcard {
				host = anyName + "." + rest
			}
			add(fmt.Sprintf("spec.rules[%d].host", i), host)
		}
		if ingress.Spec.DefaultBackend != nil {
			add("spec.defaultBackend", "")
		}
	}
	return bounded(ways)
}

// BalancerWays lists where callers of a Service of type LoadBalancer are let in: each of
// its TCP ports at each address that its status states.
func BalancerWays(service *corev1.Service, ask control.Ask) []Way {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	var ways []Way
	for _, at := range service.Status.LoadBalancer.Ingress {
		for i, port := range service.Spec.Ports {
			if isTCP(port) {
				ways = append(ways, Way{fmt.Sprintf("spec.ports[%d]", i), control.Endpoint{Ask: ask, Address: cmp.Or(at.IP, at.Hostname), Port: port.Port}})
			}
		}
	}
	return bounded(ways)
}

// AllTCP reports whether dialling can show all that a Service lets in.
func AllTCP(service *corev1.Service) bool {
	return !slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return !isTCP(port) })
}

func isTCP(port corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}

// bounded is each endpoint once; none where there are too many, or one has no address.
func bounded(ways []Way) []Way {
	var each []Way
	for _, w := range ways {
		if w.Address == "" {
			return nil
		}
		if !slices.ContainsFunc(each, func(other Way) bool { return other.Endpoint == w.Endpoint }) {
			each = append(each, w)
		}
		if len(each) > maxWays {
			return nil
		}
	}
	return each
}
