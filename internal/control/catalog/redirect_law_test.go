package catalog_test

import (
	"testing"

	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

// What admission puts into a pod whose traffic is redirected, among it a container with a
// capability, violates no control; an imitation of it does.
func TestARedirectedPodViolatesNothing(t *testing.T) {
	s := controltest.Baseline(control.Pods)
	controltest.Satisfy(catalog.All(), &s)
	s.Workload.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	s.Profile.Transmission.Proxy = &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
	s.Pod.Spec.SecurityContext.RunAsUser = ptr.To[int64](65532)
	controltest.Protect(catalog.All(), &s)
	if !control.HasRules(s.Pod) || s.Pod.Spec.InitContainers[0].Name != injection.RulesName {
		t.Fatal("nothing redirects its traffic")
	}
	if found := findings(s); len(found) > 0 {
		t.Errorf("it violates %v", found)
	}
	s.Pod.Spec.InitContainers[0].Command = []string{"sh", "-c", "true"}
	if found := findings(s); len(found["pod-hardening"]) == 0 || len(found["mutual-tls"]) == 0 {
		t.Errorf("an imitation violates %v", found)
	}
}

// findings are what controls find in a subject, by their IDs.
func findings(s control.Subject) map[string][]string {
	found := map[string][]string{}
	for _, c := range catalog.All() {
		if c.Check == nil || !c.Judges.Has(control.Pods) {
			continue
		}
		for _, f := range c.Check(s) {
			if f.Verdict == hipaav1.VerdictFail {
				found[c.ID] = append(found[c.ID], f.Path+" "+f.Message)
			}
		}
	}
	return found
}
