package repair

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// RemoveStray removes an object that is labelled as kept for a workload which
// does not exist. What the operator itself applied stays while a pod lives on it:
// somebody took the workload away by force, and cutting its pods is not for a
// machine to do. It reports whether the object is gone.
func (c *Corrector) RemoveStray(ctx context.Context, object client.Object) (bool, error) {
	key, err := c.keyOf(object)
	if err != nil {
		return false, err
	}
	live, err := fresh(object)
	if err != nil {
		return false, err
	}
	if err := c.Live.Get(ctx, key.NamespacedName, live); err != nil {
		return true, client.IgnoreNotFound(err)
	}
	if !Owns(live, object.GetLabels()[hipaav1.LabelWorkload]) || !live.GetDeletionTimestamp().IsZero() {
		return true, nil
	}
	if policy, is := live.(*networkingv1.NetworkPolicy); is && !managersOf(live).neverApplied() {
		pods, err := selected(ctx, c.Live, policy.Namespace, &policy.Spec.PodSelector)
		if len(pods) > 0 || err != nil {
			return false, err
		}
	}
	return true, c.remove(ctx, key, live)
}
