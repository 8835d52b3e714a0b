package subject

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// What is served in several versions is one object all the same.
func TestOfAllVersionsOneIsRead(t *testing.T) {
	const group = "tools.example.org"
	things := servedThings(group)
	tests := map[string]struct {
		known []string
		want  []string
	}{
		"the most stable of those that are known and served": {[]string{"v1alpha1", "v1beta1", "v1"}, []string{"v1"}},
		"an older one where the newer is not known":          {[]string{"v1beta1", "v2"}, []string{"v1beta1"}},
		"none where none is served":                          {[]string{"v1alpha1", "v2"}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			lists := map[schema.GroupVersionResource]string{definitions: "CustomResourceDefinitionList"}
			var types []control.ResourceType
			var objects []runtime.Object
			for _, version := range tc.known {
				lists[things.In(version).GroupVersionResource()] = "ThingList"
				types = append(types, things.In(version))
				objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": group + "/" + version, "kind": "Thing", "metadata": map[string]any{"namespace": "ehr", "name": "records"},
				}})
			}
			r := WatchResources(types, nil, fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, append(objects, definitionOf(group))...))
			told := make(chan struct{}, 1)
			if err := r.Start(t.Context(), func(*unstructured.Unstructured) {
				select {
				case told <- struct{}{}:
				default:
				}
			}); err != nil {
				t.Fatal(err)
			}
			for {
				list, _, err := r.of("ehr")
				if err != nil {
					<-told
					continue
				}
				var got []string
				for _, object := range list {
					got = append(got, object.GroupVersionKind().Version)
				}
				if !slices.Equal(tc.want, got) {
					t.Errorf("versions read are %v, want %v", got, tc.want)
				}
				return
			}
		})
	}
}
