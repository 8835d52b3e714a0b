package gate

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// fromMonitors lets those read the metrics of phi-egress who read those of its callers.
func (w *World) fromMonitors() []networkingv1.NetworkPolicyIngressRule {
	peers := map[string]networkingv1.NetworkPolicyPeer{} // profiles of many workloads say the same
	for _, p := range w.Profiles {
		for _, m := range p.Network.Monitors {
			if name, peer, ok := podsIn(m.Namespace, m.PodSelector); ok {
				peers[name] = peer
			}
		}
	}
	if len(peers) == 0 {
		return nil
	}
	rule := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{
		Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(control.ProxyAdminPort)),
	}}}
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		rule.From = append(rule.From, peers[name])
	}
	return []networkingv1.NetworkPolicyIngressRule{rule}
}
