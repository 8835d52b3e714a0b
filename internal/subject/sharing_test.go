package subject

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
)

// What has several things in common with a namespace, or with several objects of it, is
// listed once, however many there are.
func TestWhatIsSharedIsListedOnce(t *testing.T) {
	const others = 50
	indexer := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{
		byShared: sharedBy(func(*unstructured.Unstructured) []string { return []string{"vault database", "vault cache"} }),
	})
	reader := func(namespace, name string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		u.SetNamespace(namespace)
		u.SetName(name)
		return u
	}
	own := []any{reader("ehr", "a"), reader("ehr", "b")}
	for _, object := range own {
		if err := indexer.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	for i := range others {
		if err := indexer.Add(reader(fmt.Sprintf("lab-%d", i), "a")); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]int{}
	for _, other := range sharing(indexer, own...) {
		told[other.GetNamespace()]++
	}
	if len(told) != others || told["ehr"] != 0 || told["lab-0"] != 1 || told["lab-49"] != 1 {
		t.Errorf("told of %v", told)
	}
}
