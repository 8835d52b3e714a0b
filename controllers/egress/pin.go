package egress

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// pin tells the pods of phi-egress the least generation that they take: their processes by
// themselves take nothing older than what is in force, and one that starts anew in a pod has
// forgotten what that was. It also has the kubelet look at once at what the pods mount,
// which it does every minute otherwise.
func (r *Reconciler) pin(ctx context.Context, s *scope) error {
	if s.service == nil {
		return nil
	}
	least := strconv.FormatInt(s.configuration.Workload.Generation, 10)
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, control.EgressMinimum, least))
	for _, pod := range s.pods {
		if !pod.DeletionTimestamp.IsZero() || pod.Annotations[control.EgressMinimum] == least {
			continue
		}
		one := &corev1.Pod{}
		one.Namespace, one.Name = pod.Namespace, pod.Name
		if err := client.IgnoreNotFound(r.Corrector.Client.Patch(ctx, one, patch)); err != nil {
			return fmt.Errorf("telling pod %s what phi-egress takes at least: %w", pod.Name, err)
		}
	}
	return nil
}
