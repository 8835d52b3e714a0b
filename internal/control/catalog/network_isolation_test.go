package catalog

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var isolation = controlOf("network-isolation")

// town is a namespace with workloads, and what is known around it.
type town struct {
	network   control.NetworkParameters
	workloads []*hipaav1.PHIWorkload
	services  []*corev1.Service
	apiServer []string
	resolvers []control.Resolver
	pods      []*corev1.Pod
	policies  []*networkingv1.NetworkPolicy
}

// subject judges the first workload; none where there is none.
func (n town) subject() control.Subject {
	world := &control.World{
		Workloads: map[types.NamespacedName]*hipaav1.PHIWorkload{},
		Services:  map[types.NamespacedName]*corev1.Service{},
		Resolvers: n.resolvers, Pods: n.pods, Policies: n.policies,
	}
	s := control.Subject{
		Profile:   &control.Profile{Network: n.network},
		Namespace: phitest.Namespace(phitest.DefaultNamespace).Obj(),
		World:     world,
	}
	for i, w := range n.workloads {
		world.Workloads[types.NamespacedName{Namespace: w.Namespace, Name: w.Name}] = w
		if i == 0 {
			s.Workload = w
		}
	}
	for _, service := range n.services {
		world.Services[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}] = service
	}
	for _, text := range n.apiServer {
		world.APIServer = append(world.APIServer, netip.MustParseAddrPort(text))
	}
	return s
}

func dnsPods() control.Resolver {
	return control.Resolver{Namespace: "kube-system", Pods: phitest.Labels("k8s-app", "kube-dns"), Port: 53}
}

func policyOf(t *testing.T, s control.Subject) *networkingv1.NetworkPolicy {
	t.Helper()
	objects := isolation.Objects(s)
	if len(objects) != 1 {
		t.Fatalf("owns %d objects, want one", len(objects))
	}
	policy, is := objects[0].(*networkingv1.NetworkPolicy)
	if !is {
		t.Fatalf("owns a %T", objects[0])
	}
	return policy
}

func TestTheNamespaceIsClosed(t *testing.T) {
	want := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ehr", Name: "hipaa-default-deny", Labels: map[string]string{"app.kubernetes.io/managed-by": "hipaa-operator"},
		},
		Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}},
	}
	if diff := cmp.Diff(want, policyOf(t, town{}.subject())); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

// everything declares each kind of peer once.
func everything() town {
	return town{
		network: control.NetworkParameters{
			Gateways: map[string]hipaav1.Gateway{
				"ingress": {Name: "ingress", Namespace: "ingress-nginx", PodSelector: phitest.Labels("app", "nginx")},
				"lb":      {Name: "lb", CIDRs: []string{"10.1.0.0/24", "2001:db8::/64"}},
			},
			ExternalRanges: [][]netip.Prefix{{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("192.0.2.0/24")}},
		},
		workloads: []*hipaav1.PHIWorkload{
			phitest.Workload("api").Port("http", 8080).Port("admin", 9090).
				From(
					phitest.FromWorkload("portal"),
					phitest.OnPorts(phitest.FromGateway("ingress"), "http"),
					phitest.FromGateway("lb"),
					phitest.OnPorts(phitest.FromPods(phitest.NamespaceNamed("monitoring"), phitest.Labels("app", "prometheus")), "admin"),
					phitest.FromPods(nil, nil),
					phitest.FromBlock("192.0.2.0/24", "192.0.2.128/25", "10.0.0.0/8"),
				).
				To(
					phitest.ToWorkload("db"),
					phitest.ToService("registry", "terminology"),
					phitest.ToKubernetesAPI(),
					phitest.ToPods(&metav1.LabelSelector{}, phitest.Labels("app", "queue"), 5672),
					phitest.ToBlock("198.51.100.7/32", 443, 8443),
				).Obj(),
			phitest.Workload("portal").Obj(),
			phitest.Workload("db").Port("sql", 5432).Obj(),
		},
		services:  []*corev1.Service{phitest.Service("terminology").Namespace("registry").Port("http", 80, intstr.FromInt32(8000)).Obj()},
		apiServer: []string{"10.0.0.1:6443", "10.0.0.2:6443"},
		resolvers: []control.Resolver{dnsPods()},
	}
}

func TestEveryDeclaredFlowBecomesARule(t *testing.T) {
	policy := policyOf(t, everything().subject())
	got, err := yaml.Marshal(policy)
	if err != nil {
		t.Fatalf("writing the policy: %v", err)
	}
	controltest.Golden(t, "testdata/policy.yaml", string(got))
	if unresolved := isolation.Unresolved(everything().subject()); len(unresolved) > 0 {
		t.Errorf("unresolved: %q", unresolved)
	}
}

func TestNoRuleIsWiderThanItsDeclaration(t *testing.T) {
	for _, rule := range policyOf(t, everything().subject()).Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) == 0 {
			t.Errorf("a rule lets anyone in, or to any port: %v", rule)
		}
	}
	for _, rule := range policyOf(t, everything().subject()).Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			t.Errorf("a rule leads anywhere, or to any port: %v", rule)
		}
	}
}

func TestWhatCannotBeResolvedStaysClosedAndIsNamed(t *testing.T) {
	const noDNS = "name resolution is not possible: no resolver was discovered; name one in network.dns of the profile"
	api := func() *phitest.WorkloadBuilder { return phitest.Workload("api").Port("http", 8080) }
	for name, tc := range map[string]struct {
		give     town
		workload *phitest.WorkloadBuilder
		want     []string
	}{
		"a caller that does not exist": {
			workload: api().From(phitest.FromWorkload("portal")),
			want:     []string{"spec.access.from[0] PHIWorkload ehr/portal does not exist"},
		},
		"a gateway that no profile declares": {
			workload: api().From(phitest.FromGateway("edge")),
			want:     []string{`spec.access.from[0] the profile declares no gateway "edge"`},
		},
		"a caller of a port that is not declared": {
			workload: api().From(phitest.OnPorts(phitest.FromPods(nil, nil), "https")),
			want:     []string{"spec.access.from[0] names ports that spec.ports does not have: https"},
		},
		"a caller of a workload without ports": {
			workload: phitest.Workload("api").From(phitest.FromPods(nil, nil)),
			want:     []string{"spec.access.from[0] opens no port: spec.ports is empty"},
		},
		"a vendor": {
			workload: api().To(phitest.ToVendor("eprescribe")),
			want:     []string{`spec.egress.to[0] vendor "eprescribe": egress to vendors stays closed until the cluster has a path for them`},
		},
		"a service that does not exist": {
			workload: api().To(phitest.ToService("lab", "results")),
			want:     []string{"spec.egress.to[0] Service lab/results does not exist"},
		},
		"a service whose target port is a name": {
			give:     town{services: []*corev1.Service{phitest.Service("results").Port("http", 80, intstr.FromString("http")).Obj()}},
			workload: api().To(phitest.ToService("", "results")),
			want: []string{"spec.egress.to[0] Service ehr/results has target ports that are names (http): " +
				"give their numbers in the Service, or declare pods with ports"},
		},
		"a service without a selector": {
			give:     town{services: []*corev1.Service{phitest.Service("results").Selecting().Port("http", 80, intstr.FromInt32(80)).Obj()}},
			workload: api().To(phitest.ToService("", "results")),
			want:     []string{"spec.egress.to[0] Service ehr/results selects no pods"},
		},
		"a headless service without ports": {
			give:     town{services: []*corev1.Service{phitest.Service("results").Obj()}},
			workload: api().To(phitest.ToService("", "results")),
			want:     []string{"spec.egress.to[0] Service ehr/results names no port"},
		},
		"the API server while nobody knows its addresses": {
			workload: api().To(phitest.ToKubernetesAPI()),
			want:     []string{"spec.egress.to[0] the addresses of the API server are not known"},
		},
		"a range outside those of one of the profiles": {
			give: town{network: control.NetworkParameters{ExternalRanges: [][]netip.Prefix{
				{netip.MustParsePrefix("10.0.0.0/8")}, {netip.MustParsePrefix("10.1.0.0/16")},
			}}},
			workload: api().To(phitest.ToBlock("10.1.2.0/24", 443), phitest.ToBlock("10.2.0.0/24", 443), phitest.ToBlock("10.0.0.0/7", 443)),
			want: []string{
				"spec.egress.to[1] 10.2.0.0/24 lies outside network.externalRanges of the profile",
				"spec.egress.to[2] 10.0.0.0/7 lies outside network.externalRanges of the profile",
			},
		},
		"any range where a profile allows none": {
			give:     town{network: control.NetworkParameters{ExternalRanges: [][]netip.Prefix{{}}}},
			workload: api().From(phitest.FromBlock("192.0.2.0/24")),
			want:     []string{"spec.access.from[0] 192.0.2.0/24 lies outside network.externalRanges of the profile"},
		},
		"a range that is excepted as a whole": {
			workload: api().From(phitest.FromBlock("192.0.2.0/25", "192.0.2.0/24")),
			want:     []string{"spec.access.from[0] excepts the whole range"},
		},
		"a gateway of addresses that cannot be read": {
			give:     town{network: control.NetworkParameters{Gateways: map[string]hipaav1.Gateway{"edge": {Name: "edge", CIDRs: []string{"10.0.0.0/33"}}}}},
			workload: api().From(phitest.FromGateway("edge")),
			want:     []string{`spec.access.from[0] gateway "edge" has a range that cannot be read`},
		},
		"a gateway of a whole namespace, which names no pods": {
			give:     town{network: control.NetworkParameters{Gateways: map[string]hipaav1.Gateway{"edge": {Name: "edge", Namespace: "edge"}}}},
			workload: api().From(phitest.FromGateway("edge")),
			want:     []string{`spec.access.from[0] gateway "edge" names neither pods nor ranges`},
		},
		"a peer that names nobody": {
			workload: api().From(hipaav1.AccessPeer{}).To(hipaav1.EgressPeer{}),
			want:     []string{"spec.access.from[0] names nobody", "spec.egress.to[0] names nobody"},
		},
		"a selector that cannot be read": {
			workload: api().From(phitest.FromPods(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}, nil)),
			want:     []string{"spec.access.from[0] has a selector that cannot be read"},
		},
		"a range with an exception that cannot be read": {
			workload: api().From(phitest.FromBlock("192.0.2.0/24", "192.0.2.0")),
			want:     []string{"spec.access.from[0] has an exception that cannot be read"},
		},
		"IPv4 in the clothes of IPv6": {
			workload: api().From(phitest.FromBlock("::ffff:10.0.0.0/104")),
			want:     []string{"spec.access.from[0] has a range that cannot be read"},
		},
		"a destination without ports": {
			workload: api().To(phitest.ToBlock("192.0.2.0/24")),
			want:     []string{"spec.egress.to[0] names no port"},
		},
		"a workload whose name is that of the default deny": {
			workload: phitest.Workload("default-deny").Port("http", 80).From(phitest.FromPods(nil, nil)),
			want:     []string{"metadata.name default-deny is reserved: the workload gets no policy and stays closed; create it under another name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.give.resolvers = []control.Resolver{dnsPods()}
			tc.give.workloads = []*hipaav1.PHIWorkload{tc.workload.Obj()}
			if diff := cmp.Diff(tc.want, isolation.Unresolved(tc.give.subject())); diff != "" {
				t.Errorf("unresolved (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("names, where nobody knows who resolves them", func(t *testing.T) {
		nowhere := town{workloads: []*hipaav1.PHIWorkload{api().Obj()}}
		if diff := cmp.Diff([]string{noDNS}, isolation.Unresolved(nowhere.subject())); diff != "" {
			t.Errorf("unresolved (-want +got):\n%s", diff)
		}
		if policy := policyOf(t, nowhere.subject()); len(policy.Spec.Egress) > 0 {
			t.Errorf("opens %v all the same", policy.Spec.Egress)
		}
	})
}

// A PHIWorkload without a selector comes from a file only, and would select the
// whole namespace.
func TestASelectorThatSelectsEverythingOpensNothing(t *testing.T) {
	all := phitest.Workload("all").Port("http", 80).Selecting().Obj()
	api := phitest.Workload("api").Port("http", 80).To(phitest.ToWorkload("all"), phitest.ToWorkload("api")).Obj()
	s := town{workloads: []*hipaav1.PHIWorkload{api, all}, resolvers: []control.Resolver{dnsPods()}}.subject()
	want := []string{"spec.egress.to[0] PHIWorkload ehr/all has a selector that selects no pods in particular"}
	if diff := cmp.Diff(want, isolation.Unresolved(s)); diff != "" {
		t.Errorf("unresolved (-want +got):\n%s", diff)
	}
	s.Workload = all
	if got := isolation.Objects(s); len(got) > 0 {
		t.Errorf("owns %v", got)
	}
}

func TestDestinationsKeepTheirTransport(t *testing.T) {
	to := phitest.ToBlock("192.0.2.0/24", 1)
	to.Ports = []hipaav1.PeerPort{{Port: 1, Protocol: hipaav1.TransportUDP}, {Port: 2, Protocol: hipaav1.TransportSCTP}, {Port: 3}, {Port: 3, Protocol: hipaav1.TransportTCP}}
	s := town{workloads: []*hipaav1.PHIWorkload{phitest.Workload("api").To(to).Obj()}}.subject()
	sctp := phitest.TCP(2)
	sctp.Protocol = ptr.To(corev1.ProtocolSCTP)
	if diff := cmp.Diff([]networkingv1.NetworkPolicyPort{phitest.UDP(1), sctp, phitest.TCP(3)}, policyOf(t, s).Spec.Egress[0].Ports); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestTheReservedNameOwnsNothing(t *testing.T) {
	s := town{workloads: []*hipaav1.PHIWorkload{phitest.Workload("default-deny").Obj()}}.subject()
	if got := isolation.Objects(s); len(got) > 0 {
		t.Errorf("owns %v, in the place of the policy that closes everything", got)
	}
}

func TestNamesAreResolvedAsTheProfileSays(t *testing.T) {
	network := control.NetworkParameters{DNS: []hipaav1.DNSServer{
		{PodSelector: phitest.Labels("k8s-app", "node-local-dns")},
		{CIDR: "169.254.20.10/32", Port: 5353},
	}}
	s := town{network: network, workloads: []*hipaav1.PHIWorkload{phitest.Workload("api").Obj()}, resolvers: []control.Resolver{dnsPods()}}.subject()
	want := []networkingv1.NetworkPolicyEgressRule{
		{
			To:    []networkingv1.NetworkPolicyPeer{*phitest.Peer(phitest.NamespaceNamed("kube-system"), phitest.Labels("k8s-app", "node-local-dns"))},
			Ports: []networkingv1.NetworkPolicyPort{phitest.UDP(53), phitest.TCP(53)},
		},
		{
			To:    []networkingv1.NetworkPolicyPeer{*phitest.Block("169.254.20.10/32")},
			Ports: []networkingv1.NetworkPolicyPort{phitest.UDP(5353), phitest.TCP(5353)},
		},
	}
	if diff := cmp.Diff(want, policyOf(t, s).Spec.Egress); diff != "" {
		t.Errorf("egress (-want +got):\n%s", diff)
	}
}

func TestPoliciesAreHeldAgainstTheDeclaration(t *testing.T) {
	portal := phitest.Peer(nil, phitest.Labels("app", "portal"))
	api := []string{"app", "api"}
	for name, tc := range map[string]struct {
		give *phitest.PolicyBuilder
		pods []*corev1.Pod
		all  bool
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
		"every workload of the namespace, where the policy is of none": {
			give: phitest.Policy("p").Ingress(phitest.Peer(nil, phitest.Labels("app", "shop")), phitest.TCP(1)),
			all:  true,
			want: []string{
				"spec.ingress[0].from[0] opens PHIWorkload api: pods with app=shop in namespace ehr may connect to TCP 1",
				"spec.ingress[0].from[0] opens PHIWorkload db: pods with app=shop in namespace ehr may connect to TCP 1",
				"spec.ingress[0].from[0] opens PHIWorkload portal: pods with app=shop in namespace ehr may connect to TCP 1",
			},
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
			if tc.all {
				s.Workload = nil
			}
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
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

func TestSlicesAreHeldAgainstDeclaredRanges(t *testing.T) {
	for name, tc := range map[string]struct {
		give *phitest.SliceBuilder
		want []string
	}{
		"an address in a declared range": {give: phitest.Slice("s", "external", "198.51.100.7")},
		"no address":                     {give: phitest.Slice("s", "external")},
		"one of three": {
			give: phitest.Slice("s", "external", "198.51.100.7", "198.51.100.8", "10.0.0.9"),
			want: []string{`endpoints[1].addresses[0] is written by hand and declared by no PHIWorkload (2 of such addresses): callers of Service "external" are sent there`},
		},
		"a host name": {
			give: phitest.Slice("s", "external", "db.example.org"),
			want: []string{`endpoints[0].addresses[0] is written by hand and declared by no PHIWorkload (1 of such addresses): callers of Service "external" are sent there`},
		},
		"an address of a range by which others may call, and nobody is called": {
			give: phitest.Slice("s", "external", "192.0.2.1"),
			want: []string{`endpoints[0].addresses[0] is written by hand and declared by no PHIWorkload (1 of such addresses): callers of Service "external" are sent there`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := everything().subject()
			s.Slice = tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsolationIsJudgedAsAWhole(t *testing.T) {
	deny := phitest.Policy("hipaa-default-deny").Obj()
	statement := &hipaav1.Statement{StatedBy: "somebody", Expires: phitest.After(24 * time.Hour)}
	dropped := &control.IsolationResult{Dropped: true, Detail: "a denied connection was dropped"}
	const closed = "closed by default (hipaa-default-deny), open for declared flows only; "
	for name, tc := range map[string]struct {
		policies  []*networkingv1.NetworkPolicy
		probe     *control.IsolationResult
		statement *hipaav1.Statement
		workload  *phitest.WorkloadBuilder
		pods      []*corev1.Pod
		services  []*corev1.Service
		want      []string
	}{
		"closed and probed": {
			policies: []*networkingv1.NetworkPolicy{deny}, probe: dropped,
			want: []string{"Pass: " + closed + "a denied connection was dropped [Tested]"},
		},
		"closed and stated": {
			policies: []*networkingv1.NetworkPolicy{deny}, statement: statement,
			want: []string{"Pass: " + closed + "the profile states until 2026-03-03 that the network plugin enforces it [Attested]"},
		},
		"closed, stated, and a probe has seen otherwise": {
			policies: []*networkingv1.NetworkPolicy{deny}, statement: statement, probe: &control.IsolationResult{},
			want: []string{"the network plugin does not enforce NetworkPolicies: a probe saw a denied connection pass [Tested] (live)"},
		},
		"closed without proof": {
			policies: []*networkingv1.NetworkPolicy{deny},
			want:     []string{"Unknown: nothing has shown that this cluster's network plugin enforces NetworkPolicies (live)"},
		},
		"closed by policies of other names": {
			policies: []*networkingv1.NetworkPolicy{
				phitest.Policy("in").With(func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1] }).Obj(),
				phitest.Policy("out").With(func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[1:] }).Obj(),
			},
			probe: dropped,
			want:  []string{"Pass: closed by default (in, out), open for declared flows only; a denied connection was dropped [Tested]"},
		},
		"closed in one direction": {
			policies: []*networkingv1.NetworkPolicy{phitest.Policy("in").With(func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1] }).Obj()},
			probe:    dropped,
			want: []string{
				"not every pod of namespace ehr is closed by default (live)",
			},
		},
		"closed for the workload's pods, and not for one that loses its label": {
			policies: []*networkingv1.NetworkPolicy{phitest.Policy("hipaa-api").Selecting("app", "api").Obj()}, probe: dropped,
			want: []string{
				"not every pod of namespace ehr is closed by default (live)",
			},
		},
		"a pod on the node's network": {
			policies: []*networkingv1.NetworkPolicy{deny}, probe: dropped,
			pods: []*corev1.Pod{phitest.Pod("api-0").With(func(p *corev1.Pod) { p.Spec.HostNetwork = true }).Obj()},
			want: []string{
				"pod api-0 shares the node's network, where no NetworkPolicy holds it (live)",
				"Pass: " + closed + "a denied connection was dropped [Tested]",
			},
		},
		"declarations that only people can put right": {
			policies: []*networkingv1.NetworkPolicy{deny}, probe: dropped,
			workload: phitest.Workload("api").To(phitest.ToBlock("203.0.113.0/24", 443), phitest.ToService("", "by-hand")),
			services: []*corev1.Service{phitest.Service("by-hand").Selecting().Obj()},
			want: []string{
				"spec.egress.to[0].ipBlock lies outside network.externalRanges of the profile, and stays closed (live)",
				"spec.egress.to[1].service names Service ehr/by-hand, which selects no pods, and stays closed (live)",
				"Pass: " + closed + "a denied connection was dropped [Tested]",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			workload := phitest.Workload("api")
			if tc.workload != nil {
				workload = tc.workload
			}
			s := town{
				network: control.NetworkParameters{
					Enforcement: tc.statement, ExternalRanges: [][]netip.Prefix{{netip.MustParsePrefix("198.51.100.0/24")}},
				},
				workloads: []*hipaav1.PHIWorkload{workload.Obj()},
				policies:  tc.policies, pods: tc.pods, services: tc.services,
			}.subject()
			s.World.Isolation = tc.probe
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
