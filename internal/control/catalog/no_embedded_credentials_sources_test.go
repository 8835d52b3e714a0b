package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestSourcesOfSecrets(t *testing.T) {
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass", "metadata": map[string]any{"namespace": "ehr", "name": "vault"},
		"spec": map[string]any{"provider": "vault", "parameters": map[string]any{"roleName": "ehr"}, "secretObjects": []any{map[string]any{"secretName": "db"}, "x"}},
	}}
	named := externalSecret("from-aws", "Owner", "True")
	_ = unstructured.SetNestedField(named.Object, "db", "spec", "target", "name")
	before := externalSecret("db", "Owner", "True")
	before.SetAPIVersion("external-secrets.io/v1beta1")
	elsewhere := externalSecret("db", "Owner", "True")
	elsewhere.SetNamespace("lab")
	const unseen = "Unknown Secret/db is made by no ExternalSecret or SecretProviderClass of the namespace, and Pod/api-0 takes from it: it cannot be seen where it comes from"
	tests := map[string]struct {
		source  hipaav1.SecretSource
		reports []*unstructured.Unstructured
		want    []string
	}{
		"no profile asks":                           {source: ""},
		"any will do":                               {source: hipaav1.SecretSourceAny},
		"nothing makes it":                          {source: hipaav1.SecretSourceExternal, want: []string{unseen}},
		"an ExternalSecret of its name":             {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{externalSecret("db", "Owner", "True")}, []string{"Pass Secret/db is kept by ExternalSecret/db"}},
		"an ExternalSecret as it was before":        {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{before}, []string{"Pass Secret/db is kept by ExternalSecret/db"}},
		"an ExternalSecret of another name":         {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{named}, []string{"Pass Secret/db is kept by ExternalSecret/from-aws"}},
		"an ExternalSecret of another namespace":    {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{elsewhere}, []string{unseen}},
		"a class of the CSI driver":                 {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{class}, []string{"Pass Secret/db is kept by SecretProviderClass/vault"}},
		"a certificate of cert-manager":             {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{certificateOf("db", "")}, []string{"Pass Secret/db is kept by Certificate/db"}},
		"an ExternalSecret that makes none":         {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{externalSecret("db", "None", "True")}, []string{"Unknown Secret/db is named by ExternalSecret/db, which makes no Secret, and Pod/api-0 takes from it"}},
		"one that adds, and one that makes it":      {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{externalSecret("db", "Merge", "True"), named}, []string{"Pass Secret/db is kept by ExternalSecret/from-aws"}},
		"an ExternalSecret that failed, or did not": {hipaav1.SecretSourceExternal, []*unstructured.Unstructured{externalSecret("db", "Owner", "False")}, []string{"Unknown Secret/db is named by ExternalSecret/db, which is not Ready, and Pod/api-0 takes from it"}},
	}
	ways := map[string]func(*corev1.Pod){
		"a variable": func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}}
		},
		"all variables": func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}
		},
		"files": func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db"}}})
		},
		"projected files": func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}},
			}}})
		},
	}
	for name, tc := range tests {
		for way, take := range ways {
			t.Run(name+", taken as "+way, func(t *testing.T) {
				workload := phitest.Workload("api").Obj()
				s := control.Subject{
					Profile: &control.Profile{Access: control.AccessParameters{SecretSource: tc.source}}, Namespace: phitest.Namespace("ehr").Obj(), Workload: workload,
					World: &control.World{Pods: []*corev1.Pod{phitest.Pod("api-0").Of(workload).With(take).Obj()}},
				}
				for _, r := range tc.reports {
					s.World.Reports = append(s.World.Reports, trimmed(r.DeepCopy()))
				}
				var got []string
				for _, f := range sourced(&s) {
					got = append(got, string(f.Verdict)+" "+f.Path+" "+f.Message)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// trimmed is a report as the cache keeps it.
func trimmed(r *unstructured.Unstructured) *unstructured.Unstructured {
	switch {
	case externalSecrets.IsKind(r):
		trimExternalSecret(r)
	case secretProviderClasses.Is(r):
		trimProviderClass(r)
	}
	return r
}

func TestOfSecretsFromBeforePeopleHaveToSayThatTheyLooked(t *testing.T) {
	stated := &hipaav1.Statement{Expires: metav1.Date(2027, time.June, 30, 0, 0, 0, 0, time.UTC)}
	tests := map[string]struct {
		stated *hipaav1.Statement
		want   string
	}{
		"nobody does":   {nil, "Unknown: Secrets are not read, and nobody states that those from before have been looked through (live)"},
		"somebody does": {stated, "Pass: the Secrets from before are stated to have been looked through until 2027-06-30 [Attested]"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{
				Profile:  &control.Profile{Access: control.AccessParameters{SecretsReviewed: tc.stated}},
				Workload: phitest.Workload("api").Obj(), Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{},
			}
			for _, id := range []string{"no-embedded-credentials", "environment-separation"} {
				if got := sentences(controlOf(id).Check(s)); got[len(got)-1] != tc.want {
					t.Errorf("%s says %q, want %q at the end", id, got, tc.want)
				}
			}
		})
	}
}

func TestHowAProviderIsAskedIsNotKept(t *testing.T) {
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass", "metadata": map[string]any{"name": "vault"},
		"spec": map[string]any{"parameters": map[string]any{"roleName": "ehr"}},
	}}
	trimProviderClass(class)
	if diff := cmp.Diff(map[string]any{"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass", "metadata": map[string]any{"name": "vault"}}, class.Object); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
