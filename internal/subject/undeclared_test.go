package subject_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func TestUndeclaredPodsAreThoseThatNoWorkloadSelects(t *testing.T) {
	tests := map[string]struct {
		give []client.Object
		want []string
	}{
		"nothing runs":                           {},
		"a pod that nobody declared":             {give: []client.Object{apiPod()}, want: []string{"api-1"}},
		"the same in a namespace that is closed": {give: []client.Object{apiPod(), kept("")}, want: []string{"api-1"}},
		"a pod that has finished":                {give: []client.Object{finished()}},
		"a pod of a workload that nobody judged": {give: []client.Object{apiPod(), inStage("api", "")}},
		"a pod of an enforced workload":          {give: []client.Object{apiPod(), inStage("api", hipaav1.StageEnforced)}},
		"a pod of a workload that selects others": {
			give: []client.Object{apiPod(), workload("web", map[string]string{"app": "web"})}, want: []string{"api-1"},
		},
		"the oldest first": {
			give: []client.Object{since(pod("b", nil), 2*time.Hour), since(pod("c", nil), time.Hour), since(pod("a", nil), 2*time.Hour)},
			want: []string{"c", "a", "b"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader, scene := sceneOf(t, test.give...)
			undeclared, err := loader.Undeclared(t.Context(), scene)
			if err != nil {
				t.Fatalf("Undeclared: %v", err)
			}
			var got []string
			for _, pod := range undeclared {
				got = append(got, pod.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("undeclared pods (-want +got):\n%s", diff)
			}
		})
	}
}

// cachedPods is a cache that holds pods and nothing else.
type cachedPods struct {
	client.Reader
	pods []corev1.Pod
}

func (c cachedPods) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	list, isPods := into.(*corev1.PodList)
	if !isPods {
		return fmt.Errorf("listing %T: only pods are here", into)
	}
	list.Items = slices.Clone(c.pods)
	return nil
}

// One look at a namespace with 10,000 pods, half of them undeclared, and 100
// workloads.
func BenchmarkUndeclared(b *testing.B) {
	scene := &subject.Scene{Namespace: phiNamespace("ehr")}
	for i := range 100 {
		scene.Workloads = append(scene.Workloads, workload("w", map[string]string{"app": fmt.Sprintf("w%d", i)}))
	}
	cache := cachedPods{}
	for i := range 10000 {
		cache.pods = append(cache.pods, *since(pod(fmt.Sprintf("p%d", i), map[string]string{"app": fmt.Sprintf("w%d", i%200)}), time.Duration(i)*time.Second))
	}
	loader := &subject.Loader{Cache: cache}
	for b.Loop() {
		undeclared, err := loader.Undeclared(b.Context(), scene)
		if err != nil || len(undeclared) != 5000 {
			b.Fatalf("found %d: %v", len(undeclared), err)
		}
	}
}
