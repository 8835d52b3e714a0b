package issuer

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// An apply creates by name, so the right to create is one for this name as well.
// +kubebuilder:rbac:groups="",namespace=hipaa-operator-system,resources=configmaps,resourceNames=hipaa-operator-bundle,verbs=get;create;patch

const fieldOwner = "hipaa-operator-issuer"

// publish writes the bundle where it differs.
func (a *Authority) publish(ctx context.Context, bundle pki.Bundle) error {
	var published corev1.ConfigMap
	err := a.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: enrol.BundleName}, &published)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading ConfigMap %s: %w", enrol.BundleName, err)
	}
	text := string(bundle.PEM())
	if err == nil && published.Data[enrol.BundleKey] == text {
		return nil
	}
	desired := corev1ac.ConfigMap(enrol.BundleName, a.Namespace).
		WithLabels(map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": "issuer"}).
		WithData(map[string]string{enrol.BundleKey: text})
	if err := a.Client.Apply(ctx, desired, client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("publishing the bundle: %w", err)
	}
	return nil
}
