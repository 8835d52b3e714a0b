package isolation

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scene is another replica, and the three connections to it that say something.
type scene struct {
	// apart says that the two stand on different nodes.
	apart bool
	// open is allowed at both ends. noEntry is forbidden where it arrives and noExit where
	// it leaves; at the other end each of them is allowed.
	open, noEntry, noExit netip.AddrPort
}

// scene finds whom to dial. A problem says why there is nobody.
func (p *Probe) scene(ctx context.Context) (s scene, problem string) {
	if p.Pod == "" {
		return s, "the operator runs beside the cluster, where no NetworkPolicy holds it"
	}
	var own corev1.Pod
	if err := p.Live.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: p.Pod}, &own); err != nil {
		return s, "the operator could not read its own pod"
	}
	if own.Spec.HostNetwork {
		return s, "the operator's pods share the node's network, where no NetworkPolicy holds them"
	}
	all := replicasLike(&own)
	var pods corev1.PodList
	if err := p.Live.List(ctx, &pods, client.InNamespace(p.Namespace), client.MatchingLabels(all.MatchLabels)); err != nil {
		return s, "the operator could not read the pods of its other replicas"
	}
	peer := peerOf(&own, pods.Items)
	if peer == nil {
		return s, "no second replica of the operator is ready to be dialled"
	}
	var policies networkingv1.NetworkPolicyList
	if err := p.Live.List(ctx, &policies, client.InNamespace(p.Namespace)); err != nil {
		return s, "the operator could not read the NetworkPolicies of its namespace"
	}
	rules, ports := rules{namespace: p.Namespace, policies: policies.Items, replicas: all}, portsOf(peer)
	if problem := rules.fit(ports); problem != "" {
		return s, problem
	}
	address, err := netip.ParseAddr(peer.Status.PodIP)
	if err != nil {
		return s, "the other replica's pod has no address yet"
	}
	return scene{
		apart:   peer.Spec.NodeName != own.Spec.NodeName,
		open:    netip.AddrPortFrom(address, ports.metrics),
		noEntry: netip.AddrPortFrom(address, ports.health),
		noExit:  netip.AddrPortFrom(address, ports.webhook),
	}, ""
}
