package admission_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// connection asks to reach into a pod, or a Service, of the namespace ehr.
func connection(t testing.TB, name string, options runtime.Object) *admissionv1.AdmissionReview {
	r := review(t, admissionv1.Connect, options, nil)
	r.Request.Name, r.Request.Namespace = name, "ehr"
	return r
}

// FuzzReview holds that every webhook answers every body with a review, without a
// panic, and that a refusal says why.
func FuzzReview(f *testing.F) {
	meta := metav1.ObjectMeta{Namespace: "ehr", Name: "patient-api"}
	pod := phitest.Pod("patient-api").Obj()
	template := corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	seeds := []*admissionv1.AdmissionReview{
		review(f, admissionv1.Create, pod, nil),
		review(f, admissionv1.Update, phitest.Pod("patient-api").Unhardened().Obj(), pod),
		review(f, admissionv1.Create, phitest.Claim("data").WithoutClass().Obj(), nil),
		review(f, admissionv1.Create, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: template}}, nil),
		review(f, admissionv1.Create, &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{
			Template: template, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{*phitest.Claim("data").Obj()},
		}}, nil),
		review(f, admissionv1.Create, &networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{}},
		}}, nil),
		review(f, admissionv1.Create, &corev1.Service{ObjectMeta: meta}, nil),
		connection(f, "patient-api-0", &corev1.PodExecOptions{Container: "app", Command: []string{"sh"}}),
		connection(f, "https:patient-api:443", &corev1.ServiceProxyOptions{Path: "/"}),
		review(f, admissionv1.Create, phitest.Exception("legacy", "patient-api", "any").Obj(), nil),
		review(f, admissionv1.Delete, nil, &networkingv1.NetworkPolicy{ObjectMeta: meta}),
	}
	for _, seed := range seeds {
		body, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"kind":{"version":"v1","kind":"Pod"},"object":{"spec":null}}}`))

	var panicked admission.Outcome
	g := unitGate(f, catalog.All(), newStill(world()...))
	g.Observe = func(o admission.Outcome) { panicked = o }
	handlers := g.Handlers()
	paths := slices.Sorted(maps.Keys(handlers))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range paths {
			request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body)))
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			panicked = admission.Outcome{}
			handlers[path].ServeHTTP(answer, request)
			var got admissionv1.AdmissionReview
			if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got.Response == nil {
				t.Fatalf("%s answered no review (%v): %.200s", path, err, answer.Body)
			}
			if !got.Response.Allowed && (got.Response.Result == nil || len(got.Response.Result.Message) < 20) {
				t.Errorf("%s refused without a sentence: %+v", path, got.Response.Result)
			}
			if r := got.Response.Result; r != nil && r.Code == http.StatusInternalServerError {
				t.Errorf("%s: a bug: %+v", path, panicked)
			}
		}
	})
}
