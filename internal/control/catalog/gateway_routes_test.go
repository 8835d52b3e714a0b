package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestRoutesAreJudgedWhereTheyLeadToTheWorkload(t *testing.T) {
	https, http := listens("https", "HTTPS", 443), listens("http", "HTTP", 80)
	named := grantToTeamB()
	if err := unstructured.SetNestedSlice(named.Object, []any{map[string]any{"group": "", "kind": "Service", "name": "portal"}}, "spec", "to"); err != nil {
		t.Fatal(err)
	}
	ofSecrets := grantToTeamB()
	if err := unstructured.SetNestedSlice(ofSecrets.Object, []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "edge"}}, "spec", "from"); err != nil {
		t.Fatal(err)
	}
	formless := routeTo("api", "any")
	formless.Object["spec"] = "none"
	const (
		at      = "spec.parentRefs[0] attaches to listener "
		unread  = `"https" of Gateway edge/any, whose least version of TLS the settings of its implementation decide, which are not read`
		astray  = "NotApplicable: leads no caller from outside to the workload"
		nothing = "Pass: no Ingress and no route leads to it"
		granted = "Unknown: ReferenceGrant/routes spec.from[0] lets each HTTPRoute of namespace team-b lead here, which is not looked at (live)"
	)
	list := func(r ...*unstructured.Unstructured) []*unstructured.Unstructured { return r }
	for name, tc := range map[string]struct {
		control string
		give    []*unstructured.Unstructured
		stated  bool
		want    []string
	}{
		"by plaintext": {"https-redirect", list(gatewayOf("any", http), routeTo("api", "any")), true, []string{
			at + `"http" of Gateway edge/any, which answers in plaintext, and spec.rules[0] turns nobody to TLS`,
		}},
		"by TLS alone":                    {"https-redirect", list(gatewayOf("any", https), routeTo("api", "any")), false, []string{"Pass: spec.parentRefs attach to listeners that answer by TLS alone"}},
		"to another workload":             {"https-redirect", list(gatewayOf("any", http), routeTo("portal", "any")), false, []string{nothing, astray}},
		"without a form":                  {"https-redirect", list(formless), false, []string{nothing, astray}},
		"of others, by a grant":           {"https-redirect", list(grantToTeamB()), false, []string{granted}},
		"of others, to another Service":   {"https-redirect", list(named), false, []string{nothing}},
		"of others, which are no routes":  {"https-redirect", list(ofSecrets), false, []string{nothing}},
		"by a class of which nobody says": {"tls-minimum-version", list(gatewayOf("any", https), routeTo("api", "any")), false, []string{"Unknown: " + at + unread + " (live)"}},
		"by a class that somebody looked at": {"tls-minimum-version", list(gatewayOf("any", https), routeTo("api", "any")), true, []string{
			"Pass: " + at + unread + "; the controller of the class is stated to be set up for it until 2026-03-02 [Attested]",
		}},
		"by a policy from 1.2": {"tls-minimum-version", list(gatewayOf("eg", https), routeTo("api", "eg"), trafficPolicy("edge", "1.2")), false, []string{
			"Pass: " + at + `"https" of Gateway edge/eg, whose ClientTrafficPolicy tls asks for TLS 1.2 or later`,
		}},
		"by no listener with TLS":   {"tls-minimum-version", list(gatewayOf("any", http), routeTo("api", "any")), false, []string{"NotApplicable: attaches to no listener with TLS"}},
		"to a workload that may be": {"no-public-exposure", list(routeTo("portal", "any")), false, []string{"Pass: 0 Services, 0 Ingresses and 0 routes lead to it from outside the cluster", astray}},
		"to one that names no gateway": {"no-public-exposure", list(routeTo("api", "any")), false, []string{
			"Pass: 0 Services, 0 Ingresses and 1 routes lead to it from outside the cluster",
			"spec leads callers from outside the cluster to PHIWorkload api, whose access.from declares no gateway",
		}},
		"to anybody, by a grant": {"no-public-exposure", list(grantToTeamB()), false, []string{granted}},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Workload = phitest.Workload("api").Obj()
			s.World.Exposing = []*corev1.Service{phitest.Service("api").Port("http", 80, intstr.FromString("http")).Obj()}
			for _, r := range tc.give {
				if isRoute(r) {
					s.World.Resources = append(s.World.Resources, r)
				} else {
					s.World.Reports = append(s.World.Reports, r)
				}
			}
			if tc.stated {
				s.Profile.Network.Ingresses = map[string]hipaav1.IngressStatement{"any": {IngressClass: "any", Statement: hipaav1.Statement{Expires: phitest.After(0)}}}
			}
			findings := controlOf(tc.control).Check(s)
			for _, r := range s.World.Resources {
				findings = append(findings, controlOf(tc.control).Check(s.Of(r))...)
			}
			if diff := cmp.Diff(tc.want, sentences(findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
