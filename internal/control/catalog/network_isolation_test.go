package catalog

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
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
	objects, _ := isolation.Owns(s)
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
	if _, unresolved := isolation.Owns(everything().subject()); len(unresolved) > 0 {
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

func TestWhatStaysClosedIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		give *phitest.WorkloadBuilder
		want []string
	}{
		"entries of both directions, and where names are resolved": {
			give: phitest.Workload("api").Port("http", 8080).From(phitest.FromWorkload("portal")).To(phitest.ToService("lab", "results")),
			want: []string{
				"spec.access.from[0] PHIWorkload ehr/portal does not exist",
				"spec.egress.to[0] Service lab/results does not exist",
				"name resolution is not possible: no resolver was discovered; name one in network.dns of the profile",
			},
		},
		"a workload whose name is that of the default deny": {
			give: phitest.Workload("default-deny").Port("http", 80).From(phitest.FromPods(nil, nil)),
			want: []string{"metadata.name default-deny is reserved: the workload gets no policy and stays closed; create it under another name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := town{workloads: []*hipaav1.PHIWorkload{tc.give.Obj()}}.subject()
			_, got := isolation.Owns(s)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("unresolved (-want +got):\n%s", diff)
			}
		})
	}
}

// A PHIWorkload without a selector comes from a file only, and would select the
// whole namespace.
func TestASelectorThatSelectsEverythingOwnsNothing(t *testing.T) {
	s := town{workloads: []*hipaav1.PHIWorkload{phitest.Workload("all").Port("http", 80).Selecting().Obj()}}.subject()
	if got, _ := isolation.Owns(s); len(got) > 0 {
		t.Errorf("owns %v", got)
	}
}

func TestTheReservedNameOwnsNothing(t *testing.T) {
	s := town{workloads: []*hipaav1.PHIWorkload{phitest.Workload("default-deny").Obj()}}.subject()
	if got, _ := isolation.Owns(s); len(got) > 0 {
		t.Errorf("owns %v, in the place of the policy that closes everything", got)
	}
}

// What every cluster has and is gone for a moment must not cut a workload off.
func TestAPolicyThatIsThereIsNotNarrowedByAGap(t *testing.T) {
	resolves := phitest.Policy("hipaa-api").Selecting("app", "api").
		Egress(phitest.Peer(phitest.NamespaceNamed("kube-system"), phitest.Labels("k8s-app", "kube-dns")), phitest.UDP(53))
	there := []*networkingv1.NetworkPolicy{resolves.Obj()}
	for name, tc := range map[string]struct {
		missing  []control.Evidence
		policies []*networkingv1.NetworkPolicy
		want     int
	}{
		"nothing is missing":                      {policies: there, want: 1},
		"no resolver, and the policy leads to it": {missing: []control.Evidence{control.Resolvers}, policies: there},
		"no API server, and the policy leads out": {missing: []control.Evidence{control.APIServer}, policies: there},
		"no resolver, and the policy never led to one": {
			missing: []control.Evidence{control.Resolvers}, want: 1,
			policies: []*networkingv1.NetworkPolicy{phitest.Policy("hipaa-api").Selecting("app", "api").Ingress(nil).Obj()},
		},
		"no resolver, and no policy yet": {missing: []control.Evidence{control.Resolvers}, want: 1},
		"no resolver, and only somebody else's policy": {
			missing: []control.Evidence{control.Resolvers}, want: 1,
			policies: []*networkingv1.NetworkPolicy{resolves.With(func(p *networkingv1.NetworkPolicy) { p.Name = "theirs" }).Obj()},
		},
		"no resolver, and policies were not read": {missing: []control.Evidence{control.Resolvers, control.NetworkPolicies}},
		"something else": {missing: []control.Evidence{control.IsolationProof}, policies: there, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			around := everything()
			around.policies, around.resolvers = tc.policies, nil
			s := around.subject()
			s.World.Missing = map[control.Evidence]string{}
			for _, source := range tc.missing {
				s.World.Missing[source] = "gone"
			}
			if got, _ := isolation.Owns(s); len(got) != tc.want {
				t.Errorf("owns %d objects, want %d", len(got), tc.want)
			}
			s.Workload = nil
			if got, _ := isolation.Owns(s); len(got) != 1 {
				t.Errorf("the namespace owns %d objects, want its default deny whatever is missing", len(got))
			}
		})
	}
}

// The way to a resolver that is not found cannot be told from one that nobody
// declared. Everything else is judged as ever.
func TestAGapIsSaidAndHidesNothingElse(t *testing.T) {
	dns := phitest.Peer(phitest.NamespaceNamed("kube-system"), phitest.Labels("k8s-app", "kube-dns"))
	around := everything()
	around.resolvers = nil
	for name, tc := range map[string]struct {
		give *networkingv1.NetworkPolicy // none is the workload as a whole
		want []string
	}{
		"the workload": {want: []string{
			"Unknown: where names are resolved: nobody leads there; policies in place stay as they are (live)",
			"Pass: closed by default (hipaa-default-deny), open for declared flows only; a probe saw a denied connection dropped [Tested]",
		}},
		"its own policy": {
			give: phitest.Policy("hipaa-api").Selecting("app", "api").Egress(dns, phitest.UDP(53)).Obj(),
		},
		"its own policy, with a way in": {
			give: phitest.Policy("hipaa-api").Selecting("app", "api").Ingress(nil, phitest.TCP(22)).Egress(dns, phitest.UDP(53)).Obj(),
			want: []string{"spec.ingress[0] opens PHIWorkload api: anyone may connect to TCP 22"},
		},
		"somebody else's way out": {
			give: phitest.Policy("theirs").Selecting("app", "api").Egress(dns, phitest.UDP(53)).Obj(),
			want: []string{"Unknown: spec.egress[0].to[0] may open PHIWorkload api: these pods may connect to pods with k8s-app=kube-dns in namespace kube-system on UDP 53"},
		},
		"somebody else's way in": {
			give: phitest.Policy("theirs").Selecting("app", "api").Ingress(nil, phitest.TCP(22)).Obj(),
			want: []string{"spec.ingress[0] opens PHIWorkload api: anyone may connect to TCP 22"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := around.subject()
			s.World.Missing = map[control.Evidence]string{control.Resolvers: "nobody leads there"}
			s.World.Policies = []*networkingv1.NetworkPolicy{phitest.Policy("hipaa-default-deny").Obj()}
			s.World.Isolation = &control.IsolationResult{Dropped: true}
			s.Policy = tc.give
			if diff := cmp.Diff(tc.want, sentences(isolation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
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
			want:     []string{"Unknown: nothing has shown that this cluster's network plugin enforces NetworkPolicies: nobody looked (live)"},
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
