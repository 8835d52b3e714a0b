package install

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The sample for Redirect has all that it takes: consent, and pods that are let have rules.
func TestTheSampleThatAsksForRedirectGetsIt(t *testing.T) {
	const folder = "samples/redirect"
	j := newJudgeOf(t, "samples", folder)
	j.loader.Proxy, j.loader.ProxyImages = func() (*control.Proxy, error) { return phitest.Proxy(), nil }, phitest.ProxyImages()
	made := podsOf(t, folder)
	if len(made) == 0 {
		t.Fatal("it has no pods")
	}
	for name, pod := range made {
		claiming := j.scene.Claiming(pod.Labels)
		if len(claiming) != 1 {
			t.Fatalf("%s is declared by %d PHIWorkloads, want one", name, len(claiming))
		}
		effective, err := j.engine.Resolve(j.scene.Profiles, j.scene.Namespace, claiming[0], j.ruling.Now)
		if err != nil {
			t.Fatal(err)
		}
		j.ruling.Effective = effective
		j.expectNothing(t, name, claiming[0], pod)
		s := j.loader.AtAdmission(t.Context(), j.scene, claiming[0], pod, j.engine.AdmissionEvidence(control.Pods))
		s.Profile = effective.Parameters
		if mutated, _, _ := j.engine.Preview(s, j.ruling); !control.HasRules(mutated) {
			t.Errorf("%s gets no rules", name)
		}
		j.expectNothing(t, "PHIWorkload "+claiming[0].Name, claiming[0], claiming[0])
	}
	for _, service := range all[*corev1.Service](t, folder) {
		j.expectNothing(t, "Service "+service.Name, nil, service)
	}
}
