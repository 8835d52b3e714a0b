package isolation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// rules are the policies of the operator's namespace, and whom they hold.
type rules struct {
	namespace string
	policies  []networkingv1.NetworkPolicy
	replicas  metav1.LabelSelector
}

// fit says what keeps the three connections from showing anything; empty is nothing.
func (r rules) fit(p ports) string {
	if p.health == 0 || p.metrics == 0 || p.webhook == 0 {
		return "the operator's pods do not name their ports health, metrics and webhook"
	}
	world := reach.World{Policies: r.policies}
	ingress, egress := world.Isolated(reach.Pods{Namespace: r.namespace, Selector: r.replicas})
	if !ingress.Isolated || !egress.Isolated {
		return "no NetworkPolicy closes the operator's own pods in both directions"
	}
	for _, c := range []struct {
		port      uint16
		direction reach.Direction
		opened    bool
	}{
		{p.health, reach.Ingress, false},
		{p.health, reach.Egress, true},
		{p.webhook, reach.Ingress, true},
		{p.webhook, reach.Egress, false},
	} {
		switch anybody, replicas := r.opens(world, c.direction, c.port); {
		case anybody && !c.opened:
			return fmt.Sprintf("the operator's own pods are open for %s on port %d, which config/manager leaves closed", c.direction, c.port)
		case !replicas && c.opened:
			return fmt.Sprintf("the operator's own pods are closed for %s on port %d, which config/manager opens", c.direction, c.port)
		}
	}
	return ""
}

// opens reports whether some policy opens a port of replicas in a direction, to anybody
// but the issuer, and whether surely to the other replicas.
func (r rules) opens(world reach.World, direction reach.Direction, port uint16) (anybody, replicas bool) {
	issuer := reach.PodPeer{Namespaces: []string{r.namespace}, PodSelector: metav1.LabelSelector{MatchLabels: control.IssuerLabels()}}
	others := []reach.Flow{
		{Peer: reach.Anyone{}, Ports: everyPortBut(int32(port))},
		{Peer: issuer, Ports: []reach.PortRange{{First: int32(port)}}},
	}
	found := world.Widenings(reach.Pods{Namespace: r.namespace, Selector: r.replicas}, reach.Allowed{Ingress: others, Egress: others})
	for i := range found {
		if found[i].Direction == direction {
			anybody, replicas = true, replicas || r.isReplicas(found[i].Peer)
		}
	}
	return anybody, replicas
}

// isReplicas reports whether a peer surely stands for the replicas, too.
func (r rules) isReplicas(peer reach.Peer) bool {
	switch p := peer.(type) {
	case reach.Anyone:
		return true
	case reach.PodPeer:
		selector, err := metav1.LabelSelectorAsSelector(&p.PodSelector)
		everywhere := p.NamespaceSelector != nil && len(p.NamespaceSelector.MatchLabels) == 0 && len(p.NamespaceSelector.MatchExpressions) == 0
		return err == nil && (everywhere || p.NamespaceSelector == nil && slices.Contains(p.Namespaces, r.namespace)) &&
			selector.Matches(labels.Set(r.replicas.MatchLabels))
	default:
		return false
	}
}

// everyPortBut is all that is not one port of TCP.
func everyPortBut(port int32) []reach.PortRange {
	const first, last = 1, 65535
	ranges := []reach.PortRange{
		{Protocol: corev1.ProtocolUDP, First: first, Last: last},
		{Protocol: corev1.ProtocolSCTP, First: first, Last: last},
		{Protocol: reach.OtherProtocols},
	}
	if port > first {
		ranges = append(ranges, reach.PortRange{First: first, Last: port - 1})
	}
	if port < last {
		ranges = append(ranges, reach.PortRange{First: port + 1, Last: last})
	}
	return ranges
}
