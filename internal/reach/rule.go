package reach

import (
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// rule is one entry of a policy's ingress or egress, in one shape for both.
type rule struct {
	direction Direction
	index     int
	peers     []networkingv1.NetworkPolicyPeer
	ports     []networkingv1.NetworkPolicyPort
}

// rulesOf lists all rules, also those of a direction that policyTypes leaves out: see Widening.Unlisted.
func rulesOf(policy *networkingv1.NetworkPolicy) []rule {
	rules := make([]rule, 0, len(policy.Spec.Ingress)+len(policy.Spec.Egress))
	for i, r := range policy.Spec.Ingress {
		rules = append(rules, rule{Ingress, i, r.From, r.Ports})
	}
	for i, r := range policy.Spec.Egress {
		rules = append(rules, rule{Egress, i, r.To, r.Ports})
	}
	return rules
}

// affects tells whether a policy isolates the pods that it selects in a direction. Without policyTypes that is always
// so for ingress, and for egress where there are egress rules: the API server's defaulting.
func affects(policy *networkingv1.NetworkPolicy, d Direction) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, d)
	}
	return d == Ingress || len(policy.Spec.Egress) > 0
}

// place is where in a policy a peer is named, and the parties that it stands for.
type place struct {
	rule    rule
	peer    int // index in from or to; -1 where the rule names no peer
	parties []party
	anyone  bool // the parties together are Anyone
}

func (r rule) places(namespace string) []place {
	if len(r.peers) == 0 {
		return []place{{rule: r, peer: -1, parties: anyoneParties(), anyone: true}}
	}
	places := make([]place, 0, len(r.peers))
	for i, p := range r.peers {
		nobody := p.PodSelector == nil && p.NamespaceSelector == nil && p.IPBlock == nil
		places = append(places, place{rule: r, peer: i, parties: partiesOf(p, namespace), anyone: nobody})
	}
	return places
}

// path is the place in the words of kubectl explain, such as spec.ingress[0].from[1].
func (p place) path() string {
	list, peers := "ingress", "from"
	if p.rule.direction == Egress {
		list, peers = "egress", "to"
	}
	if p.peer < 0 {
		return fmt.Sprintf("spec.%s[%d]", list, p.rule.index)
	}
	return fmt.Sprintf("spec.%s[%d].%s[%d]", list, p.rule.index, peers, p.peer)
}
