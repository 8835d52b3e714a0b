package subject

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Undeclared lists the pods of a namespace that have not finished and that no
// workload selects, the oldest first, as the cache has them. Unlike those of
// Unclaimed they may have come since the namespace was closed: while a profile let
// them in, or while nobody answered at admission.
func (l *Loader) Undeclared(ctx context.Context, sc *Scene) ([]*corev1.Pod, error) {
	var pods corev1.PodList
	if err := l.list(ctx, sc.Namespace.Name, &pods); err != nil {
		return nil, err
	}
	// Read once: there may be thousands of pods.
	selectors := make([]labels.Selector, 0, len(sc.Workloads))
	for _, w := range sc.Workloads {
		if selector, err := metav1.LabelSelectorAsSelector(&w.Spec.Selector); err == nil {
			selectors = append(selectors, selector)
		}
	}
	undeclared := slices.DeleteFunc(pointers(pods.Items), func(pod *corev1.Pod) bool {
		own := labels.Set(pod.Labels)
		return Finished(pod) || slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(own) })
	})
	slices.SortFunc(undeclared, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return undeclared, nil
}
