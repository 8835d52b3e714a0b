package control

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// ReportType is a type of custom resource in which another system reports. It is read
// with its status.
type ReportType struct {
	ResourceType
	// Trim takes out of a report what nobody reads. It may change what it is given.
	Trim func(*unstructured.Unstructured)
	// Everywhere says that a report may be about any namespace, wherever it is itself.
	Everywhere bool
	// AtAdmission says that it is also asked for when a route of the Gateway API comes
	// to admission, in the namespaces of the Gateways that the route names.
	AtAdmission bool
	// Shares names what a report has in common with those of other namespaces, which then
	// count for its namespace as well. Optional.
	Shares func(*unstructured.Unstructured) []string
}

// Same reports whether two controls read a type in one way.
func (t ReportType) Same(other ReportType) bool {
	return t.ResourceType == other.ResourceType && t.Everywhere == other.Everywhere && t.AtAdmission == other.AtAdmission &&
		reflect.ValueOf(t.Trim).Pointer() == reflect.ValueOf(other.Trim).Pointer() &&
		reflect.ValueOf(t.Shares).Pointer() == reflect.ValueOf(other.Shares).Pointer()
}

// HasCondition reports whether a resource says in its status that a condition is True.
func HasCondition(r *unstructured.Unstructured, name string) bool {
	status, _ := ConditionOf(r, name)
	return status == metav1.ConditionTrue
}

// ConditionOf is what a resource says of a condition in its status: nothing, both empty,
// where it has none.
func ConditionOf(r *unstructured.Unstructured, name string) (status metav1.ConditionStatus, reason string) {
	conditions, _, _ := unstructured.NestedSlice(r.Object, "status", "conditions") // what is no list says nothing
	for _, c := range conditions {
		if condition, is := c.(map[string]any); is && condition["type"] == name {
			says, _, _ := unstructured.NestedString(condition, "status")
			reason, _, _ = unstructured.NestedString(condition, "reason")
			return metav1.ConditionStatus(says), reason
		}
	}
	return "", ""
}

// LabelClaimNamespace is what Crossplane writes on resources of the whole cluster that
// it makes for a claim.
const LabelClaimNamespace = "crossplane.io/claim-namespace"

// ResourceType is a type of custom resource in the version in which it is read.
type ResourceType struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Kind     string `json:"kind"`
	Resource string `json:"resource"`
}

// Is reports whether a resource is of the type.
func (t ResourceType) Is(r *unstructured.Unstructured) bool {
	return r.GetKind() == t.Kind && r.GetAPIVersion() == t.Group+"/"+t.Version
}

// IsKind reports whether a resource is of the type, in whatever version it is read.
func (t ResourceType) IsKind(r *unstructured.Unstructured) bool {
	return r.GroupVersionKind().GroupKind() == schema.GroupKind{Group: t.Group, Kind: t.Kind}
}

// In is the type in another version. Of the versions that controls know, the objects of a
// cluster are read in one: the most stable that it serves.
func (t ResourceType) In(version string) ResourceType {
	t.Version = version
	return t
}

// GroupVersionResource is how the API server serves it.
func (t ResourceType) GroupVersionResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: t.Group, Version: t.Version, Resource: t.Resource}
}

// CRD is the name of the CustomResourceDefinition.
func (t ResourceType) CRD() string { return t.Resource + "." + t.Group }

// String is the type as people read it: "buckets.s3.services.k8s.aws/v1alpha1".
func (t ResourceType) String() string { return fmt.Sprintf("%s/%s", t.CRD(), t.Version) }

// Compare orders types by group, resource and version.
func (t ResourceType) Compare(other ResourceType) int {
	return cmp.Or(cmp.Compare(t.Group, other.Group), cmp.Compare(t.Resource, other.Resource), cmp.Compare(t.Version, other.Version))
}

// UniqueTypes sorts types and leaves each once. It may change what it is given.
func UniqueTypes(types []ResourceType) []ResourceType {
	slices.SortFunc(types, ResourceType.Compare)
	return slices.Compact(types)
}

// NamespaceOf is the namespace whose PHI a resource serves: its own, or that of the
// claim which Crossplane made it for. Empty where it tells none.
func NamespaceOf(r *unstructured.Unstructured) string {
	return cmp.Or(r.GetNamespace(), r.GetLabels()[LabelClaimNamespace])
}

// CountsFor reports whether a resource is evidence about a namespace: it serves it,
// or it says that it holds PHI and not whose. What holds nobody's PHI in particular
// can fail everybody; it is no evidence that anybody's safeguard is in place.
func CountsFor(r *unstructured.Unstructured, namespace string) bool {
	return NamespaceOf(r) == namespace || ServesNobody(r)
}

// ServesNobody reports whether a resource says that it holds PHI, and not whose.
func ServesNobody(r *unstructured.Unstructured) bool {
	return NamespaceOf(r) == "" && r.GetLabels()[hipaav1.LabelPHI] == hipaav1.LabelPHIValue
}

// CompareResources orders resources by kind, namespace and name.
func CompareResources(a, b *unstructured.Unstructured) int {
	return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetAPIVersion(), b.GetAPIVersion()), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
}
