package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var publicExposure = controlOf("no-public-exposure")

func TestServicesExposeOnlyWhomTheCallersAreDeclaredFor(t *testing.T) {
	const undeclared = "lets callers from outside the cluster reach PHIWorkload api on TCP 8080, where its access.from declares no caller by address"
	const hidden = "spec.externalTrafficPolicy is not Local: nodes put their own address in place of the callers' whom PHIWorkload api declares, and a pod's own node passes every NetworkPolicy"
	of := func(kind corev1.ServiceType, change ...func(*corev1.ServiceSpec)) func(*corev1.ServiceSpec) {
		return func(spec *corev1.ServiceSpec) {
			spec.Type = kind
			for _, c := range change {
				c(spec)
			}
		}
	}
	local := func(spec *corev1.ServiceSpec) { spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }
	cluster := func(spec *corev1.ServiceSpec) {
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	}
	addresses := func(spec *corev1.ServiceSpec) { spec.ExternalIPs = []string{"203.0.113.9", "203.0.113.10"} }
	to := func(target intstr.IntOrString, protocol corev1.Protocol) func(*corev1.ServiceSpec) {
		return func(spec *corev1.ServiceSpec) {
			spec.Ports = append(spec.Ports, corev1.ServicePort{Port: 81, TargetPort: target, Protocol: protocol})
		}
	}
	byAddress := []hipaav1.AccessPeer{phitest.OnPorts(phitest.FromBlock("192.0.2.0/24"), "http")}
	const nodePort, balancer = corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer
	for name, tc := range map[string]struct {
		give func(*corev1.ServiceSpec)
		from []hipaav1.AccessPeer
		want []string
	}{
		"inside the cluster":  {give: of(corev1.ServiceTypeClusterIP)},
		"of no type, in file": {give: of("")},
		"a name elsewhere":    {give: of(corev1.ServiceTypeExternalName, addresses)},
		"without a selector":  {give: of(nodePort, func(spec *corev1.ServiceSpec) { spec.Selector = nil })},
		"a node port":         {give: of(nodePort), want: []string{"spec.type is NodePort and " + undeclared}},
		"a load balancer":     {give: of(balancer, local), want: []string{"spec.type is LoadBalancer and " + undeclared}},
		"addresses":           {give: of("", addresses), want: []string{"spec.externalIPs[0] " + undeclared}},
		"a load balancer on addresses of its own": {
			give: of(balancer, addresses),
			want: []string{"spec.type is LoadBalancer and " + undeclared, "spec.externalIPs[0] " + undeclared},
		},
		"a load balancer that filters, and opens no node ports": {
			give: of(balancer, func(spec *corev1.ServiceSpec) {
				spec.LoadBalancerSourceRanges, spec.AllocateLoadBalancerNodePorts = []string{"192.0.2.0/24"}, new(bool)
			}),
			want: []string{"spec.type is LoadBalancer and " + undeclared},
		},
		"callers that are pods": {
			give: of(nodePort, local), from: []hipaav1.AccessPeer{phitest.FromPods(nil, nil), phitest.FromGateway("ingress")},
			want: []string{"spec.type is NodePort and " + undeclared},
		},
		"callers by address, who cannot be told":        {give: of(nodePort, cluster), from: byAddress, want: []string{hidden}},
		"callers by address on addresses, as defaulted": {give: of("", addresses), from: byAddress, want: []string{hidden}},
		"callers by address, on a node port":            {give: of(nodePort, local), from: byAddress},
		"callers by address, on a load balancer":        {give: of(balancer, local), from: byAddress},
		"callers by address, on addresses":              {give: of("", addresses, local), from: byAddress},
		"a gateway of addresses":                        {give: of(nodePort, local), from: []hipaav1.AccessPeer{phitest.FromGateway("lb")}},
		"a range outside the profile's, which stays closed": {
			give: of(nodePort, local), from: []hipaav1.AccessPeer{phitest.FromBlock("203.0.113.0/24")},
			want: []string{"spec.type is NodePort and " + undeclared},
		},
		"a target port by the name that the workload declares": {
			give: of(nodePort, local, to(intstr.FromString("http"), "")), from: byAddress,
		},
		"target ports that nobody declares callers for": {
			give: of(nodePort, local, to(intstr.FromInt32(9090), ""), to(intstr.FromString("metrics"), ""), to(intstr.FromInt32(8080), corev1.ProtocolUDP)), from: byAddress,
			want: []string{`spec.type is NodePort and lets callers from outside the cluster reach PHIWorkload api on TCP 9090, TCP port "metrics", UDP 8080, ` +
				"where its access.from declares no caller by address"},
		},
		"headless, on addresses": {
			give: of("", addresses, local, func(spec *corev1.ServiceSpec) { spec.ClusterIP, spec.Ports = corev1.ClusterIPNone, nil }), from: byAddress,
			want: []string{"spec.externalIPs[0] lets callers from outside the cluster reach PHIWorkload api on no port in particular, where its access.from declares no caller by address"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			around := everything()
			around.workloads[0].Spec.Access.From = tc.from
			s := around.subject()
			s.Service = phitest.Service("api").Port("http", 80, intstr.FromInt32(8080)).Obj()
			tc.give(&s.Service.Spec)
			if diff := cmp.Diff(tc.want, sentences(publicExposure.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServicesExposeNobodyUnclaimed(t *testing.T) {
	exposing := func(change func(*corev1.ServiceSpec)) control.Subject {
		s := everything().subject()
		s.Workload = nil
		s.Service = phitest.Service("shop").Port("http", 80, intstr.FromInt32(8080)).Obj()
		change(&s.Service.Spec)
		return s
	}
	want := []string{
		"spec.type is LoadBalancer and lets callers from outside the cluster reach pods that no PHIWorkload claims",
		"spec.externalIPs[0] lets callers from outside the cluster reach pods that no PHIWorkload claims",
	}
	s := exposing(func(spec *corev1.ServiceSpec) {
		spec.Type, spec.ExternalIPs = corev1.ServiceTypeLoadBalancer, []string{"203.0.113.9"}
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	})
	if diff := cmp.Diff(want, sentences(publicExposure.Check(s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := sentences(publicExposure.Check(exposing(func(*corev1.ServiceSpec) {}))); len(got) > 0 {
		t.Errorf("inside the cluster: %q", got)
	}
}

func TestIngressesLeadOnlyToWhomAGatewayMayCall(t *testing.T) {
	ingress := phitest.Ingress("api", "api.example.org", "api").Obj()
	for name, tc := range map[string]struct {
		from []hipaav1.AccessPeer
		none bool
		want []string
	}{
		"a gateway is declared": {from: []hipaav1.AccessPeer{phitest.FromWorkload("portal"), phitest.FromGateway("ingress")}},
		"only workloads are": {
			from: []hipaav1.AccessPeer{phitest.FromWorkload("portal")},
			want: []string{"spec leads callers from outside the cluster to PHIWorkload api, whose access.from declares no gateway"},
		},
		"nobody is there": {none: true, want: []string{"spec leads callers from outside the cluster to pods that no PHIWorkload claims"}},
	} {
		t.Run(name, func(t *testing.T) {
			around := everything()
			around.workloads[0].Spec.Access.From = tc.from
			s := around.subject().Of(ingress)
			if tc.none {
				s.Workload = nil
			}
			if diff := cmp.Diff(tc.want, sentences(publicExposure.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatLeadsToAWorkloadIsCounted(t *testing.T) {
	s := everything().subject()
	s.World.Exposing = []*corev1.Service{
		phitest.Service("inside").Obj(), phitest.Service("outside").With(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }).Obj(),
	}
	s.World.Ingresses = append(s.World.Ingresses, phitest.Ingress("api", "api.example.org", "api").Obj())
	want := []string{"Pass: 1 Services, 1 Ingresses and 0 routes lead to it from outside the cluster"}
	if diff := cmp.Diff(want, sentences(publicExposure.Check(s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
