package subject

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// nodes reads the nodes that pods run on. A node that is gone stays absent: so are
// its pods, soon.
func (l *Loader) nodes(ctx context.Context, w *world) error {
	for _, pod := range w.Pods {
		name := pod.Spec.NodeName
		if name == "" || w.Nodes[name] != nil {
			continue
		}
		node := &corev1.Node{}
		found, err := l.cached(ctx, types.NamespacedName{Name: name}, node)
		if err != nil {
			return err
		}
		if found {
			w.Nodes[name] = node
		}
	}
	return nil
}
