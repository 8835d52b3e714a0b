package subject_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func files(t *testing.T, objects ...client.Object) *subject.Files {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, hipaav1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	f, err := subject.FromFiles(scheme, objects)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func configMap(namespace, name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"value": value}}, Data: map[string]string{"value": value},
	}
}

func TestFilesAnswerLikeAnAPIServer(t *testing.T) {
	alone := files(t, configMap("ehr", "a", "file"), configMap("ehr", "b", "other"), configMap("lab", "a", "file"))
	over := alone.Over(reader(t, configMap("ehr", "a", "live"), configMap("ehr", "c", "live")))
	tests := map[string]struct {
		give    *subject.Files
		options []client.ListOption
		want    []string
	}{
		"all":                               {alone, nil, []string{"ehr/a=file", "ehr/b=other", "lab/a=file"}},
		"of a namespace":                    {alone, []client.ListOption{client.InNamespace("ehr")}, []string{"ehr/a=file", "ehr/b=other"}},
		"by label":                          {alone, []client.ListOption{client.MatchingLabels{"value": "other"}}, []string{"ehr/b=other"}},
		"over a cluster":                    {over, []client.ListOption{client.InNamespace("ehr")}, []string{"ehr/a=file", "ehr/b=other", "ehr/c=live"}},
		"over a cluster, replaced by label": {over, []client.ListOption{client.MatchingLabels{"value": "live"}}, []string{"ehr/c=live"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var list corev1.ConfigMapList
			if err := tt.give.List(t.Context(), &list, tt.options...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range list.Items {
				got = append(got, m.Namespace+"/"+m.Name+"="+m.Data["value"])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
		})
	}
	for key, want := range map[client.ObjectKey]string{{Namespace: "ehr", Name: "a"}: "file", {Namespace: "ehr", Name: "c"}: "live"} {
		m := &corev1.ConfigMap{}
		if err := over.Get(t.Context(), key, m); err != nil || m.Data["value"] != want {
			t.Errorf("%s is %q (%v), want %q", key, m.Data["value"], err, want)
		}
	}
	if err := alone.Get(t.Context(), client.ObjectKey{Namespace: "ehr", Name: "c"}, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("what is in no file: %v, want that it is not found", err)
	}
	if err := alone.List(t.Context(), &corev1.ConfigMapList{}, client.MatchingFields{"spec.x": "y"}); err == nil {
		t.Error("files have no index, and yet something was listed by a field")
	}
}

func TestTheSceneOfFiles(t *testing.T) {
	f := files(t, phiNamespace("ehr"), phitest.Workload("api").Namespace("ehr").Obj(), phitest.Workload("api").Namespace("lab").Obj(), phitest.Profile("strict").Obj())
	sc := scene(t, &subject.Loader{Cache: f, Live: f}, "ehr")
	if len(sc.Workloads) != 1 || len(sc.Profiles) != 1 || sc.Namespace.Name != "ehr" {
		t.Errorf("%d workloads, %d profiles in %q, want one of each in ehr", len(sc.Workloads), len(sc.Profiles), sc.Namespace.Name)
	}
}
