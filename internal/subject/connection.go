package subject

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Pod reads a pod and reports whether there is one of that name.
func (l *Loader) Pod(ctx context.Context, key types.NamespacedName) (*corev1.Pod, bool, error) {
	pod := &corev1.Pod{}
	found, err := l.get(ctx, key, pod)
	return pod, found, err
}

// Service reads a Service and reports whether there is one of that name.
func (l *Loader) Service(ctx context.Context, key types.NamespacedName) (*corev1.Service, bool, error) {
	service := &corev1.Service{}
	found, err := l.get(ctx, key, service)
	return service, found, err
}

// Behind lists the pods that a Service selects, sorted by name; none where it has
// no selector.
func (l *Loader) Behind(ctx context.Context, service *corev1.Service) ([]*corev1.Pod, error) {
	if len(service.Spec.Selector) == 0 {
		return nil, nil
	}
	var pods corev1.PodList
	selector := client.MatchingLabelsSelector{Selector: labels.SelectorFromSet(service.Spec.Selector)}
	if err := l.list(ctx, service.Namespace, &pods, selector); err != nil {
		return nil, err
	}
	return sortedByName(pointers(pods.Items)), nil
}
