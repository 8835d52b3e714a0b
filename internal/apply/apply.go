// Package apply writes by server-side apply. Its promise: one field owner, and a
// status is written only over the version that it was computed from, so that a
// stale cache can never undo what has just been written.
package apply

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// owner is who applies. Nobody else may own what the operator owns, so it takes
// ownership by force.
var owner = []client.ApplyOption{client.FieldOwner(hipaav1.FieldOwner), client.ForceOwnership}

// Object applies a whole object and returns what the API server made of it. The
// object's status and what the API server fills in stay out.
func Object(ctx context.Context, c client.Client, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	applied := object.DeepCopy()
	// The cache holds typed objects; waiting for an untyped one would start a second cache.
	options := append([]client.ApplyOption{client.DisableReadYourWritesConsistency}, owner...)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), options...); err != nil {
		return nil, fmt.Errorf("applying %s %s: %w", object.GetKind(), client.ObjectKeyFromObject(object), err)
	}
	return applied, nil
}

// Status applies a status. The configuration must carry the resourceVersion that
// the status was computed from: it fails with a conflict if that is not the
// latest.
func Status(ctx context.Context, c client.Client, configuration runtime.ApplyConfiguration) error {
	if err := c.Status().Apply(ctx, configuration, client.FieldOwner(hipaav1.FieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("applying the status: %w", err)
	}
	return nil
}

// Convert fills an apply configuration from the API type of the same shape.
func Convert(from, into any) error {
	encoded, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encoding %T: %w", from, err)
	}
	if err := json.Unmarshal(encoded, into); err != nil {
		return fmt.Errorf("decoding %T into %T: %w", from, into, err)
	}
	return nil
}

// Untyped gives an object the form in which it is compared and applied: kind and
// version set, nothing that only the API server writes.
func Untyped(object client.Object, scheme *runtime.Scheme) (*unstructured.Unstructured, error) {
	kind, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return nil, fmt.Errorf("finding the kind of %T: %w", object, err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("converting %T: %w", object, err)
	}
	untyped := &unstructured.Unstructured{Object: content}
	untyped.SetGroupVersionKind(kind)
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return untyped, nil
}
