package flows_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// town is what is known around a workload.
type town struct {
	network   control.NetworkParameters
	workloads []*hipaav1.PHIWorkload
	services  []*corev1.Service
	apiServer []string
	resolvers []control.Resolver
}

var dns = []control.Resolver{{Namespace: "kube-system", Pods: phitest.Labels("k8s-app", "kube-dns"), Port: 53}}

func (n town) subject() *control.Subject {
	world := &control.World{
		Workloads: map[types.NamespacedName]*hipaav1.PHIWorkload{},
		Services:  map[types.NamespacedName]*corev1.Service{},
		Resolvers: n.resolvers,
	}
	for _, w := range n.workloads {
		world.Workloads[types.NamespacedName{Namespace: w.Namespace, Name: w.Name}] = w
	}
	for _, service := range n.services {
		world.Services[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}] = service
	}
	for _, text := range n.apiServer {
		world.APIServer = append(world.APIServer, netip.MustParseAddrPort(text))
	}
	return &control.Subject{
		Profile:   &control.Profile{Network: n.network},
		Namespace: phitest.Namespace(phitest.DefaultNamespace).Obj(),
		World:     world,
	}
}

func closedOf(declared flows.Declared) []string {
	var closed []string
	for _, f := range declared.All() {
		if f.Closed != "" {
			closed = append(closed, f.Path+" "+f.Closed)
		}
	}
	return closed
}

func tcp(numbers ...int32) []reach.PortRange { return ports(corev1.ProtocolTCP, numbers...) }

func ports(protocol corev1.Protocol, numbers ...int32) []reach.PortRange {
	var list []reach.PortRange
	for _, n := range numbers {
		list = append(list, reach.PortRange{Protocol: protocol, First: n})
	}
	return list
}

func podsIn(namespace string, keysAndValues ...string) reach.Peer {
	return reach.PodPeer{Namespaces: []string{namespace}, PodSelector: *phitest.Labels(keysAndValues...)}
}

func block(cidr string, except ...string) reach.Peer {
	b := reach.Block{CIDR: netip.MustParsePrefix(cidr)}
	for _, text := range except {
		b.Except = append(b.Except, netip.MustParsePrefix(text))
	}
	return b
}

var bySense = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()}

// A town in which each kind of peer is declared once.
func TestEveryKindOfPeerIsResolved(t *testing.T) {
	s := town{
		network: control.NetworkParameters{Gateways: map[string]hipaav1.Gateway{
			"ingress": {Name: "ingress", Namespace: "ingress-nginx", PodSelector: phitest.Labels("app", "nginx")},
			"lb":      {Name: "lb", CIDRs: []string{"10.1.0.0/24", "2001:db8::/64"}},
		}},
		workloads: []*hipaav1.PHIWorkload{phitest.Workload("portal").Obj(), phitest.Workload("db").Port("sql", 5432).Obj()},
		services:  []*corev1.Service{phitest.Service("terminology").Namespace("registry").Port("http", 80, intstr.FromInt32(8000)).Obj()},
		apiServer: []string{"10.0.0.1:6443", "10.0.0.2:6443", "[::ffff:10.0.0.3]:443"},
		resolvers: dns,
	}.subject()
	w := phitest.Workload("api").Port("http", 8080).Port("admin", 9090).
		From(
			phitest.FromWorkload("portal"),
			phitest.OnPorts(phitest.FromGateway("ingress"), "http"),
			phitest.FromGateway("lb"),
			phitest.OnPorts(phitest.FromPods(phitest.NamespaceNamed("monitoring"), phitest.Labels("app", "prometheus")), "admin"),
			phitest.FromPods(nil, nil),
			phitest.FromBlock("192.0.2.7/24", "192.0.2.128/25", "10.0.0.0/8"),
		).
		To(
			phitest.ToWorkload("db"),
			phitest.ToService("registry", "terminology"),
			phitest.ToKubernetesAPI(),
			phitest.ToPods(&metav1.LabelSelector{}, phitest.Labels("app", "queue"), 5672),
			phitest.ToBlock("198.51.100.7/32", 443, 8443, 443),
		).Obj()
	want := flows.Declared{
		Ingress: []flows.Flow{
			{Path: "spec.access.from[0]", Peers: []reach.Peer{podsIn("ehr", "app", "portal")}, Ports: tcp(8080, 9090)},
			{Path: "spec.access.from[1]", Peers: []reach.Peer{podsIn("ingress-nginx", "app", "nginx")}, Ports: tcp(8080)},
			{Path: "spec.access.from[2]", Peers: []reach.Peer{block("10.1.0.0/24"), block("2001:db8::/64")}, Ports: tcp(8080, 9090)},
			{Path: "spec.access.from[3]", Peers: []reach.Peer{reach.PodPeer{
				NamespaceSelector: phitest.NamespaceNamed("monitoring"), PodSelector: *phitest.Labels("app", "prometheus"),
			}}, Ports: tcp(9090)},
			{Path: "spec.access.from[4]", Peers: []reach.Peer{podsIn("ehr")}, Ports: tcp(8080, 9090)},
			{Path: "spec.access.from[5]", Peers: []reach.Peer{block("192.0.2.0/24", "192.0.2.128/25")}, Ports: tcp(8080, 9090)},
		},
		Egress: []flows.Flow{
			{Path: "spec.egress.to[0]", Peers: []reach.Peer{podsIn("ehr", "app", "db")}, Ports: tcp(5432)},
			{Path: "spec.egress.to[1]", Peers: []reach.Peer{podsIn("registry", "app", "terminology")}, Ports: tcp(8000)},
			{Path: "spec.egress.to[2]", Peers: []reach.Peer{block("10.0.0.1/32"), block("10.0.0.2/32")}, Ports: tcp(6443)},
			{Path: "spec.egress.to[2]", Peers: []reach.Peer{block("10.0.0.3/32")}, Ports: tcp(443)},
			{Path: "spec.egress.to[3]", Peers: []reach.Peer{reach.PodPeer{
				NamespaceSelector: &metav1.LabelSelector{}, PodSelector: *phitest.Labels("app", "queue"),
			}}, Ports: tcp(5672)},
			{Path: "spec.egress.to[4]", Peers: []reach.Peer{block("198.51.100.7/32")}, Ports: tcp(443, 8443)},
			{Path: "name resolution", Peers: []reach.Peer{podsIn("kube-system", "k8s-app", "kube-dns")},
				Ports: append(ports(corev1.ProtocolUDP, 53), tcp(53)...)},
		},
	}
	if diff := cmp.Diff(want, flows.Of(s, w), bySense); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
}

// A workload with proxies reaches phi-egress for its vendors, and nothing further.
func TestVendorsAreReachedByTheGate(t *testing.T) {
	w := phitest.Workload("api").To(phitest.ToVendor("eprescribe")).Proxied("api").Obj()
	got := flows.Of(town{resolvers: dns}.subject(), w).Egress[0]
	want := flows.Flow{
		Path: "spec.egress.to[0]", Ports: tcp(15443),
		Peers: []reach.Peer{podsIn("hipaa-operator-system", "app.kubernetes.io/name", "hipaa-operator", "app.kubernetes.io/component", "egress")},
	}
	if diff := cmp.Diff(want, got, bySense); diff != "" {
		t.Errorf("the flow (-want +got):\n%s", diff)
	}
}

// A workload with proxies is called by them, past them as long as pods have none, and
// gets their certificates.
func TestProxiesAreTheListeners(t *testing.T) {
	db := phitest.Workload("db").Port("sql", 5432).Proxied("db").Obj()
	portal := phitest.Workload("portal").Port("http", 8080).From(phitest.FromWorkload("db")).To(phitest.ToWorkload("db")).Proxied().Obj()
	portal.Status.Proxy.Plaintext = hipaav1.PlaintextOpen
	s := town{workloads: []*hipaav1.PHIWorkload{db, portal}, resolvers: dns}.subject()
	got := flows.Of(s, portal)
	want := flows.Declared{
		Ingress: []flows.Flow{{Path: "spec.access.from[0]", Peers: []reach.Peer{podsIn("ehr", "app", "db")}, Ports: tcp(8080, 18080)}},
		Egress: []flows.Flow{
			{Path: "spec.egress.to[0]", Peers: []reach.Peer{podsIn("ehr", "app", "db")}, Ports: tcp(15432)},
			{
				Path:  "certificates",
				Peers: []reach.Peer{podsIn("hipaa-operator-system", "app.kubernetes.io/name", "hipaa-operator", "app.kubernetes.io/component", "issuer")},
				Ports: tcp(9443),
			},
			flows.NameResolution(s)[0],
		},
	}
	if diff := cmp.Diff(want, got, bySense); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
}

// What is held against policies is what opens, entry for entry.
func TestAllowedIsWhatOpens(t *testing.T) {
	declared := flows.Declared{
		Ingress: []flows.Flow{{Peers: []reach.Peer{podsIn("a"), block("10.0.0.0/8")}, Ports: tcp(1, 2)}, {Closed: "names nobody", Ports: tcp(3)}},
		Egress:  []flows.Flow{{Peers: []reach.Peer{podsIn("b")}}},
	}
	want := reach.Allowed{
		Ingress: []reach.Flow{{Peer: podsIn("a"), Ports: tcp(1, 2)}, {Peer: block("10.0.0.0/8"), Ports: tcp(1, 2)}},
		Egress:  []reach.Flow{{Peer: podsIn("b")}}, // which, without ports, allows nothing
	}
	if diff := cmp.Diff(want, declared.Allowed(), bySense); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
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
			want:     []string{`spec.egress.to[0] vendor "eprescribe": calls leave by the proxies of pods, and this workload has none; let its profile enforce mutual-tls`},
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
	} {
		t.Run(name, func(t *testing.T) {
			tc.give.resolvers = dns
			s := tc.give.subject()
			if diff := cmp.Diff(tc.want, closedOf(flows.Of(s, tc.workload.Obj()))); diff != "" {
				t.Errorf("closed (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("names, where nobody knows who resolves them", func(t *testing.T) {
		declared := flows.Of(town{}.subject(), api().Obj())
		if diff := cmp.Diff([]string{noDNS}, closedOf(declared)); diff != "" {
			t.Errorf("closed (-want +got):\n%s", diff)
		}
		if allowed := declared.Allowed(); len(allowed.Egress) > 0 {
			t.Errorf("opens %v all the same", allowed.Egress)
		}
	})
}

func TestFaultsNeedAnotherDeclaration(t *testing.T) {
	s := town{
		network:   control.NetworkParameters{ExternalRanges: [][]netip.Prefix{{netip.MustParsePrefix("198.51.100.0/24")}}},
		services:  []*corev1.Service{phitest.Service("by-hand").Selecting().Obj()},
		resolvers: dns,
	}.subject()
	w := phitest.Workload("api").To(phitest.ToBlock("203.0.113.0/24", 443), phitest.ToService("", "by-hand"), phitest.ToService("", "none")).Obj()
	var faults []string
	for _, f := range flows.Of(s, w).All() {
		if f.Fault != nil {
			faults = append(faults, f.Fault.Path+" "+f.Fault.Message)
		}
	}
	want := []string{
		"spec.egress.to[0].ipBlock lies outside network.externalRanges of the profile, and stays closed",
		"spec.egress.to[1].service names Service ehr/by-hand, which selects no pods, and stays closed",
	}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// A PHIWorkload without a selector comes from a file only, and would stand for
// the whole namespace.
func TestASelectorThatSelectsEverythingIsNobody(t *testing.T) {
	all := phitest.Workload("all").Port("http", 80).Selecting().Obj()
	api := phitest.Workload("api").Port("http", 80).To(phitest.ToWorkload("all"), phitest.ToWorkload("api")).Obj()
	s := town{workloads: []*hipaav1.PHIWorkload{api, all}, resolvers: dns}.subject()
	want := []string{"spec.egress.to[0] PHIWorkload ehr/all has a selector that selects no pods in particular"}
	if diff := cmp.Diff(want, closedOf(flows.Of(s, api))); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
	if flows.IsParticular(all) || !flows.IsParticular(api) {
		t.Error("IsParticular does not tell an empty selector from another")
	}
}

func TestDestinationsKeepTheirTransport(t *testing.T) {
	to := phitest.ToBlock("192.0.2.0/24", 1)
	to.Ports = []hipaav1.PeerPort{{Port: 1, Protocol: hipaav1.TransportUDP}, {Port: 2, Protocol: hipaav1.TransportSCTP}, {Port: 3}, {Port: 3, Protocol: hipaav1.TransportTCP}}
	got := flows.Of(town{}.subject(), phitest.Workload("api").To(to).Obj()).Egress[0].Ports
	want := append(append(ports(corev1.ProtocolUDP, 1), ports(corev1.ProtocolSCTP, 2)...), tcp(3)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestNamesAreResolvedAsTheProfileSays(t *testing.T) {
	network := control.NetworkParameters{DNS: []hipaav1.DNSServer{
		{PodSelector: phitest.Labels("k8s-app", "node-local-dns")},
		{CIDR: "169.254.20.10/32", Port: 5353},
	}}
	want := []flows.Flow{
		{Path: "name resolution", Peers: []reach.Peer{podsIn("kube-system", "k8s-app", "node-local-dns")}, Ports: append(ports(corev1.ProtocolUDP, 53), tcp(53)...)},
		{Path: "name resolution", Peers: []reach.Peer{block("169.254.20.10/32")}, Ports: append(ports(corev1.ProtocolUDP, 5353), tcp(5353)...)},
	}
	if diff := cmp.Diff(want, flows.NameResolution(town{network: network, resolvers: dns}.subject()), bySense); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
}

func TestBlocksAreWhereToNotWhereFrom(t *testing.T) {
	s := town{network: control.NetworkParameters{ExternalRanges: [][]netip.Prefix{{netip.MustParsePrefix("198.51.100.0/24")}}}, apiServer: []string{"10.0.0.1:6443"}}.subject()
	w := phitest.Workload("api").From(phitest.FromBlock("198.51.100.0/30")).
		To(phitest.ToBlock("198.51.100.8/29"), phitest.ToKubernetesAPI(), phitest.ToBlock("203.0.113.0/24", 443)).Obj()
	want := []reach.Peer{block("198.51.100.8/29")}
	var got []reach.Peer
	for _, b := range flows.Blocks(s, w) {
		got = append(got, b)
	}
	if diff := cmp.Diff(want, got, bySense); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	if got := flows.Blocks(s, phitest.Workload("quiet").Obj()); len(got) > 0 {
		t.Errorf("a workload that calls nobody has blocks %v", got)
	}
}
