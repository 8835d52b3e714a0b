package catalog

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// Names of owned policies. A PHIWorkload of the name default-deny would take the
// place of the policy that closes everything; it gets none and stays closed.
const (
	ownedPrefix     = "hipaa-"
	reservedName    = "default-deny"
	defaultDenyName = ownedPrefix + reservedName
)

// ownedPolicies are the policy of the workload, or of the namespace where the
// subject has no workload. Every field is as the API server would default it, so
// that the live object is equal to the desired one or somebody changed it.
func ownedPolicies(s control.Subject) (owned []client.Object, unresolved []string) {
	if s.Workload == nil {
		return []client.Object{defaultDeny(&s)}, nil
	}
	if s.Workload.Name == reservedName {
		return nil, []string{"metadata.name " + reservedName + " is reserved: the workload gets no policy and stays closed; create it under another name"}
	}
	declared := flows.Of(&s, s.Workload)
	if policy := workloadPolicy(&s, s.Workload, declared); policy != nil && !leftAlone(&s, policy.Name) {
		owned = []client.Object{policy}
	}
	for _, f := range declared.All() {
		if f.Closed != "" {
			unresolved = append(unresolved, f.Path+" "+f.Closed)
		}
	}
	return owned, unresolved
}

func defaultDeny(s *control.Subject) *networkingv1.NetworkPolicy {
	namespaceOnly := *s
	namespaceOnly.Workload = nil
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace.Name, Name: defaultDenyName, Labels: ownedLabels(&namespaceOnly),
	}}
	policy.Spec.PolicyTypes = bothDirections()
	return policy
}

func workloadPolicy(s *control.Subject, w *hipaav1.PHIWorkload, declared flows.Declared) *networkingv1.NetworkPolicy {
	if w.Name == reservedName || !flows.IsParticular(w) {
		return nil
	}
	of := *s
	of.Workload = w
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.Namespace, Name: ownedPrefix + w.Name, Labels: ownedLabels(&of),
	}}
	policy.Spec.PodSelector = *w.Spec.Selector.DeepCopy()
	policy.Spec.PolicyTypes = bothDirections()
	for _, f := range declared.Ingress {
		if f.Opens() {
			policy.Spec.Ingress = append(policy.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: policyPeers(f.Peers), Ports: policyPorts(f.Ports)})
		}
	}
	for _, f := range declared.Egress {
		if f.Opens() {
			policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: policyPeers(f.Peers), Ports: policyPorts(f.Ports)})
		}
	}
	return policy
}

func bothDirections() []networkingv1.PolicyType {
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
}

func policyPeers(peers []reach.Peer) []networkingv1.NetworkPolicyPeer {
	list := make([]networkingv1.NetworkPolicyPeer, 0, len(peers))
	for _, peer := range peers {
		switch p := peer.(type) {
		case reach.PodPeer:
			list = append(list, podPeer(p))
		case reach.Block:
			list = append(list, blockPeer(p))
		}
	}
	return list
}

func podPeer(p reach.PodPeer) networkingv1.NetworkPolicyPeer {
	namespaces := p.NamespaceSelector.DeepCopy()
	if namespaces == nil {
		namespaces = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: p.Namespaces[0]}}
	}
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaces, PodSelector: p.PodSelector.DeepCopy()}
}

func blockPeer(b reach.Block) networkingv1.NetworkPolicyPeer {
	block := &networkingv1.IPBlock{CIDR: b.CIDR.String()}
	for _, hole := range b.Except {
		block.Except = append(block.Except, hole.String())
	}
	return networkingv1.NetworkPolicyPeer{IPBlock: block}
}

func policyPorts(ports []reach.PortRange) []networkingv1.NetworkPolicyPort {
	list := make([]networkingv1.NetworkPolicyPort, len(ports))
	for i, p := range ports {
		number := intstr.FromInt32(p.First)
		list[i] = networkingv1.NetworkPolicyPort{Protocol: &p.Protocol, Port: &number}
	}
	return list
}

// isOwned reports whether a policy is as the operator wants it. The policy of
// another workload is that one's to judge as long as it selects nothing but its
// pods: what its flows refer to was not read.
func isOwned(s *control.Subject, policy *networkingv1.NetworkPolicy) bool {
	if policy.Name == defaultDenyName {
		return apiequality.Semantic.DeepEqual(policy.Spec, defaultDeny(s).Spec)
	}
	for _, w := range judgedWorkloads(s) {
		if policy.Name != ownedPrefix+w.Name {
			continue
		}
		want := workloadPolicy(s, w, flows.Of(s, w))
		if want == nil {
			return false
		}
		if w != s.Workload {
			return apiequality.Semantic.DeepEqual(policy.Spec.PodSelector, want.Spec.PodSelector)
		}
		return apiequality.Semantic.DeepEqual(policy.Spec, want.Spec)
	}
	return false
}

// judgedWorkloads are those of the subject's namespace, sorted by name.
func judgedWorkloads(s *control.Subject) []*hipaav1.PHIWorkload {
	byName := map[string]*hipaav1.PHIWorkload{}
	for key, w := range s.World.Workloads {
		if w != nil && key.Namespace == s.Namespace.Name {
			byName[key.Name] = w
		}
	}
	if s.Workload != nil {
		byName[s.Workload.Name] = s.Workload
	}
	list := make([]*hipaav1.PHIWorkload, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list
}
