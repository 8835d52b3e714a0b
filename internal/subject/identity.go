package subject

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// identities reads which workloads live pods run for under the ServiceAccounts of
// some pods.
func (l *Loader) identities(ctx context.Context, sc *Scene, w *world, pods ...*corev1.Pod) error {
	for _, pod := range pods {
		account := control.ServiceAccountOf(pod)
		if _, known := w.Identities[account]; known {
			continue
		}
		var sharing corev1.PodList
		if err := l.list(ctx, sc.Namespace.Name, &sharing, client.MatchingFields{ByServiceAccount: account}); err != nil {
			return err
		}
		w.Identities[account] = sc.claimants(pointers(sharing.Items))
	}
	return nil
}

// claimants names the workloads that select live pods of a list, sorted; "" stands
// for those that nobody selects.
func (sc *Scene) claimants(pods []*corev1.Pod) []string {
	names := []string{}
	for _, pod := range pods {
		if Finished(pod) {
			continue
		}
		claimed := false
		for _, w := range sc.Workloads {
			if Selects(w, pod.Labels) {
				names, claimed = append(names, w.Name), true
			}
		}
		if !claimed {
			names = append(names, "")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
