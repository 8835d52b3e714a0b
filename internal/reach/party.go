package reach

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// party is a peer as a policy names it, with everybody it may stand for.
type party struct {
	peer       Peer
	crowd      crowd
	unreadable bool // the block cannot be read, so it is taken as every address
}

// partiesOf reads one entry of from or to. What the API server would refuse is read as the most that it could mean.
func partiesOf(peer networkingv1.NetworkPolicyPeer, namespace string) []party {
	var parties []party
	if peer.PodSelector != nil || peer.NamespaceSelector != nil {
		pods := podPeerOf(peer, namespace)
		parties = append(parties, party{peer: pods, crowd: pods.bounding()})
	}
	if peer.IPBlock != nil {
		parties = append(parties, blockParties(peer.IPBlock)...)
	}
	if len(parties) == 0 {
		return anyoneParties()
	}
	return parties
}

func podPeerOf(peer networkingv1.NetworkPolicyPeer, namespace string) PodPeer {
	pods := PodPeer{NamespaceSelector: peer.NamespaceSelector}
	if peer.NamespaceSelector == nil {
		pods.Namespaces = []string{namespace}
	}
	if peer.PodSelector != nil {
		pods.PodSelector = *peer.PodSelector
	}
	return pods
}

func blockParties(block *networkingv1.IPBlock) []party {
	cidr, ok := parseCIDR(block.CIDR)
	if !ok {
		return []party{blockParty(Block{CIDR: allIPv4}, true), blockParty(Block{CIDR: allIPv6}, true)}
	}
	b := Block{CIDR: cidr}
	for _, text := range block.Except {
		if p, ok := parseCIDR(text); ok {
			b.Except = append(b.Except, p)
		}
	}
	return []party{blockParty(b, false)}
}

func blockParty(b Block, unreadable bool) party {
	return party{peer: b, crowd: crowd{addresses: addressesOf(b.CIDR, b.Except)}, unreadable: unreadable}
}

// anyoneParties splits Anyone into parts that can be covered one by one.
func anyoneParties() []party {
	pods := PodPeer{NamespaceSelector: &metav1.LabelSelector{}}
	return []party{
		{peer: pods, crowd: pods.bounding()},
		blockParty(Block{CIDR: allIPv4}, false),
		blockParty(Block{CIDR: allIPv6}, false),
	}
}
