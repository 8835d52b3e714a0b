package apply

import (
	"errors"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Versions remembers in which version the statuses of one kind were written last. A
// pass that finds nothing to write may have compared with a status of before the
// last one: only the memory tells. The zero value is ready, and safe for concurrent
// use.
type Versions struct {
	mu      sync.Mutex
	written map[types.NamespacedName]string
}

// Wrote notes the version that an object got by a write.
func (v *Versions) Wrote(object client.Object, version string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.written == nil {
		v.written = map[types.NamespacedName]string{}
	}
	v.written[client.ObjectKeyFromObject(object)] = version
}

// Caught returns nil where an object is as new as what was written last, and then
// forgets about it; else a conflict, as a write over the old version would be.
func (v *Versions) Caught(object client.Object) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := client.ObjectKeyFromObject(object)
	written, waiting := v.written[name]
	if !waiting {
		return nil
	}
	// What is no number cannot be compared, so it counts as new.
	if order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), written); err == nil && order < 0 {
		return apierrors.NewConflict(schema.GroupResource{Resource: "status"}, name.String(), errBehind)
	}
	delete(v.written, name)
	return nil
}

// Forget forgets an object that is going.
func (v *Versions) Forget(object client.Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.written, client.ObjectKeyFromObject(object))
}

var errBehind = errors.New("the cache does not have the last status yet")
