package injection

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Adopting reports whether the proxies of a workload take plaintext from declared
// callers: while a pod is without its proxy, on either side of a call, and for as long
// as callers may not know yet that all of them have theirs.
func Adopting(w *hipaav1.PHIWorkload, pods []*corev1.Pod, parties map[types.NamespacedName]control.Party) bool {
	switch proxy := w.Status.Proxy; {
	case isBare(pods):
		return true
	case proxy != nil && proxy.Plaintext == hipaav1.PlaintextClosed:
		return false
	case proxy != nil && proxy.Plaintext == hipaav1.PlaintextSettling:
		return true
	default:
		return len(BareCallers(w, parties)) > 0
	}
}

// BareCallers are the PHI workloads that may call this one and have a pod without a
// proxy, sorted.
func BareCallers(w *hipaav1.PHIWorkload, parties map[types.NamespacedName]control.Party) []types.NamespacedName {
	if w.Spec.Access == nil {
		return nil
	}
	var bare []types.NamespacedName
	for i := range w.Spec.Access.From {
		peer := w.Spec.Access.From[i].PHIWorkload
		if peer == nil {
			continue
		}
		key := types.NamespacedName{Namespace: cmp.Or(peer.Namespace, w.Namespace), Name: peer.Name}
		if isBare(parties[key].Pods) {
			bare = append(bare, key)
		}
	}
	slices.SortFunc(bare, func(x, y types.NamespacedName) int { return cmp.Compare(x.String(), y.String()) })
	return slices.Compact(bare)
}

// isBare reports whether one of the pods is without a proxy.
func isBare(pods []*corev1.Pod) bool {
	return slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return !control.HasProxy(pod) })
}
