package subject_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// declaredNamespace is older than a day, and somebody labelled it at noon.
func declaredNamespace() *corev1.Namespace {
	n := phiNamespace("ehr")
	n.CreationTimestamp = metav1.NewTime(noon.AddDate(0, 0, -1))
	n.ManagedFields = []metav1.ManagedFieldsEntry{
		field("kubectl-create", noon.AddDate(0, 0, -1), `{"f:metadata":{"f:labels":{"f:team":{}}}}`),
		field("kubectl-label", noon, fmt.Sprintf(`{"f:metadata":{"f:labels":{"f:%s":{}}}}`, hipaav1.LabelPHI)),
		field("argocd", noon.Add(time.Hour), fmt.Sprintf(`{"f:metadata":{"f:labels":{"f:%s":{}}}}`, hipaav1.LabelPHI)),
	}
	return n
}

func field(manager string, at time.Time, set string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: ptr.To(metav1.NewTime(at)),
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(set),
	}
}

// made gives an object an age and what controls it.
func made[T client.Object](object T, after time.Duration, controller client.Object) T {
	object.SetNamespace("ehr")
	object.SetUID(types.UID(object.GetName()))
	object.SetCreationTimestamp(metav1.NewTime(noon.Add(after)))
	if controller != nil {
		object.SetOwnerReferences([]metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: kindOf(controller), Name: controller.GetName(), UID: controller.GetUID(), Controller: ptr.To(true),
		}})
	}
	return object
}

func kindOf(object client.Object) string {
	if _, is := object.(*appsv1.Deployment); is {
		return "Deployment"
	}
	return "ReplicaSet"
}

func TestPredatingPodsAreThoseThatClosingWouldCut(t *testing.T) {
	old := func() *corev1.Pod { return made(pod("api-1", map[string]string{"app": "api"}), -time.Hour, nil) }
	finished := old()
	finished.Status.Phase = corev1.PodSucceeded
	deployment := made(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, -time.Hour, nil)
	set := made(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "api-2"}}, time.Minute, deployment)
	another := made(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "api-2"}}, -time.Hour, nil)
	another.UID = "another"
	staged := workload("api", map[string]string{"app": "api"})
	staged.Status.Stage = hipaav1.StagePreviewing
	deny := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ehr", Name: "closed", Labels: map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue},
	}}
	ofWorkload := deny.DeepCopy()
	ofWorkload.Labels[hipaav1.LabelWorkload] = "api"
	tests := map[string]struct {
		give []client.Object
		want []string
	}{
		"a pod that is older than the declaration": {give: []client.Object{old()}, want: []string{"api-1"}},
		"a pod that came after it":                 {give: []client.Object{made(pod("api-1", nil), time.Second, nil)}},
		"a pod of the same second":                 {give: []client.Object{made(pod("api-1", nil), 0, nil)}},
		"a pod that has finished":                  {give: []client.Object{finished}},
		"a young pod of an old Deployment": {
			give: []client.Object{deployment, set, made(pod("api-2-x", nil), time.Hour, set)}, want: []string{"api-2-x"},
		},
		"a young pod that names a controller which is another by now": {
			give: []client.Object{another, made(pod("api-2-x", nil), time.Hour, set)},
		},
		"a young pod whose controller has gone": {give: []client.Object{made(pod("api-2-x", nil), time.Hour, set)}},
		"a pod that a workload claims whose cuts nobody has looked at": {
			give: []client.Object{old(), workload("api", map[string]string{"app": "api"})}, want: []string{"api-1"},
		},
		"a pod that a workload has taken on":              {give: []client.Object{old(), staged}},
		"a namespace that has been closed":                {give: []client.Object{old(), deny}},
		"a namespace with no more than a workload's rule": {give: []client.Object{old(), ofWorkload}, want: []string{"api-1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all := fake.NewClientBuilder().WithScheme(scheme(t)).WithReturnManagedFields().
				WithObjects(append(test.give, declaredNamespace())...).Build()
			loader := subject.Loader{Cache: all, Live: all}
			scene, err := loader.Scene(t.Context(), "ehr")
			if err != nil {
				t.Fatalf("Scene: %v", err)
			}
			got, err := loader.Predating(t.Context(), scene)
			if err != nil {
				t.Fatalf("Predating: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("predating pods (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAControlEntersTheNamespaceWithTheLastWorkload(t *testing.T) {
	with := func(name string, results ...hipaav1.ControlResult) *hipaav1.PHIWorkload {
		w := workload(name, nil)
		w.Status.Controls = results
		return w
	}
	in := func(id string) hipaav1.ControlResult {
		return hipaav1.ControlResult{ID: id, Stage: hipaav1.StageEnforced}
	}
	out := func(id string) hipaav1.ControlResult {
		return hipaav1.ControlResult{ID: id, Stage: hipaav1.StagePreviewing}
	}
	tests := map[string]struct {
		give []*hipaav1.PHIWorkload
		want map[string]bool
	}{
		"no workload":                          {},
		"one that nobody has judged":           {give: []*hipaav1.PHIWorkload{with("new")}},
		"one":                                  {give: []*hipaav1.PHIWorkload{with("a", in("x"), out("y"))}, want: map[string]bool{"x": true}},
		"one beside one that nobody judged":    {give: []*hipaav1.PHIWorkload{with("a", in("x")), with("new")}, want: map[string]bool{"x": true}},
		"two that differ":                      {give: []*hipaav1.PHIWorkload{with("a", in("x"), in("y")), with("b", in("x"), out("y"))}, want: map[string]bool{"x": true}},
		"one in which nothing has entered yet": {give: []*hipaav1.PHIWorkload{with("a", in("x")), with("b", out("x"))}, want: map[string]bool{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scene := subject.Scene{Workloads: test.give}
			if diff := cmp.Diff(test.want, scene.Entered(nil)); diff != "" {
				t.Errorf("entered (-want +got):\n%s", diff)
			}
		})
	}
}
