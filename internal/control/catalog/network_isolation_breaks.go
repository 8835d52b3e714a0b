package catalog

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var isolationBreaks = control.Breaks{
	"a policy that lets anyone in": rules(func(p *networkingv1.NetworkPolicySpec) {
		p.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	}),
	"a policy that lets pods out to anywhere": rules(func(p *networkingv1.NetworkPolicySpec) {
		p.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
	}),
	"a policy that lets every namespace in": rules(func(p *networkingv1.NetworkPolicySpec) {
		p.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}}
	}),
	"a policy that lets pods out to the internet": rules(func(p *networkingv1.NetworkPolicySpec) {
		https := intstr.FromInt32(443)
		p.Egress = []networkingv1.NetworkPolicyEgressRule{{
			To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}},
			Ports: []networkingv1.NetworkPolicyPort{{Port: &https}},
		}}
	}),
	"a policy that opens pods with a further label": rules(func(p *networkingv1.NetworkPolicySpec) {
		p.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"debug": "true"}}
		p.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	}),
	"a policy that opens pods that no PHIWorkload claims": {Kind: control.Policies, Apply: func(s *control.Subject) {
		s.Workload = nil
		s.Policy.Spec.PodSelector = metav1.LabelSelector{MatchLabels: unclaimed}
	}},
	"an endpoint that nobody declared": {Kind: control.Slices, Apply: func(s *control.Subject) {
		s.Slice.Endpoints = append(s.Slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.9.8.7"}})
	}},
	"a namespace without default deny": live(func(s *control.Subject) {
		kept := s.World.Policies[:0:0]
		for _, policy := range s.World.Policies {
			if policy.Name != defaultDenyName {
				kept = append(kept, policy)
			}
		}
		s.World.Policies = kept
	}),
	"a network plugin that drops nothing": live(func(s *control.Subject) {
		s.World.Isolation = &control.IsolationResult{}
	}),
	"no proof that policies are enforced": live(func(s *control.Subject) {
		s.World.Isolation, s.Profile.Network.Enforcement = nil, nil
	}),
	"a pod on the node's network": live(func(s *control.Subject) {
		s.World.Pods = append(s.World.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "escaped", Namespace: s.Namespace.Name, Labels: s.Workload.Spec.Selector.MatchLabels},
			Spec:       corev1.PodSpec{HostNetwork: true},
		})
	}),
}

// unclaimed are labels that the selector of no workload of the tests matches.
var unclaimed = map[string]string{"app": "shop"}

// rules replaces what the policy under judgement says by a break, for all pods.
func rules(change func(*networkingv1.NetworkPolicySpec)) control.Break {
	return control.Break{Kind: control.Policies, Apply: func(s *control.Subject) {
		s.Policy.Spec.PodSelector = metav1.LabelSelector{}
		s.Policy.Spec.Ingress, s.Policy.Spec.Egress = nil, nil
		s.Policy.Spec.PolicyTypes = bothDirections()
		change(&s.Policy.Spec)
	}}
}

func live(change func(*control.Subject)) control.Break {
	return control.Break{Kind: control.Workloads, Apply: change, Reported: true}
}
