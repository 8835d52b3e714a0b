package guard

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// AnnotationUninstalling on the operator's namespace ends guarding: what is
// deleted stays deleted. Set it to "true" before removing the operator, or
// delete the namespace first.
const AnnotationUninstalling = "hipaa-operator.io/uninstalling"

// operatorStands reports whether there is still an operator to guard for. A
// webhook that blocks for an operator that is gone would block for ever.
func (g *Guard) operatorStands(ctx context.Context) (bool, error) {
	namespace := &corev1.Namespace{}
	err := g.Live.Get(ctx, types.NamespacedName{Name: g.OperatorNamespace}, namespace)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the operator's namespace: %w", err)
	}
	return namespace.DeletionTimestamp.IsZero() && namespace.Annotations[AnnotationUninstalling] != "true", nil
}

// write puts an object right by server-side apply. What somebody added beside
// our fields, such as a condition that never matches, apply leaves alone or cannot
// join with ours; then the whole substance is replaced.
func (g *Guard) write(ctx context.Context, want installed, live client.Object) error {
	err := g.Writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.tree.DeepCopy()),
		client.FieldOwner(hipaav1.FieldOwner), client.ForceOwnership)
	if err != nil && (live == nil || !apierrors.IsInvalid(err)) {
		return fmt.Errorf("applying %s: %w", want.ref, err)
	}
	if live == nil {
		return nil
	}
	if live, err = get(ctx, g.Live, want); err != nil || live == nil {
		return err
	}
	expired := live.GetAnnotations()[AnnotationPausedUntil] != "" && pausedUntil(live, g.Clock.Now()).IsZero()
	if !expired && len(difference(want, live)) == 0 {
		return nil
	}
	if expired {
		annotations := live.GetAnnotations()
		delete(annotations, AnnotationPausedUntil)
		live.SetAnnotations(annotations)
	}
	replace(live, want.object)
	if err := g.Writer.Update(ctx, live, client.FieldOwner(hipaav1.FieldOwner)); err != nil {
		return fmt.Errorf("replacing %s: %w", want.ref, err)
	}
	return nil
}

// replace puts the whole substance of one object into another of its kind. The
// certificate authorities stay.
func replace(live, want client.Object) {
	switch l := live.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		if w, ok := want.(*admissionregistrationv1.ValidatingWebhookConfiguration); ok {
			authorities := map[string][]byte{}
			for _, hook := range l.Webhooks {
				authorities[hook.Name] = hook.ClientConfig.CABundle
			}
			l.Webhooks = w.DeepCopy().Webhooks
			for i := range l.Webhooks {
				l.Webhooks[i].ClientConfig.CABundle = authorities[l.Webhooks[i].Name]
			}
		}
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		if w, ok := want.(*admissionregistrationv1.MutatingWebhookConfiguration); ok {
			authorities := map[string][]byte{}
			for _, hook := range l.Webhooks {
				authorities[hook.Name] = hook.ClientConfig.CABundle
			}
			l.Webhooks = w.DeepCopy().Webhooks
			for i := range l.Webhooks {
				l.Webhooks[i].ClientConfig.CABundle = authorities[l.Webhooks[i].Name]
			}
		}
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		if w, ok := want.(*admissionregistrationv1.ValidatingAdmissionPolicy); ok {
			w.Spec.DeepCopyInto(&l.Spec)
		}
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		if w, ok := want.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding); ok {
			w.Spec.DeepCopyInto(&l.Spec)
		}
	}
}
