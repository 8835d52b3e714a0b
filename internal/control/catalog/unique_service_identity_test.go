package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestIdentitiesAreNotShared(t *testing.T) {
	identity := controlOf("unique-service-identity")
	for name, tc := range map[string]struct {
		account string
		sharing []string
		want    []string
	}{
		"its own":                  {account: "api", want: []string{`Pass: spec.serviceAccountName is "api", and nobody else's`}},
		"none":                     {want: []string{`spec.serviceAccountName is "default", which every pod that names none runs under`}},
		"the default one, by name": {account: "default", want: []string{`spec.serviceAccountName is "default", which every pod that names none runs under`}},
		"another workload's": {
			account: "portal", sharing: []string{"portal"},
			want: []string{`spec.serviceAccountName is "portal", which pods of PHIWorkload portal run under as well`},
		},
		"one of many": {
			account: "app", sharing: []string{"", "portal"},
			want: []string{`spec.serviceAccountName is "app", which pods of no PHIWorkload, PHIWorkload portal run under as well`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := phitest.Workload("api").Obj()
			pod := phitest.Pod("api-1").Of(w).With(func(p *corev1.Pod) { p.Spec.ServiceAccountName = tc.account }).Obj()
			s := control.Subject{Workload: w, Pod: pod, World: &control.World{Identities: map[string][]string{tc.account: tc.sharing}}}
			if diff := cmp.Diff(tc.want, sentences(identity.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
