package backstop

import (
	"context"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// informed is a cache whose events the test sends.
type informed struct {
	client.Client
	events *controllertest.FakeInformer
}

func (i informed) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return i.events, nil
}

// watching is a Watch on objects that were there before.
func watching(t *testing.T, objects ...client.Object) (*Watch, informed, *clocktesting.FakeClock) {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(hipaav1.AddToScheme(scheme))
	i := informed{fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), controllertest.NewFakeInformer()}
	clock := clocktesting.NewFakeClock(phitest.Epoch)
	w, err := NewWatch(t.Context(), i, "mine", clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if err := i.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		w.note(object, time.Time{})
	}
	return w, i, clock
}

func TestTheParametersTellWhatTheyReflect(t *testing.T) {
	w := phitest.Workload("api").Stored().Obj()
	x := phitest.Exception("x", "api", "pod-hardening").Obj()
	x.UID = "0123456789"
	before := States([]*hipaav1.PHIWorkload{w}, []*hipaav1.ControlException{x})
	parameters := Parameters("ehr", &hipaav1.BackstopSpec{Reflects: before})
	approved := phitest.Exception("x", "api", "pod-hardening").ApprovedBy("officer@example.org").Obj()
	approved.UID = x.UID
	changed := w.DeepCopy()
	changed.Generation++
	for name, c := range map[string]struct {
		namespace string
		states    []string
		want      bool
	}{
		"as it stands":                         {"ehr", before, true},
		"nothing in particular":                {"ehr", nil, true},
		"a namespace that has none":            {"other", nil, false},
		"an exception that was approved since": {"ehr", States(nil, []*hipaav1.ControlException{approved}), false},
		"a workload that was changed since":    {"ehr", States([]*hipaav1.PHIWorkload{changed}, nil), false},
	} {
		w, _, _ := watching(t, parameters)
		if got := w.Knows(t.Context(), c.namespace, c.states); got != c.want {
			t.Errorf("%s: known %t, want %t", name, got, c.want)
		}
	}
}

func TestNewParametersAreKnownOnceAPIServersHaveThemToo(t *testing.T) {
	first := Parameters("ehr", &hipaav1.BackstopSpec{Reflects: []string{"first"}})
	w, cache, clock := watching(t, first)
	knows := func(state string) bool { return w.Knows(t.Context(), "ehr", []string{state}) }
	if !knows("first") {
		t.Error("what stood at the start is not known")
	}
	second := first.DeepCopy()
	if err := cache.Get(t.Context(), client.ObjectKeyFromObject(first), second); err != nil {
		t.Fatal(err)
	}
	old := second.DeepCopy()
	second.Spec.Reflects = []string{"second"}
	if err := cache.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if knows("second") {
		t.Error("known before the cache has told")
	}
	cache.events.Update(old, second)
	if knows("second") {
		t.Error("known at once")
	}
	clock.Step(settling)
	if !knows("second") {
		t.Error("not known after API servers have had time")
	}
	cache.events.Update(second, second)
	if !knows("second") {
		t.Error("told of once more, it counts as new")
	}
	cache.events.Delete(second)
	if knows("second") {
		t.Error("known after the cache told that it is gone")
	}
}

func TestOnlyALaterWebhookOnNewPodsCouldMendThem(t *testing.T) {
	configuration := func(name, group, resource string, operation admissionregistrationv1.OperationType) *admissionregistrationv1.MutatingWebhookConfiguration {
		return &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.MutatingWebhook{{Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{operation},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, Resources: []string{resource}},
			}}}},
		}
	}
	create, update := admissionregistrationv1.Create, admissionregistrationv1.Update
	for name, c := range map[string]struct {
		give *admissionregistrationv1.MutatingWebhookConfiguration
		want bool
	}{
		"one before":            {configuration("early", "", "pods", create), true},
		"our own":               {configuration("mine", "", "pods", create), true},
		"one after":             {configuration("other", "", "pods", create), false},
		"one after, about all":  {configuration("other", "*", "*", admissionregistrationv1.OperationAll), false},
		"one about other kinds": {configuration("other", "", "services", create), true},
		"one about updates":     {configuration("other", "", "pods", update), true},
		"one of another group":  {configuration("other", "metrics.k8s.io", "pods", create), true},
	} {
		w, _, _ := watching(t, c.give)
		if got := w.Last(t.Context(), corev1.Resource("pods")); got != c.want {
			t.Errorf("%s: last %t, want %t", name, got, c.want)
		}
	}
}
