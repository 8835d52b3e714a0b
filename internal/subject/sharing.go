package subject

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
)

// byShared indexes resources by what they have in common with those of other namespaces.
const byShared = "hipaa.shared"

func sharedBy(share func(*unstructured.Unstructured) []string) toolscache.IndexFunc {
	return func(object any) ([]string, error) {
		resource, is := object.(*unstructured.Unstructured)
		if !is {
			return nil, nil
		}
		return share(resource), nil
	}
}

// sharing lists what of other namespaces has something in common with some objects, each
// once. The index is one of ours, and knows what it is asked.
func sharing(indexer toolscache.Indexer, objects ...any) []*unstructured.Unstructured {
	var list []*unstructured.Unstructured
	listed := map[*unstructured.Unstructured]bool{}
	for _, object := range objects {
		if tombstone, is := object.(toolscache.DeletedFinalStateUnknown); is {
			object = tombstone.Obj
		}
		own, is := object.(*unstructured.Unstructured)
		if !is {
			continue
		}
		others, _ := indexer.Index(byShared, own)
		for i := range others {
			other, is := others[i].(*unstructured.Unstructured)
			if is && other.GetNamespace() != own.GetNamespace() && !listed[other] {
				list, listed[other] = append(list, other), true
			}
		}
	}
	return list
}

// sharing lists what of other namespaces has something in common with what is in one.
func (r *Resources) sharing(namespace string) []*unstructured.Unstructured {
	var list []*unstructured.Unstructured
	for t, w := range r.watched {
		if r.shares[t] == nil {
			continue
		}
		own, _ := w.informer.GetIndexer().ByIndex(byServed, namespace) // an index of ours
		list = append(list, sharing(w.informer.GetIndexer(), own...)...)
	}
	return list
}

// Sharing names the other namespaces that have something in common with one, sorted.
func (r *Resources) Sharing(namespace string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for _, other := range r.sharing(namespace) {
		names = append(names, other.GetNamespace())
	}
	slices.Sort(names)
	return slices.Compact(names)
}
