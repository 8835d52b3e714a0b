package subject

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Files answers from objects of manifests as an API server would that has nothing
// else, so that a Loader makes the same Subject of them as at admission. What it
// hands out is shared.
type Files struct {
	scheme  *runtime.Scheme
	objects map[schema.GroupVersionKind][]client.Object
	// beneath is asked for what the manifests do not have; nil where there is nothing.
	beneath client.Reader
}

// FromFiles reads objects whose kinds the scheme knows.
func FromFiles(scheme *runtime.Scheme, objects []client.Object) (*Files, error) {
	f := &Files{scheme: scheme, objects: map[schema.GroupVersionKind][]client.Object{}}
	for _, o := range objects {
		gvk, err := apiutil.GVKForObject(o, scheme)
		if err != nil {
			return nil, fmt.Errorf("reading %T %s: %w", o, client.ObjectKeyFromObject(o), err)
		}
		f.objects[gvk] = append(f.objects[gvk], o)
	}
	return f, nil
}

// Over is the files, and for what they do not have somebody else.
func (f *Files) Over(beneath client.Reader) *Files {
	over := *f
	over.beneath = beneath
	return &over
}

// Get reads an object of the files, or the one that is beneath.
func (f *Files) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(into, f.scheme)
	if err != nil {
		return fmt.Errorf("reading %T: %w", into, err)
	}
	for _, o := range f.objects[gvk] {
		if client.ObjectKeyFromObject(o) == key {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(o).Elem())
			return nil
		}
	}
	if f.beneath != nil {
		return f.beneath.Get(ctx, key, into, options...)
	}
	return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, key.Name)
}

// List reads the objects of the files, and those beneath that they do not replace.
// By a field nothing can be selected, as files have no index.
func (f *Files) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(into, f.scheme)
	if err != nil {
		return fmt.Errorf("listing %T: %w", into, err)
	}
	gvk.Kind = gvk.Kind[:len(gvk.Kind)-len("List")]
	var o client.ListOptions
	o.ApplyOptions(options)
	if o.FieldSelector != nil && f.beneath == nil {
		return fmt.Errorf("listing %s: manifests do not tell which have %s", gvk.Kind, o.FieldSelector)
	}
	var found []runtime.Object
	standing := map[types.NamespacedName]bool{}
	for _, object := range f.objects[gvk] {
		standing[client.ObjectKeyFromObject(object)] = true
		if selects(&o, object) {
			found = append(found, object)
		}
	}
	if f.beneath != nil {
		if err := f.beneath.List(ctx, into, options...); err != nil {
			return err
		}
		beneath, err := meta.ExtractList(into)
		if err != nil {
			return fmt.Errorf("listing %s: %w", gvk.Kind, err)
		}
		found = append(found, slices.DeleteFunc(beneath, func(object runtime.Object) bool {
			is, ok := object.(client.Object)
			return ok && standing[client.ObjectKeyFromObject(is)]
		})...)
	}
	return meta.SetList(into, found)
}

func selects(o *client.ListOptions, object client.Object) bool {
	if o.Namespace != "" && o.Namespace != object.GetNamespace() {
		return false
	}
	return o.LabelSelector == nil || o.LabelSelector.Matches(labels.Set(object.GetLabels()))
}
