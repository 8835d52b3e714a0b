package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestAStatementDecidesWhatNoIngressShows(t *testing.T) {
	nginx := map[string]hipaav1.IngressStatement{"nginx": {IngressClass: "nginx", Statement: hipaav1.Statement{Expires: phitest.After(0)}}}
	for name, tc := range map[string]struct {
		grade  edge.Grade
		stated map[string]hipaav1.IngressStatement
		want   string
	}{
		"what is settled needs none":     {edge.Settled, nil, "Pass: spec is so"},
		"what is settled stays Observed": {edge.Settled, nginx, "Pass: spec is so"},
		"what is open is not known":      {edge.Open, nil, "Unknown: spec is so (live)"},
		"what is open is attested":       {edge.Open, nginx, "Pass: spec is so; the controller of the class is stated to be set up for it until 2026-03-02 [Attested]"},
		"what is open, for another class": {
			edge.Open, map[string]hipaav1.IngressStatement{"alb": {}}, "Unknown: spec is so (live)",
		},
		"what is weak fails":            {edge.Weak, nil, "spec is so"},
		"what is weak is attested":      {edge.Weak, nginx, "Pass: spec is so; the controller of the class is stated to be set up for it until 2026-03-02 [Attested]"},
		"what is wrong no words excuse": {edge.Violated, nginx, "spec is so"},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{Profile: &control.Profile{Network: control.NetworkParameters{Ingresses: tc.stated}}, Ingress: phitest.Ingress("i", "h", "s").Obj()}
			got := sentences(answered(&s, control.AskTLS, []edge.Answer{{Grade: tc.grade, Path: "spec", Message: "is so"}}))
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyLoadBalancersAreAskedAboutTLS(t *testing.T) {
	for name, tc := range map[string]struct {
		give  corev1.ServiceType
		grade edge.Grade
		want  []string
	}{
		"a Service of the cluster":         {corev1.ServiceTypeClusterIP, edge.Violated, nil},
		"a load balancer that is right":    {corev1.ServiceTypeLoadBalancer, edge.Settled, []string{"Pass: spec is so"}},
		"a load balancer that is wrong":    {corev1.ServiceTypeLoadBalancer, edge.Violated, []string{"spec is so"}},
		"a load balancer that is weak":     {corev1.ServiceTypeLoadBalancer, edge.Weak, []string{"spec is so"}},
		"a load balancer that nobody sees": {corev1.ServiceTypeLoadBalancer, edge.Open, []string{"Unknown: spec is so (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{Service: &corev1.Service{Spec: corev1.ServiceSpec{Type: tc.give}}}
			got := sentences(balanced(&s, control.AskTLS, func(*corev1.Service) edge.Answer { return edge.Answer{Grade: tc.grade, Path: "spec", Message: "is so"} }))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
