package subject

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func servedThings(group string) control.ResourceType {
	return control.ResourceType{Group: group, Version: "v1beta1", Kind: "Thing", Resource: "things"}
}

// definitionOf is the CRD of things of a group, established and served.
func definitionOf(group string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "things." + group},
		"spec": map[string]any{"names": map[string]any{"kind": "Thing"}, "versions": []any{
			map[string]any{"name": "v1alpha1", "served": false}, map[string]any{"name": "v1beta1", "served": true}, map[string]any{"name": "v1", "served": true},
		}},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}},
	}}
}

// What may not be read of a family is told, and keeps nobody from reading the rest.
func TestFamiliesAreReadAsFarAsTheyMayBe(t *testing.T) {
	const read, forbidden, other, foreign = "a.family.example.org", "b.family.example.org", "c.family.example.org", "d.example.org"
	thing := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": read + "/v1beta1", "kind": "Thing",
		"metadata": map[string]any{"namespace": "ehr", "name": "records", "labels": map[string]any{"team": "lab"}}, "spec": map[string]any{"size": "large"},
	}}
	lists := map[schema.GroupVersionResource]string{definitions: "CustomResourceDefinitionList"}
	for _, group := range []string{read, forbidden} {
		lists[servedThings(group).GroupVersionResource()] = "ThingList"
	}
	cluster := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists,
		definitionOf(read), definitionOf(forbidden), definitionOf(other), definitionOf(foreign), thing)
	cluster.PrependReactor("list", "things", func(action clienttesting.Action) (bool, runtime.Object, error) {
		resource := action.GetResource()
		return resource.Group == forbidden, nil, apierrors.NewForbidden(resource.GroupResource(), "", nil)
	})
	r := WatchResources(nil, []control.Family{{Suffix: ".family.example.org", Read: []string{"a", "b"}}}, cluster)
	if _, _, err := r.of("ehr"); err == nil {
		t.Error("before anything is known it is told that there is nothing")
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	told := make(chan struct{}, 1)
	if err := r.Start(ctx, func(*unstructured.Unstructured) {
		select {
		case told <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	await := func(what string, want []control.ServedType) []*unstructured.Unstructured {
		t.Helper()
		for {
			list, served, err := r.of("ehr")
			if err == nil && slices.Equal(want, served) {
				return list
			}
			select {
			case <-told:
			case <-ctx.Done():
				t.Fatalf("%s: served %v, error %v, want %v", what, served, err, want)
			}
		}
	}
	list := await("at first", []control.ServedType{
		{ResourceType: servedThings(read), Read: true}, {ResourceType: servedThings(forbidden)}, {ResourceType: servedThings(other)},
	})
	want := []map[string]any{{"apiVersion": read + "/v1beta1", "kind": "Thing", "metadata": thing.Object["metadata"]}}
	if diff := cmp.Diff(want, objectsOf(list)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}

	for _, group := range []string{read, other} {
		if err := cluster.Resource(definitions).Delete(ctx, "things."+group, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if list := await("after two went", []control.ServedType{{ResourceType: servedThings(forbidden)}}); len(list) > 0 {
		t.Errorf("what is not served any more is still there: %v", objectsOf(list))
	}
}

func objectsOf(list []*unstructured.Unstructured) []map[string]any {
	var objects []map[string]any
	for _, u := range list {
		objects = append(objects, u.Object)
	}
	return objects
}
