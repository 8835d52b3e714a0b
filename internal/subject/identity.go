package subject

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// ByServiceAccount is the index of pods by the ServiceAccount that they run under.
const ByServiceAccount = "hipaa.serviceAccount"

// ServiceAccountOf is the value of that index.
func ServiceAccountOf(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return []string{control.ServiceAccountOf(pod)}
}

// identities reads who else than a workload runs under the ServiceAccounts of some of
// its pods.
func (l *Loader) identities(ctx context.Context, sc *Scene, s *control.Subject, pods ...*corev1.Pod) error {
	for _, pod := range pods {
		account := control.ServiceAccountOf(pod)
		if _, known := s.World.Identities[account]; known {
			continue
		}
		var sharing corev1.PodList
		if err := l.list(ctx, sc.Namespace.Name, &sharing, client.MatchingFields{ByServiceAccount: account}); err != nil {
			return err
		}
		s.World.Identities[account] = sc.others(s.Workload, pointers(sharing.Items))
	}
	return nil
}

// others names the workloads that select live pods of a list which w does not,
// sorted; "" stands for those that nobody selects.
func (sc *Scene) others(w *hipaav1.PHIWorkload, pods []*corev1.Pod) []string {
	names := []string{}
	for _, pod := range pods {
		if Finished(pod) || w != nil && Selects(w, pod.Labels) {
			continue
		}
		claimed := false
		for _, other := range sc.Workloads {
			if Selects(other, pod.Labels) {
				names, claimed = append(names, other.Name), true
			}
		}
		if !claimed {
			names = append(names, "")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
