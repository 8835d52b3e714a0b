package catalog

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestPoliciesAreHeldAgainstTheDeclaration(t *testing.T) {
	portal := phitest.Peer(nil, phitest.Labels("app", "portal"))
	api := []string{"app", "api"}
	for name, tc := range map[string]struct {
		give *phitest.PolicyBuilder
		pods []*corev1.Pod
		want []string
	}{
		"a policy that only closes":            {give: phitest.Policy("deny")},
		"a declared caller on a declared port": {give: phitest.Policy("p").Selecting(api...).Ingress(portal, phitest.TCP(8080))},
		"a declared caller named with its namespace": {
			give: phitest.Policy("p").Selecting(api...).Ingress(phitest.Peer(phitest.NamespaceNamed("ehr"), phitest.Labels("app", "portal", "tier", "web")), phitest.TCP(9090)),
		},
		"a declared destination": {give: phitest.Policy("p").Selecting(api...).Egress(phitest.Block("198.51.100.7/32"), phitest.TCP(443))},
		"the resolver":           {give: phitest.Policy("p").Egress(phitest.Peer(phitest.NamespaceNamed("kube-system"), phitest.Labels("k8s-app", "kube-dns")), phitest.UDP(53), phitest.TCP(53))},
		"pods of nobody's":       {give: phitest.Policy("p").Selecting("app", "shop").Ingress(nil)},
		"a declared caller on a port that is not": {
			give: phitest.Policy("p").Selecting(api...).Ingress(portal, phitest.TCP(22)),
			want: []string{"spec.ingress[0].from[0] opens PHIWorkload api: pods with app=portal in namespace ehr may connect to TCP 22"},
		},
		"a caller that nobody declared": {
			give: phitest.Policy("p").Selecting(api...).Ingress(phitest.Peer(nil, phitest.Labels("app", "shop")), phitest.TCP(8443)),
			want: []string{"spec.ingress[0].from[0] opens PHIWorkload api: pods with app=shop in namespace ehr may connect to TCP 8443"},
		},
		"a destination that nobody declared": {
			give: phitest.Policy("p").Egress(phitest.Block("203.0.113.0/24"), phitest.TCP(443)),
			want: []string{"spec.egress[0].to[0] opens PHIWorkload api: these pods may connect to 203.0.113.0/24 on TCP 443"},
		},
		"a port by its name, which may become another number": {
			give: phitest.Policy("p").Selecting(api...).Ingress(portal, networkingv1.NetworkPolicyPort{Port: &intstr.IntOrString{Type: intstr.String, StrVal: "http"}}),
			want: []string{"spec.ingress[0].from[0] opens PHIWorkload api: pods with app=portal in namespace ehr may connect to the TCP port named http, whatever its number"},
		},
		"pods that carry a further label": {
			give: phitest.Policy("p").Selecting("debug", "true").Ingress(nil),
			want: []string{"Unknown: spec.ingress[0] may open PHIWorkload api: as soon as one of its pods carries debug=true, anyone may connect to every port of every protocol"},
		},
		"pods that carry a further label, and one that lives does": {
			give: phitest.Policy("p").Selecting("debug", "true").Ingress(nil),
			pods: []*corev1.Pod{phitest.Pod("api").Label("debug", "true").Obj()},
			want: []string{"spec.ingress[0] opens PHIWorkload api: anyone may connect to every port of every protocol"},
		},
		"a direction that policyTypes leaves out": {
			give: phitest.Policy("p").Egress(nil).With(func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1] }),
			want: []string{"Unknown: spec.egress[0] may open PHIWorkload api: these pods may connect to anyone on every port of every protocol " +
				"(policyTypes leaves out Egress; some network plugins apply the rule all the same)"},
		},
		"more than anybody would read": {
			give: phitest.Policy("p").Selecting(api...).With(func(p *networkingv1.NetworkPolicy) {
				for port := range int32(20) {
					rule := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{phitest.TCP(port + 1)}}
					rule.From = []networkingv1.NetworkPolicyPeer{*phitest.Block("0.0.0.0/0")}
					p.Spec.Ingress = append(p.Spec.Ingress, rule)
				}
			}),
			want: append(manyOpenings(), "spec opens 8 more flows that nobody declared"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			around := everything()
			around.pods = tc.pods
			s := around.subject()
			s.Policy = tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodsThatNobodyClaimsStayClosed(t *testing.T) {
	shop := phitest.Peer(nil, phitest.Labels("app", "shop"))
	claimed := func(app ...string) func(*networkingv1.NetworkPolicy) {
		return func(p *networkingv1.NetworkPolicy) {
			p.Spec.PodSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: app}}}
		}
	}
	const opened = "spec.ingress[0].from[0] opens pods that no PHIWorkload claims: pods with app=shop in namespace ehr may connect to TCP 1"
	for name, tc := range map[string]struct {
		give      *phitest.PolicyBuilder
		workloads []*hipaav1.PHIWorkload
		want      []string
	}{
		"a policy that only closes": {give: phitest.Policy("p").Selecting("app", "shop")},
		"the way to the resolver": {
			give: phitest.Policy("p").Egress(phitest.Peer(phitest.NamespaceNamed("kube-system"), phitest.Labels("k8s-app", "kube-dns")), phitest.UDP(53), phitest.TCP(53)),
		},
		"pods of a workload, whatever the policy opens": {give: phitest.Policy("p").Selecting("app", "api").Ingress(nil)},
		"pods of a workload with a further label":       {give: phitest.Policy("p").Selecting("app", "api", "tier", "x").Ingress(nil)},
		"pods of several workloads":                     {give: phitest.Policy("p").With(claimed("api", "portal", "db")).Ingress(nil)},
		"pods of a workload that is applied later": {
			give: phitest.Policy("p").Selecting("app", "shop").Ingress(shop, phitest.TCP(1)),
			want: []string{opened},
		},
		"pods of which one label alone is claimed": {
			give: phitest.Policy("p").With(claimed("api", "later")).Ingress(shop, phitest.TCP(1)),
			want: []string{opened},
		},
		"every pod of the namespace": {
			give: phitest.Policy("p").Ingress(shop, phitest.TCP(1)),
			want: []string{opened},
		},
		"a destination beside the resolver": {
			give: phitest.Policy("p").Selecting("app", "shop").Egress(phitest.Block("203.0.113.0/24"), phitest.TCP(443)),
			want: []string{"spec.egress[0].to[0] opens pods that no PHIWorkload claims: these pods may connect to 203.0.113.0/24 on TCP 443"},
		},
		"a direction that policyTypes leaves out": {
			give: phitest.Policy("p").Selecting("app", "shop").Egress(nil).With(func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1] }),
			want: []string{"Unknown: spec.egress[0] may open pods that no PHIWorkload claims: these pods may connect to anyone on every port of every protocol " +
				"(policyTypes leaves out Egress; some network plugins apply the rule all the same)"},
		},
		"claimed by a workload that would claim everything and gets no policy": {
			give:      phitest.Policy("p").Selecting("app", "shop").Ingress(shop, phitest.TCP(1)),
			workloads: []*hipaav1.PHIWorkload{phitest.Workload("all").Selecting().Obj()},
			want:      []string{opened},
		},
		"a namespace whose workloads claim every label that a pod may have": {
			give: phitest.Policy("p").Ingress(shop, phitest.TCP(1)),
			workloads: []*hipaav1.PHIWorkload{
				phitest.Workload("rest").Selector(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"api", "portal", "db"}},
				}}).Obj(),
			},
		},
		"claimed by selectors too tangled to search": {
			give:      phitest.Policy("p").Ingress(shop, phitest.TCP(1)),
			workloads: tangled(),
			want:      []string{"Unknown: spec.ingress[0].from[0] may open pods that no PHIWorkload claims: pods with app=shop in namespace ehr may connect to TCP 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			around := everything()
			around.workloads = append(around.workloads, tc.workloads...)
			s := around.subject()
			s.Workload, s.Policy = nil, tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// tangled are workloads whose selectors cut through one another.
func tangled() []*hipaav1.PHIWorkload {
	random := rand.New(rand.NewPCG(1, 2))
	var workloads []*hipaav1.PHIWorkload
	for i := range 400 {
		var selector metav1.LabelSelector
		for _, key := range random.Perm(40)[:3] {
			selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
				Key: fmt.Sprint("k", key), Operator: []metav1.LabelSelectorOperator{metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist}[random.IntN(2)],
			})
		}
		workloads = append(workloads, phitest.Workload(fmt.Sprint("w", i)).Selector(selector).Obj())
	}
	return workloads
}

func manyOpenings() []string {
	var said []string
	for rule := range toldWidenings {
		said = append(said, fmt.Sprintf("spec.ingress[%d].from[0] opens PHIWorkload api: 0.0.0.0/0 may connect to TCP %d", rule, rule+1))
	}
	return said
}

func TestOwnedPoliciesAreFineAsLongAsTheyAreUntouched(t *testing.T) {
	around := everything()
	of := func(name string) control.Subject {
		s := around.subject()
		for key, w := range s.World.Workloads {
			if key.Name == name {
				s.Workload = w
			}
		}
		return s
	}
	deny := town{}.subject()
	for _, owned := range []*networkingv1.NetworkPolicy{policyOf(t, deny), policyOf(t, of("api")), policyOf(t, of("portal")), policyOf(t, of("db"))} {
		for _, judged := range []string{"api", "portal", "db", ""} {
			s := of(judged)
			if judged == "" {
				s.Workload = nil
			}
			s.Policy = owned
			if got := sentences(isolation.Check(s)); len(got) > 0 {
				t.Errorf("%s judged for %q: %q", owned.Name, judged, got)
			}
			touched := owned.DeepCopy()
			touched.Spec.PodSelector = metav1.LabelSelector{}
			touched.Spec.Ingress = append(touched.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			s.Policy = touched
			if got := sentences(isolation.Check(s)); len(got) == 0 {
				t.Errorf("%s with a rule for anyone, judged for %q: nothing found", owned.Name, judged)
			}
		}
	}
}

// The policy of a neighbour whose selector overlaps is the neighbour's to judge:
// what its flows refer to was not read.
func TestThePolicyOfANeighbourIsTheNeighbours(t *testing.T) {
	around := everything()
	around.workloads = append(around.workloads, phitest.Workload("batch").Selecting("tier", "batch").To(phitest.ToService("elsewhere", "unread")).Obj())
	s := around.subject()
	theirs := around.subject()
	theirs.Workload = around.workloads[3]
	s.Policy = policyOf(t, theirs)
	s.Policy.Spec.Egress = append(s.Policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{*phitest.Block("203.0.113.0/24")}, Ports: []networkingv1.NetworkPolicyPort{phitest.TCP(1)},
	})
	if got := sentences(isolation.Check(s)); len(got) > 0 {
		t.Errorf("judged for api: %q", got)
	}
	theirs.Policy = s.Policy
	if got := sentences(isolation.Check(theirs)); len(got) != 1 {
		t.Errorf("judged for its own workload: %q, want one finding", got)
	}
}
