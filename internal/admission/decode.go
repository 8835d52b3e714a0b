package admission

import (
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// unmarshal reads JSON as the API server does, names as they are spelled. It
// refuses what the API server never writes and readers understand differently:
// a name that stands twice in an object, and text that is no UTF-8.
func unmarshal(text []byte, into any) error { return jsonv2.Unmarshal(text, into) }

// decode reads one object of a request. The kind stands in the request, so the
// object is read in one pass, straight into its type.
func decode[T any](req *admission.Request, raw *runtime.RawExtension) (*T, error) {
	if len(raw.Raw) == 0 {
		return nil, senseless{fmt.Sprintf("the request about %s of %s brings no object", req.Operation, gvk(req))}
	}
	object := new(T)
	if err := unmarshal(raw.Raw, object); err != nil {
		// The error may quote the object, so it is not passed on.
		return nil, senseless{fmt.Sprintf("the object of the request is no %s that this version of hipaa-operator can read", gvk(req))}
	}
	return object, nil
}

// namespaced is a pointer to a type whose metadata can be set.
type namespaced[T any] interface {
	*T
	metav1.Object
}

// decodeNew reads the object under review. Where the client left the namespace
// to the path of the request, it is filled in.
func decodeNew[T any, P namespaced[T]](req *admission.Request) (*T, error) {
	object, err := decode[T](req, &req.Object)
	if err != nil {
		return nil, err
	}
	if P(object).GetNamespace() == "" {
		P(object).SetNamespace(req.Namespace)
	}
	return object, nil
}

// decodeOld reads what the object under review replaces.
func decodeOld[T any](req *admission.Request) (*T, error) {
	return decode[T](req, &req.OldObject)
}

func gvk(req *admission.Request) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: req.Kind.Group, Version: req.Kind.Version, Kind: req.Kind.Kind}
}

// expect refuses requests about other kinds than those the webhook is for: its
// configuration was changed.
func expect(req *admission.Request, kinds ...schema.GroupVersionKind) error {
	if slices.Contains(kinds, gvk(req)) {
		return nil
	}
	return misdirected(req)
}

func misdirected(req *admission.Request) error {
	return senseless{fmt.Sprintf("this webhook of hipaa-operator does not judge %s: its configuration has been changed; restore it from the release", gvk(req))}
}
