package backstop

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func watching(objects ...client.Object) *Watch {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(hipaav1.AddToScheme(scheme))
	return &Watch{Cache: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), Mutating: "mine"}
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
		if got := watching(parameters).Knows(t.Context(), c.namespace, c.states); got != c.want {
			t.Errorf("%s: known %t, want %t", name, got, c.want)
		}
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
		if got := watching(c.give).Last(t.Context(), corev1.Resource("pods")); got != c.want {
			t.Errorf("%s: last %t, want %t", name, got, c.want)
		}
	}
}
