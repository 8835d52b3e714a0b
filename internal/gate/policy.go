package gate

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// PolicyName is that of the policy that lets phi-egress out to vendors.
const PolicyName = control.EgressName + "-vendors"

// Policy lets phi-egress out to the ports of vendors that are called, anywhere but inside,
// and to name servers, and those in who read its metrics. What else it reaches, and who
// else reaches it, is installed with it.
func Policy(w *World, c *config.Configuration) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: c.Workload.Namespace, Name: PolicyName, Labels: control.EgressLabels(),
	}}
	p.Spec.PodSelector = control.EgressSelector()
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	p.Spec.Egress = w.toNameServers()
	if p.Spec.Ingress = w.fromMonitors(); p.Spec.Ingress != nil {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	}
	var ports []int
	for i := range c.Egress.Vendors {
		ports = append(ports, c.Egress.Vendors[i].Ports...)
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) == 0 {
		return p
	}
	rule := networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{outside("0.0.0.0/0"), outside("::/0")}}
	for _, port := range ports {
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{
			Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(int32(port))), //nolint:gosec // Validate has accepted it
		})
	}
	p.Spec.Egress = append(p.Spec.Egress, rule)
	return p
}

// outside is everything of one version of IP that is not inside.
func outside(everything string) networkingv1.NetworkPolicyPeer {
	block := &networkingv1.IPBlock{CIDR: everything}
	for _, text := range inside {
		if netip.MustParsePrefix(text).Addr().Is4() == netip.MustParsePrefix(everything).Addr().Is4() {
			block.Except = append(block.Except, text)
		}
	}
	return networkingv1.NetworkPolicyPeer{IPBlock: block}
}

// podsIn is some pods of a namespace, and a name of theirs. Without a selector that the API
// server would take there are none: it refuses a policy with one as a whole.
func podsIn(namespace string, selector *metav1.LabelSelector) (name string, peer networkingv1.NetworkPolicyPeer, ok bool) {
	if _, err := metav1.LabelSelectorAsSelector(selector); selector == nil || err != nil {
		return "", networkingv1.NetworkPolicyPeer{}, false
	}
	return namespace + " " + metav1.FormatLabelSelector(selector), networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		PodSelector:       selector.DeepCopy(),
	}, true
}
