package repair

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// Owns reports whether an object carries the labels of what the operator keeps
// for the workload, or for the namespace where workload is empty.
func Owns(object client.Object, workload string) bool {
	return hipaav1.IsOwned(object) && object.GetLabels()[hipaav1.LabelWorkload] == workload
}

// Owned lists what carries the labels of the operator in a namespace.
func Owned(ctx context.Context, from client.Reader, namespace string) ([]client.Object, error) {
	var owned []client.Object
	for _, list := range OwnedKinds() {
		if err := from.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}); err != nil {
			return nil, fmt.Errorf("listing owned objects of namespace %q: %w", namespace, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok {
				owned = append(owned, object)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("listing owned objects of namespace %q: %w", namespace, err)
		}
	}
	return owned, nil
}

// prune removes what carries the operator's labels and nothing wants. It is
// drift where the operator never applied it: somebody borrowed the labels.
func (c *Corrector) prune(ctx context.Context, o Order, wanted map[memoryKey]bool) ([]Drift, error) {
	cached, err := Owned(ctx, c.Client, o.Namespace)
	if err != nil {
		return nil, err
	}
	var found []Drift
	for _, object := range cached {
		key, err := c.keyOf(object)
		if err != nil {
			return found, err
		}
		if wanted[key] || !Owns(object, o.Workload) {
			continue
		}
		drift, err := c.orphan(ctx, key, object, o.Workload)
		found = append(found, drift...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (c *Corrector) orphan(ctx context.Context, key memoryKey, object client.Object, workload string) ([]Drift, error) {
	started := c.Clock.Now()
	object, err := fresh(object)
	if err != nil {
		return nil, err
	}
	if err := c.Live.Get(ctx, key.NamespacedName, object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !Owns(object, workload) || !object.GetDeletionTimestamp().IsZero() {
		return nil, nil
	}
	ours := !managersOf(object).neverApplied()
	if err := c.remove(ctx, key, object); err != nil {
		return nil, err
	}
	if ours {
		return nil, nil
	}
	return []Drift{c.removed(ctx, removal{key: key, object: object, was: present, started: started})}, nil
}

// RemoveOwned removes all that is kept for the workload, or for the namespace
// where workload is empty. It asks the API server: what is released must really
// go. What somebody else's finalizer holds counts as given up.
func (c *Corrector) RemoveOwned(ctx context.Context, namespace, workload string) error {
	owned, err := Owned(ctx, c.Live, namespace)
	if err != nil {
		return err
	}
	var errs []error
	for _, object := range owned {
		if !Owns(object, workload) {
			continue
		}
		key, err := c.keyOf(object)
		if err == nil && object.GetDeletionTimestamp().IsZero() {
			err = c.remove(ctx, key, object)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Forget drops what is known to have been in place in a namespace that is being
// deleted: the API server takes it away, and one of the same name starts anew.
func (c *Corrector) Forget(namespace string) { c.memory.forgetNamespace(namespace) }

// Foreign is an object of somebody else that stands against a workload.
type Foreign struct {
	ControlID string
	Object    client.Object
	// Path and Was say what it opens.
	Path, Was string
	// Remove says that it may be deleted.
	Remove bool
}

// RemoveForeign deletes the exact version that was judged, where it may, and
// reports what it found.
func (c *Corrector) RemoveForeign(ctx context.Context, f Foreign) (*Drift, error) {
	started := c.Clock.Now()
	key, err := c.keyOf(f.Object)
	if err != nil {
		return nil, err
	}
	live, err := fresh(f.Object)
	if err != nil {
		return nil, err
	}
	if err := c.Live.Get(ctx, key.NamespacedName, live); err != nil {
		// Gone already: the cache has not heard of it yet.
		return nil, client.IgnoreNotFound(err)
	}
	r := removal{key: key, object: live, controlID: f.ControlID, path: f.Path, was: f.Was, started: started}
	if !f.Remove || live.GetResourceVersion() != f.Object.GetResourceVersion() || !live.GetDeletionTimestamp().IsZero() {
		// A newer version is judged when the cache has it.
		return ptr.To(c.found(ctx, r)), nil
	}
	if err := c.remove(ctx, key, live); err != nil {
		return ptr.To(c.found(ctx, r)), err
	}
	return ptr.To(c.removed(ctx, r)), nil
}

// removal is an object that must not be there.
type removal struct {
	key       memoryKey
	object    client.Object
	controlID string
	path, was string
	started   time.Time
}

// found tells of an object that stays for now.
func (c *Corrector) found(ctx context.Context, r removal) Drift {
	m := managersOf(r.object).who(nil)
	who := c.user(ctx, r.key, m.since, m.shown())
	if r.path == "" {
		r.path = wholeObject
	}
	return Drift{
		ControlID: r.controlID, Kind: r.key.kind, Namespace: r.key.Namespace, Name: r.key.Name,
		Path: r.path, Was: shorten(r.was), Want: absent, Who: who, Noticed: r.started,
	}
}

func (c *Corrector) removed(ctx context.Context, r removal) Drift {
	drift := c.found(ctx, r)
	drift.Corrected, drift.Took = true, c.Clock.Since(r.started)
	metrics.DriftCorrected(drift.Kind, drift.Took)
	return drift
}

// remove deletes exactly the version that was read.
func (c *Corrector) remove(ctx context.Context, key memoryKey, object client.Object) error {
	err := c.Client.Delete(ctx, object, client.Preconditions{
		UID: ptr.To(object.GetUID()), ResourceVersion: ptr.To(object.GetResourceVersion()),
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	c.memory.forget(key)
	log.FromContext(ctx).Info("Removed object", "kind", key.kind, "object", key.NamespacedName)
	return nil
}

func (c *Corrector) keyOf(object client.Object) (memoryKey, error) {
	gvk, err := apiutil.GVKForObject(object, c.Client.Scheme())
	if err != nil {
		return memoryKey{}, fmt.Errorf("finding the kind of %T: %w", object, err)
	}
	return memoryKey{kind: gvk.Kind, NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}}, nil
}
