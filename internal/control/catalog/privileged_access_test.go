package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestReachingIntoAPodTakesAGrant(t *testing.T) {
	api := phitest.Workload("api").Obj()
	for name, tc := range map[string]struct {
		way      control.Way
		workload *hipaav1.PHIWorkload
		want     string
	}{
		"a command":            {control.Exec, api, "runs a command in a pod of PHIWorkload api, which takes a grant"},
		"a process":            {control.Attach, api, "reaches the input and output of a process of PHIWorkload api, which takes a grant"},
		"a forwarded port":     {control.PortForward, api, "reaches, past every network policy, ports of PHIWorkload api, which takes a grant"},
		"a pod behind a proxy": {control.PodProxy, api, "reaches, past every network policy, a port of PHIWorkload api, which takes a grant"},
		"a Service":            {control.ServiceProxy, api, "reaches, past every network policy, a port of PHIWorkload api, which takes a grant"},
		"what nobody declared": {control.Exec, nil, "runs a command in a pod of a namespace that holds PHI, and no PHIWorkload claims what it leads to"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &control.Connection{ObjectMeta: metav1.ObjectMeta{Name: "api-0"}, Way: tc.way}
			s := control.Subject{Workload: tc.workload}
			s = s.Of(c)
			got := sentences([]control.Finding{checkConnection(&s)})
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEphemeralContainerIsFound(t *testing.T) {
	pod := phitest.Pod("api-0").Debugged("first").Debugged("second").Obj()
	findings := checkEphemeral(pod)
	want := []string{
		"spec.ephemeralContainers[0] is put into a running pod, which takes a grant",
		"spec.ephemeralContainers[1] is put into a running pod, which takes a grant",
	}
	if diff := cmp.Diff(want, sentences(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range findings {
		if f.Live {
			t.Errorf("%s: is not refused: %+v", f.Path, f)
		}
	}
	want = []string{"Pass: connections take a grant, and no container was put into a running pod"}
	if diff := cmp.Diff(want, sentences(checkEphemeral(phitest.Pod("api-0").Obj()))); diff != "" {
		t.Errorf("findings of a pod as it was admitted (-want +got):\n%s", diff)
	}
}
