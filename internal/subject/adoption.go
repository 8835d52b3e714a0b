package subject

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Unclaimed lists the live pods that no workload has taken on in a namespace that
// has not been closed yet, sorted: closing it would cut them. A namespace that was
// declared before anything ran in it refuses such pods, so it has none; and there
// are none once it has been closed, so nobody opens it again by keeping one alive.
func (l *Loader) Unclaimed(ctx context.Context, sc *Scene) ([]string, error) {
	closed, err := l.closed(ctx, sc.Namespace.Name)
	if closed || err != nil {
		return nil, err
	}
	pods, err := l.livePods(ctx, sc.Namespace.Name)
	if err != nil {
		return nil, err
	}
	var unclaimed []string
	for _, pod := range pods {
		if !sc.takenOn(pod) {
			unclaimed = append(unclaimed, pod.Name)
		}
	}
	slices.Sort(unclaimed)
	return unclaimed, nil
}

// Occupied reports whether a workload that nobody has judged yet finds pods that
// ran before it: those of a namespace that people have just declared, or that a
// profile lets run undeclared. Where undeclared pods are refused and the namespace
// has been closed there can be none, so nobody wins time by way of an old pod.
func (l *Loader) Occupied(ctx context.Context, sc *Scene, w *hipaav1.PHIWorkload, undeclared hipaav1.UndeclaredPods) (bool, error) {
	if w.Status.Stage != "" {
		return false, nil
	}
	if undeclared == hipaav1.UndeclaredPodsDeny {
		if closed, err := l.closed(ctx, sc.Namespace.Name); closed || err != nil {
			return false, err
		}
	}
	pods, err := l.livePods(ctx, sc.Namespace.Name)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(pods, func(pod *corev1.Pod) bool {
		return Selects(w, pod.Labels) && pod.CreationTimestamp.Before(&w.CreationTimestamp) && !sc.ProtectedBeside(w, pod)
	}), nil
}

// closed reports whether the operator keeps anything for the namespace as a
// whole: it does so from the moment at which closing cuts nobody.
func (l *Loader) closed(ctx context.Context, namespace string) (bool, error) {
	var policies networkingv1.NetworkPolicyList
	if err := l.list(ctx, namespace, &policies); err != nil {
		return false, err
	}
	for i := range policies.Items {
		if policy := &policies.Items[i]; hipaav1.IsOwned(policy) && policy.Labels[hipaav1.LabelWorkload] == "" {
			return true, nil
		}
	}
	return false, nil
}

// livePods are the pods of a namespace that have not finished, as the API server
// has them.
func (l *Loader) livePods(ctx context.Context, namespace string) ([]*corev1.Pod, error) {
	var list corev1.PodList
	if err := l.Live.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing the pods of namespace %q live: %w", namespace, err)
	}
	return slices.DeleteFunc(pointers(list.Items), Finished), nil
}

// takenOn reports whether a workload claims a pod and has a stage: until then
// nobody has looked at what the workload would cut.
func (sc *Scene) takenOn(pod *corev1.Pod) bool {
	return slices.ContainsFunc(sc.Claiming(pod.Labels), func(w *hipaav1.PHIWorkload) bool { return w.Status.Stage != "" })
}

// ProtectedBeside reports whether another workload claims a pod that is enforced
// and not being deleted.
func (sc *Scene) ProtectedBeside(w *hipaav1.PHIWorkload, pod *corev1.Pod) bool {
	return slices.ContainsFunc(sc.Claiming(pod.Labels), func(other *hipaav1.PHIWorkload) bool {
		return other.Name != w.Name && other.Status.Stage == hipaav1.StageEnforced && other.DeletionTimestamp.IsZero()
	})
}
