package subject

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// note takes down whether the cluster serves the type of a CRD that belongs to a family,
// and watches it where that is asked for. It reports whether anything is new.
func (r *Resources) note(crd *unstructured.Unstructured, served map[string]bool) bool {
	resource, group, _ := strings.Cut(crd.GetName(), ".")
	family := control.FamilyOf(r.families, group)
	if family == nil {
		return false
	}
	is, there := control.ResourceType{Group: group, Resource: resource}, len(served) > 0
	is.Kind, _, _ = unstructured.NestedString(crd.Object, "spec", "names", "kind") // a CRD has one
	is.Version = firstServed(crd, served)
	watches := family.Reads(group) && !slices.ContainsFunc(r.types, func(t control.ResourceType) bool { return t.CRD() == crd.GetName() })
	was, known := r.member(crd.GetName())
	if known == there && (was == is || !there) {
		return false
	}
	if known && watches {
		r.set(was, false)
	}
	if there && watches {
		r.set(is, true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if there {
		r.members[crd.GetName()] = is
	} else {
		delete(r.members, crd.GetName())
	}
	return true
}

func (r *Resources) member(crd string) (control.ResourceType, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t, known := r.members[crd]
	return t, known
}

// firstServed is the version that a CRD names first of those that it serves. Metadata are
// the same in each.
func firstServed(crd *unstructured.Unstructured, served map[string]bool) string {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for i := range versions {
		if version, is := versions[i].(map[string]any); is && served[fmt.Sprint(version["name"])] {
			return fmt.Sprint(version["name"])
		}
	}
	return ""
}

// servedTypes lists the types of families, sorted. Whoever calls it holds the lock.
func (r *Resources) servedTypes() []control.ServedType {
	read := map[string]bool{} // in whatever version
	for t, w := range r.watched {
		read[t.CRD()] = read[t.CRD()] || w.informer.HasSynced()
	}
	list := make([]control.ServedType, 0, len(r.members))
	for crd, t := range r.members {
		list = append(list, control.ServedType{ResourceType: t, Read: read[crd]})
	}
	slices.SortFunc(list, func(a, b control.ServedType) int { return a.Compare(b.ResourceType) })
	return list
}

// byMetadata reports whether a type is watched for its family alone.
func (r *Resources) byMetadata(t control.ResourceType) bool { return !slices.Contains(r.types, t) }

// trimToMetadata keeps of a resource that it is there, and whom it serves.
func trimToMetadata(object any) (any, error) {
	resource, is := object.(*unstructured.Unstructured)
	if !is {
		return object, nil
	}
	return Trim(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GetAPIVersion(), "kind": resource.GetKind(), "metadata": resource.Object["metadata"],
	}})
}
