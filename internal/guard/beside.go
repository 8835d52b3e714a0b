package guard

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Beside points the webhooks of a configuration at a manager that runs beside
// the cluster: the API server calls base and the webhook's path instead of the
// Service. Other objects stay as they are, and all do where base is empty.
func Beside(tree *unstructured.Unstructured, base string) error {
	webhooks, found, err := unstructured.NestedSlice(tree.Object, "webhooks")
	if err != nil || !found || base == "" {
		return err
	}
	for i := range webhooks {
		webhook, ok := webhooks[i].(map[string]any)
		if !ok {
			return fmt.Errorf("pointing webhooks beside the cluster: webhooks[%d] is not an object", i)
		}
		path, _, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil {
			return fmt.Errorf("pointing webhooks beside the cluster: webhooks[%d]: %w", i, err)
		}
		webhook["clientConfig"] = map[string]any{"url": base + path}
	}
	return unstructured.SetNestedSlice(tree.Object, webhooks, "webhooks")
}
