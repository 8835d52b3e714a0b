package repair

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
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
		lives, err := c.livesOn(ctx, policy)
		if lives || err != nil {
			return false, err
		}
	}
	return true, c.remove(ctx, key, live)
}

// livesOn reports whether a policy selects a pod that has not finished.
func (c *Corrector) livesOn(ctx context.Context, policy *networkingv1.NetworkPolicy) (bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return false, fmt.Errorf("reading the selector of NetworkPolicy %q: %w", policy.Name, err)
	}
	var pods corev1.PodList
	if err := c.Live.List(ctx, &pods, client.InNamespace(policy.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return false, fmt.Errorf("listing the pods of NetworkPolicy %q live: %w", policy.Name, err)
	}
	for i := range pods.Items {
		if !subject.Finished(&pods.Items[i]) {
			return true, nil
		}
	}
	return false, nil
}
