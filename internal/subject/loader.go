// Package subject loads evidence. Its promise: one loader per source, the same
// Subject at admission and live, and what could not be read is said, never
// passed over.
package subject

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Loader reads evidence from the cache, and from the API server where the cache
// may lag behind what the API server has just admitted. Objects that it returns
// are shared with the cache and must not be changed.
type Loader struct {
	// Cache is the manager's informer cache.
	Cache client.Reader
	// Live asks the API server.
	Live client.Reader
	// ConfigMaps keeps settings; nil reads them anew each time.
	ConfigMaps *ConfigMaps
	// Resources watches what declares infrastructure; without it that is not known.
	// Only live judgement asks.
	Resources *Resources
	// Reports watches what other systems report; without it that is not known. Only
	// live judgement asks.
	Reports *Resources
	// ReportTypes are what Reports watches, for admission, which asks the API server.
	ReportTypes []control.ReportType
	// Serving tells when the certificate of the operator's webhooks ends; without it
	// nobody looks.
	Serving func() (time.Time, error)
	// Dials tells what the edge of the cluster answered; nil is nothing. Only live
	// judgement asks.
	Dials Dials
	// Isolation tells whether the network plugin enforces policies; without it that is not
	// known. Only live subjects have it. Optional.
	Isolation func() *control.IsolationResult
	// Secrets tells how API servers store Secrets; without it that is not known. Only live
	// judgement asks.
	Secrets func() *control.SecretStorage
	// Proxy tells, anew each time, what pods get that speaks mutual TLS for them; where the
	// operator has it and cannot give it yet, a sentence says why. Nil where the operator
	// has none.
	Proxy func() (*control.Proxy, error)
	// ProxyImages are those of it that are in order, that of new pods first.
	ProxyImages []string
	// Egress tells how phi-egress stands; without it that is not known. Only live judgement
	// asks.
	Egress func() *control.Egress
	// kept is nil where every scene is read anew.
	kept *keptScenes
}

// Dials tells what the endpoints of a workload last answered.
type Dials interface {
	Dialled(workload types.NamespacedName) map[control.Endpoint]control.Dialled
}

// get reads one object from the cache and, if it is not there, live. It reports
// whether the object exists.
func (l *Loader) get(ctx context.Context, key types.NamespacedName, into client.Object) (bool, error) {
	err := l.Cache.Get(ctx, key, into, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		err = l.Live.Get(ctx, key, into)
	}
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsNotFound(err):
		return false, nil
	default:
		return false, fmt.Errorf("reading %T %s: %w", into, key, err)
	}
}

// cached reads one object from the cache alone. It reports whether the object
// exists.
func (l *Loader) cached(ctx context.Context, key types.NamespacedName, into client.Object) (bool, error) {
	err := l.Cache.Get(ctx, key, into, client.UnsafeDisableDeepCopy)
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsNotFound(err):
		return false, nil
	default:
		return false, fmt.Errorf("reading %T %s: %w", into, key, err)
	}
}

// list reads objects of a namespace from the cache.
func (l *Loader) list(ctx context.Context, namespace string, into client.ObjectList, options ...client.ListOption) error {
	options = append(options, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if err := l.Cache.List(ctx, into, options...); err != nil {
		return fmt.Errorf("listing %T of namespace %q: %w", into, namespace, err)
	}
	return nil
}

// pointers turns the items of a list into pointers to them.
func pointers[T any](items []T) []*T {
	list := make([]*T, len(items))
	for i := range items {
		list[i] = &items[i]
	}
	return list
}
