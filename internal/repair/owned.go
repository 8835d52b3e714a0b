package repair

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Cached is the manager's client, but that ConfigMaps come from a cache of their own:
// the manager's knows of all ConfigMaps of the cluster no more than that they are there,
// and this one holds what the operator owns.
type Cached struct {
	client.Client
	// ConfigMaps holds those that the operator owns. Whoever acts on their events goes by
	// this cache: another one may be ahead of it.
	ConfigMaps cache.Cache
}

// NewCached adds the cache of owned ConfigMaps to the manager.
func NewCached(mgr ctrl.Manager) (*Cached, error) {
	owned, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Label: labels.SelectorFromSet(labels.Set{hipaav1.LabelManagedBy: hipaav1.ManagedByValue})},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("building the cache of owned ConfigMaps: %w", err)
	}
	if err := mgr.Add(owned); err != nil {
		return nil, fmt.Errorf("adding the cache of owned ConfigMaps: %w", err)
	}
	return &Cached{Client: mgr.GetClient(), ConfigMaps: owned}, nil
}

// Get implements client.Reader.
func (c *Cached) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if _, is := into.(*corev1.ConfigMap); is {
		return c.ConfigMaps.Get(ctx, key, into, options...)
	}
	return c.Client.Get(ctx, key, into, options...)
}

// List implements client.Reader.
func (c *Cached) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	if _, is := into.(*corev1.ConfigMapList); is {
		return c.ConfigMaps.List(ctx, into, options...)
	}
	return c.Client.List(ctx, into, options...)
}
