package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// still is a cache that costs as little as an informer's: it hands out what it
// holds.
type still struct{ objects []client.Object }

func newStill(objects ...client.Object) *still { return &still{objects: objects} }

// Get hands out one object.
func (s *still) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, o := range s.objects {
		if reflect.TypeOf(o) == reflect.TypeOf(into) && client.ObjectKeyFromObject(o) == key {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(o).Elem())
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", into)}, key.Name)
}

// List hands out all objects of a type.
func (s *still) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	items := reflect.ValueOf(into).Elem().FieldByName("Items")
	items.SetZero()
	for _, object := range s.objects {
		if v := reflect.ValueOf(object).Elem(); v.Type() == items.Type().Elem() && (o.Namespace == "" || object.GetNamespace() == o.Namespace) {
			items.Set(reflect.Append(items, v))
		}
	}
	return nil
}

// GetInformer watches for changes that never come.
func (s *still) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return controllertest.NewFakeInformer(), nil
}

// benchmarkPod is a pod of three containers as the API server sends it: 4.4 KB.
func benchmarkPod() *corev1.Pod {
	return phitest.Pod("patient-api").Container("cache").Container("logs").Mounts("data", "data").With(func(p *corev1.Pod) {
		p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1"}}
		for i := range p.Spec.Containers {
			c := &p.Spec.Containers[i]
			for n := range 12 {
				c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", n), Value: "https://service.example.org/path"})
			}
			c.Ports = []corev1.ContainerPort{{Name: fmt.Sprintf("p%d", i), ContainerPort: int32(8080 + i), Protocol: corev1.ProtocolTCP}}
			c.Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")}
			c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data", ReadOnly: true}}
			c.TerminationMessagePath, c.TerminationMessagePolicy = "/dev/termination-log", corev1.TerminationMessageReadFile
			c.ImagePullPolicy = corev1.PullIfNotPresent
		}
		p.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
		p.Spec.SchedulerName = "default-scheduler"
	}).Obj()
}

// BenchmarkPod is what one pod costs the operator: both webhooks, from the body
// of the request to the body of the answer.
func BenchmarkPod(b *testing.B) {
	cached := newStill(append(world(), phitest.Claim("data").Obj())...)
	g := unitGate(b, catalog.All(), cached)
	var err error
	if g.Loader, err = subject.Keeping(b.Context(), cached, cached); err != nil {
		b.Fatal(err)
	}
	pod := benchmarkPod()
	mutate, err := json.Marshal(review(b, admissionv1.Create, pod, nil))
	if err != nil {
		b.Fatal(err)
	}
	maps.Copy(pod.Labels, labelled(b, g).Labels)
	validate, err := json.Marshal(review(b, admissionv1.Create, pod, nil))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ReportMetric(float64(len(validate)), "bytes/review")
	for b.Loop() {
		if a := ask(b, g, "/mutate/pods", mutate); !a.Allowed || a.Patch == nil {
			b.Fatalf("mutating: %+v", a)
		}
		if a := ask(b, g, "/validate/pods", validate); !a.Allowed {
			b.Fatalf("validating: %+v", a.Result)
		}
	}
}
