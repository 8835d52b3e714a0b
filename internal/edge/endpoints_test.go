package edge_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func phrases(ways []edge.Way) []string {
	var said []string
	for _, w := range ways {
		said = append(said, fmt.Sprintf("%s %s:%d %s", w.Path, w.Address, w.Port, w.Host))
	}
	return said
}

func TestAnIngressLetsInAtTheAddressesOfItsStatus(t *testing.T) {
	at := func(addresses ...networkingv1.IngressLoadBalancerIngress) func(*networkingv1.Ingress) {
		return func(i *networkingv1.Ingress) { i.Status.LoadBalancer.Ingress = addresses }
	}
	ip, name := networkingv1.IngressLoadBalancerIngress{IP: "198.51.100.80"}, networkingv1.IngressLoadBalancerIngress{Hostname: "elb.example.com"}
	hosts := func(hosts ...string) func(*networkingv1.Ingress) {
		return func(i *networkingv1.Ingress) {
			i.Spec.Rules = nil
			for _, host := range hosts {
				i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{Host: host})
			}
		}
	}
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("h%d.example.org", i)
	}
	for name, tc := range map[string]struct {
		give []func(*networkingv1.Ingress)
		want []string
	}{
		"none yet": {nil, nil},
		"one":      {[]func(*networkingv1.Ingress){at(ip)}, []string{"spec.rules[0].host 198.51.100.80:443 a.example.org"}},
		"each host at each address": {[]func(*networkingv1.Ingress){at(ip, name), hosts("a.org", "b.org")}, []string{
			"spec.rules[0].host 198.51.100.80:443 a.org", "spec.rules[1].host 198.51.100.80:443 b.org",
			"spec.rules[0].host elb.example.com:443 a.org", "spec.rules[1].host elb.example.com:443 b.org",
		}},
		"a host twice":                  {[]func(*networkingv1.Ingress){at(ip), hosts("a.org", "a.org")}, []string{"spec.rules[0].host 198.51.100.80:443 a.org"}},
		"a wildcard":                    {[]func(*networkingv1.Ingress){at(ip), hosts("*.a.org")}, []string{"spec.rules[0].host 198.51.100.80:443 hipaa-operator.a.org"}},
		"whatever host":                 {[]func(*networkingv1.Ingress){at(ip), hosts("")}, []string{"spec.rules[0].host 198.51.100.80:443 "}},
		"a default":                     {[]func(*networkingv1.Ingress){at(ip), hosts(), func(i *networkingv1.Ingress) { i.Spec.DefaultBackend = &networkingv1.IngressBackend{} }}, []string{"spec.defaultBackend 198.51.100.80:443 "}},
		"an address that is none":       {[]func(*networkingv1.Ingress){at(ip, networkingv1.IngressLoadBalancerIngress{})}, nil},
		"more hosts than anybody dials": {[]func(*networkingv1.Ingress){at(ip), hosts(many...)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ingress := phitest.Ingress("i", "a.example.org", "s")
			for _, change := range tc.give {
				ingress.With(change)
			}
			if diff := cmp.Diff(tc.want, phrases(edge.IngressWays(ingress.Obj(), control.AskTLS))); diff != "" {
				t.Errorf("ways (-want +got):\n%s", diff)
			}
			for _, way := range edge.IngressWays(ingress.Obj(), control.AskPlaintext) {
				if way.Port != 80 || way.Ask != control.AskPlaintext {
					t.Errorf("plaintext is asked of %+v", way)
				}
			}
		})
	}
}

func TestALoadBalancerLetsInAtItsPortsOfTCP(t *testing.T) {
	service := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{
		{Port: 443}, {Port: 443, Protocol: corev1.ProtocolUDP}, {Port: 2575, Protocol: corev1.ProtocolTCP},
	}}}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.80", Hostname: "ignored.example.org"}}
	want := []string{"spec.ports[0] 198.51.100.80:443 ", "spec.ports[2] 198.51.100.80:2575 "}
	if diff := cmp.Diff(want, phrases(edge.BalancerWays(service, control.AskTLS))); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
	if edge.AllTCP(service) {
		t.Error("its port of UDP is taken for TCP")
	}
	service.Spec.Ports = service.Spec.Ports[:1]
	if !edge.AllTCP(service) {
		t.Error("its port of TCP is taken for UDP")
	}
	service.Spec.Type = corev1.ServiceTypeNodePort
	if ways := edge.BalancerWays(service, control.AskTLS); ways != nil {
		t.Errorf("a NodePort lets in at %v", ways)
	}
}
