package admission

import (
	"encoding/json"
	"testing"

	jsonpatchv5 "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/randfill"
)

func patchedPod(labels map[string]string, containers ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "api", Labels: labels}}
	for _, name := range containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: "registry.test/" + name})
	}
	return p
}

func TestPatchIsTheShortest(t *testing.T) {
	tests := map[string]struct {
		give   *corev1.Pod
		change func(*corev1.Pod)
		want   []jsonpatch.Operation
	}{
		"nothing changed": {
			give: patchedPod(nil, "api"), change: func(*corev1.Pod) {},
		},
		"a label beside others": {
			give:   patchedPod(map[string]string{"app": "api"}, "api"),
			change: func(p *corev1.Pod) { p.Labels["hipaa-operator.io/owner"] = "clinical" },
			want:   []jsonpatch.Operation{{Operation: "add", Path: "/metadata/labels/hipaa-operator.io~1owner", Value: "clinical"}},
		},
		"the first label": {
			give:   patchedPod(nil, "api"),
			change: func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} },
			want:   []jsonpatch.Operation{{Operation: "add", Path: "/metadata/labels", Value: map[string]string{"a": "b"}}},
		},
		"a label goes": {
			give:   patchedPod(map[string]string{"app": "api", "x~y": "z"}, "api"),
			change: func(p *corev1.Pod) { delete(p.Labels, "x~y") },
			want:   []jsonpatch.Operation{{Operation: "remove", Path: "/metadata/labels/x~0y"}},
		},
		"a security context where there was none": {
			give: patchedPod(nil, "api"),
			change: func(p *corev1.Pod) {
				p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(false)}
			},
			want: []jsonpatch.Operation{{
				Operation: "add", Path: "/spec/containers/0/securityContext",
				Value: &corev1.SecurityContext{Privileged: ptr.To(false)},
			}},
		},
		"a sidecar in front": {
			give: patchedPod(nil, "api", "log"),
			change: func(p *corev1.Pod) {
				p.Spec.Containers = append([]corev1.Container{{Name: "proxy"}}, p.Spec.Containers...)
			},
			want: []jsonpatch.Operation{{Operation: "add", Path: "/spec/containers/0", Value: corev1.Container{Name: "proxy"}}},
		},
		"limits where resources were empty": {
			give: patchedPod(nil, "api"),
			change: func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
			},
			want: []jsonpatch.Operation{{
				Operation: "add", Path: "/spec/containers/0/resources",
				Value: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}},
			}},
		},
		"a plain list": {
			give:   &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Args: []string{"a", "b", "c"}}}}},
			change: func(p *corev1.Pod) { p.Spec.Containers[0].Args[1] = "B" },
			want:   []jsonpatch.Operation{{Operation: "replace", Path: "/spec/containers/0/args/1", Value: "B"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := test.give.DeepCopy()
			test.change(changed)
			got := patch(test.give, changed)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
			assertLeadsTo(t, test.give, changed, got)
		})
	}
}

// assertLeadsTo applies operations to the JSON of one object and wants that of
// the other.
func assertLeadsTo[T any](t *testing.T, before, after *T, operations []jsonpatch.Operation) {
	t.Helper()
	document, want := encoded(t, before), encoded(t, after)
	if len(operations) > 0 {
		decoded, err := jsonpatchv5.DecodePatch(encoded(t, &operations))
		if err != nil {
			t.Fatalf("decoding the patch: %v", err)
		}
		if document, err = decoded.Apply(document); err != nil {
			t.Fatalf("applying %s: %v", encoded(t, &operations), err)
		}
	}
	var got, wanted T
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatalf("decoding what the patch led to: %v", err)
	}
	if err := json.Unmarshal(want, &wanted); err != nil {
		t.Fatalf("decoding what was wanted: %v", err)
	}
	if !apiequality.Semantic.DeepEqual(&got, &wanted) {
		t.Fatalf("the patch led elsewhere (-want +got):\n%s", cmp.Diff(wanted, got))
	}
}

func encoded[T any](t *testing.T, v *T) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding %T: %v", v, err)
	}
	return text
}

func FuzzPatch(f *testing.F) {
	for seed := range int64(200) {
		f.Add(seed, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed int64, neighbours bool) {
		before, after := randomPod(seed), randomPod(seed+1)
		if neighbours { // as mutation makes them, rather than strangers
			other := after
			after = before.DeepCopy()
			after.Labels = other.Labels
			after.Spec.InitContainers = append(other.Spec.InitContainers, after.Spec.InitContainers...)
			after.Spec.SecurityContext = other.Spec.SecurityContext
		}
		assertLeadsTo(t, before, after, patch(before, after))
	})
}

func randomPod(seed int64) *corev1.Pod {
	pod := &corev1.Pod{}
	randfill.NewWithSeed(seed).NilChance(0.4).NumElements(0, 3).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(c.Int63n(1000), resource.DecimalSI)
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.SetRawBytes([]byte("{}")) },
		func(s *string, c randfill.Continue) { *s = []string{"", "a", "b", "a/b", "~"}[c.Intn(5)] },
	).Fill(pod)
	return pod
}

func BenchmarkPatch(b *testing.B) {
	before := patchedPod(map[string]string{"app": "api"}, "api", "log", "proxy")
	after := before.DeepCopy()
	after.Labels["hipaa-operator.io/workload"] = "api"
	after.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(false)}
	b.ReportAllocs()
	for b.Loop() {
		patch(before, after)
	}
}
