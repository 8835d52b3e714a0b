package catalog

import (
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// isOwned reports whether a policy is as the operator wants it. Where one
// workload is judged, the policy of another is that one's to judge as long as it
// selects nothing but its pods: what its flows refer to was not read.
func isOwned(s *control.Subject, policy *networkingv1.NetworkPolicy) bool {
	if policy.Name == defaultDenyName {
		return apiequality.Semantic.DeepEqual(policy.Spec, defaultDeny(s).Spec)
	}
	for _, w := range judgedWorkloads(s) {
		if policy.Name != ownedPrefix+w.Name {
			continue
		}
		want := workloadPolicy(s, w)
		if want == nil {
			return false
		}
		if s.Workload != nil && w != s.Workload {
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

// unresolvedFlows says what of the declaration stays closed.
func unresolvedFlows(s control.Subject) []string {
	if s.Workload == nil {
		return nil
	}
	if s.Workload.Name == reservedName {
		return []string{"metadata.name " + reservedName + " is reserved: the workload gets no policy and stays closed; create it under another name"}
	}
	d := declaration{subject: &s, workload: s.Workload}
	var unresolved []string
	for _, f := range slices.Concat(d.ingress(), d.egress()) {
		if f.closed != "" {
			unresolved = append(unresolved, f.path+" "+f.closed)
		}
	}
	return unresolved
}
