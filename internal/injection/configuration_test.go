package injection

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

func port(number int32, target intstr.IntOrString) corev1.ServicePort {
	return corev1.ServicePort{Port: number, TargetPort: target, Protocol: corev1.ProtocolTCP}
}

func serviceOf(name string, ports ...corev1.ServicePort) *corev1.Service {
	s := phitest.Service(name).Obj()
	s.Spec.Ports = ports
	return s
}

func headless(s *corev1.Service) *corev1.Service {
	s.Spec.ClusterIP = corev1.ClusterIPNone
	return s
}

// member is a pod of a StatefulSet behind a Service, with its proxy.
func member(i int) *corev1.Pod { return applied(planFor(database()), bareMember(i)) }

func bareMember(i int) *corev1.Pod {
	return phitest.Pod("db").Listens("postgres", 5432).With(func(p *corev1.Pod) {
		p.Name = fmt.Sprintf("db-%d", i)
		p.Spec.Hostname, p.Spec.Subdomain = p.Name, "db"
	}).Obj()
}

// town is a workload between others.
type town struct {
	workload *phitest.WorkloadBuilder
	pods     []*corev1.Pod
	parties  map[string]control.Party
	plain    []*corev1.Service
	vendors  []*hipaav1.Vendor
	// capture is how traffic comes to the proxies.
	capture hipaav1.CaptureMode
	// bare says that the database is to have no proxy.
	bare bool
}

// gate is where calls to vendors leave.
const gate = "phi-egress.hipaa-operator-system.svc.cluster.local:15443"

// hosts is a vendor with these.
func hosts(list ...hipaav1.VendorHost) *hipaav1.Vendor {
	v := phitest.Vendor("eprescribe").Obj()
	v.Spec.Hosts = list
	return v
}

// database is what others call.
func database() *hipaav1.PHIWorkload {
	w := phitest.Workload("db").Port("postgres", 5432).Proxied("db").Obj()
	w.Spec.Ports[0].Protocol = hipaav1.PortProtocolTCP
	return w
}

func (in town) configure() (*config.Configuration, []string, error) {
	w := in.workload.Stored().Obj()
	db := database()
	if in.bare {
		db.Status.Proxy = nil
	}
	a := realApplication{workloads: []*hipaav1.PHIWorkload{w, db, phitest.Workload("portal").Obj()}, services: in.plain}
	with := settings()
	with.Capture = in.capture
	with.Pods, with.Parties = in.pods, map[types.NamespacedName]control.Party{}
	for name, party := range in.parties {
		with.Parties[types.NamespacedName{Namespace: phitest.DefaultNamespace, Name: name}] = party
	}
	s := a.subject(w)
	s.Now, s.World.Vendors = phitest.Epoch, map[string]*hipaav1.Vendor{}
	for _, v := range in.vendors {
		s.World.Vendors[v.Name] = v
	}
	return Configuration(s, with)
}

// lines are what a configuration lets through, one line each.
func lines(c *config.Configuration) []string {
	var list []string
	ids := func(peers []config.Peer) string {
		var ids []string
		for _, p := range peers {
			ids = append(ids, strings.TrimPrefix(p.ID, "spiffe://cluster.local/ns/"))
		}
		return "[" + strings.Join(ids, " ") + "]"
	}
	for _, in := range c.Inbound {
		list = append(list, fmt.Sprintf("in %s %d>%d %s %s", in.Name, in.Listen, in.Forward, in.Protocol, ids(in.From)))
	}
	for _, out := range c.Outbound {
		line := fmt.Sprintf("out %s:%d > %s %s %s %s", strings.Join(out.Names, ","), out.Port, out.Upstream, out.Protocol, out.Trust, ids(out.To))
		if e := out.Endpoint; e != nil {
			line += fmt.Sprintf(" %v>%d", e.Ports, e.Dial)
		}
		list = append(list, line)
	}
	for _, name := range c.Resolver.Forwarded {
		list = append(list, "forward "+name)
	}
	return list
}

func TestConfiguration(t *testing.T) {
	barePod := phitest.Pod("db").Listens("postgres", 5432).Obj()
	databasePod := applied(planFor(database()), barePod)
	portal := map[string]control.Party{"portal": {Pods: []*corev1.Pod{phitest.Pod("portal").Obj()}}}
	services := func(s ...*corev1.Service) map[string]control.Party {
		return map[string]control.Party{"db": {Pods: []*corev1.Pod{databasePod}, Services: s}}
	}
	byName := serviceOf("db", port(5432, intstr.FromString("postgres")))
	const outPlain = "out db.ehr.svc.cluster.local:5432 > db.ehr.svc.cluster.local:5432 TCP Plain []"
	calling := api().To(phitest.ToWorkload("db"))
	const inNobody, inPortal = "in http 18080>8080 HTTP []", "in http 18080>8080 HTTP [ehr/sa/portal]"
	const outDB = "out db.ehr.svc.cluster.local:5432 > db.ehr.svc.cluster.local:5432 TCP Mutual [ehr/sa/db]"
	tests := map[string]struct {
		give   town
		want   []string
		closed []string
	}{
		"a workload that names nobody": {give: town{workload: api()}, want: []string{inNobody}},
		"a caller by the ServiceAccount of its pods": {
			give: town{workload: api().From(phitest.FromWorkload("portal")), parties: portal}, want: []string{inPortal},
		},
		"a caller under several ServiceAccounts, each once": {
			give: town{workload: api().From(phitest.FromWorkload("portal")), parties: map[string]control.Party{"portal": {Pods: []*corev1.Pod{
				phitest.Pod("web").Obj(), phitest.Pod("portal").Obj(), phitest.Pod("portal").Obj(),
			}}}},
			want: []string{"in http 18080>8080 HTTP [ehr/sa/portal ehr/sa/web]"},
		},
		"a workload that is to have no proxy, and has none": {
			give: town{workload: calling, bare: true, parties: map[string]control.Party{"db": {Pods: []*corev1.Pod{barePod}, Services: []*corev1.Service{byName}}}},
			want: []string{inNobody, outPlain},
		},
		"one whose pods are all gone for a moment, as before": {
			give: town{workload: calling, bare: true, parties: map[string]control.Party{"db": {Services: []*corev1.Service{byName}}}},
			want: []string{inNobody, outPlain},
		},
		"one that is to have proxies, before its first pod has one": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {Pods: []*corev1.Pod{barePod}, Services: []*corev1.Service{byName}}}},
			want: []string{inNobody, outPlain},
		},
		"as long as one of its pods is without": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {Pods: []*corev1.Pod{barePod, databasePod}, Services: []*corev1.Service{byName}}}},
			want: []string{inNobody, outPlain},
		},
		"once each of its pods has one": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {Pods: []*corev1.Pod{databasePod}, Services: []*corev1.Service{byName}}}},
			want: []string{inNobody, outDB},
		},
		"its pods by their names": {
			give: town{workload: calling, bare: true, parties: map[string]control.Party{"db": {
				Pods: []*corev1.Pod{bareMember(0)}, Services: []*corev1.Service{headless(serviceOf("db", port(80, intstr.FromString("postgres"))))},
			}}},
			want: []string{
				inNobody,
				"out db-0.db.ehr.svc.cluster.local:80 > db-0.db.ehr.svc.cluster.local:5432 TCP Plain []",
				"out db.ehr.svc.cluster.local:80 > db.ehr.svc.cluster.local:5432 TCP Plain []",
			},
		},
		"one that is to have no proxy any more, while a pod has one": {
			give: town{workload: calling, bare: true, parties: map[string]control.Party{"db": {
				Pods: []*corev1.Pod{applied(planFor(database()), databasePod)}, Services: []*corev1.Service{serviceOf("db", port(5432, intstr.FromString("postgres")))},
			}}},
			want: []string{inNobody, outDB},
		},
		"one whose pods are all gone for a moment, as its last ones were": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {Services: []*corev1.Service{serviceOf("db", port(5432, intstr.FromString("postgres")))}}}},
			want: []string{inNobody, outDB},
		},
		"a caller without pods": {
			give: town{workload: api().From(phitest.FromWorkload("portal"))}, want: []string{inNobody},
			closed: []string{"spec.access.from[0]: PHIWorkload ehr/portal has no pods yet, so that nobody knows their ServiceAccount"},
		},
		"a caller at one of two ports": {
			give: town{workload: api().Port("admin", 9000).From(phitest.OnPorts(phitest.FromWorkload("portal"), "http")), parties: portal},
			want: []string{inPortal, "in admin 19000>9000 HTTP []"},
		},
		"a gateway": {
			give: town{workload: api().From(phitest.FromGateway("ingress-nginx"))}, want: []string{"in http 18080>8080 HTTP [ingress-nginx/gateway/ingress-nginx]"},
		},
		"callers that have no certificate": {
			give: town{workload: api().From(phitest.FromPods(nil, nil), phitest.FromBlock("192.0.2.0/24"))}, want: []string{inNobody},
			closed: []string{
				"spec.access.from[0]: pods outside the PHI workloads have no certificate, and the proxy refuses them",
				"spec.access.from[1]: callers from addresses have no certificate, and the proxy refuses them",
			},
		},
		"a Service by a name of its port": {
			give: town{workload: calling, parties: services(serviceOf("db", port(5432, intstr.FromString("postgres"))))}, want: []string{inNobody, outDB},
		},
		"a Service by the number of its port": {
			give: town{workload: calling, parties: services(serviceOf("db", port(5432, intstr.FromInt32(5432))))}, want: []string{inNobody, outDB},
		},
		"a Service at a port that the application listens on": {
			give: town{workload: calling, parties: services(serviceOf("db", port(8080, intstr.FromString("postgres"))))}, want: []string{inNobody},
			closed: []string{"spec.egress.to[0]: db.ehr.svc.cluster.local is called at 8080, where the application listens itself in the pod: let its Service have another port"},
		},
		"a Service at a port that a container states": {
			give:   town{workload: calling, pods: []*corev1.Pod{apiPod().Listens("metrics", 9090).Obj()}, parties: services(serviceOf("db", port(9090, intstr.FromString("postgres"))))},
			want:   []string{inNobody},
			closed: []string{"spec.egress.to[0]: db.ehr.svc.cluster.local is called at 9090, where the application listens itself in the pod: let its Service have another port"},
		},
		"a Service at a port that the proxy has": {
			give: town{workload: calling, parties: services(serviceOf("db", port(18080, intstr.FromString("postgres"))))}, want: []string{inNobody},
			closed: []string{"spec.egress.to[0]: db.ehr.svc.cluster.local is called at 18080, where the proxy listens for others in the pod: let its Service have another port"},
		},
		"a Service at another port": {
			give: town{workload: calling, parties: services(serviceOf("db", port(80, intstr.FromString("postgres"))))},
			want: []string{inNobody, "out db.ehr.svc.cluster.local:80 > db.ehr.svc.cluster.local:80 TCP Mutual [ehr/sa/db]"},
		},
		"pods that have the proxy already": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {
				Pods: []*corev1.Pod{applied(planFor(database()), databasePod)}, Services: []*corev1.Service{serviceOf("db", port(5432, intstr.FromString("postgres")))},
			}}},
			want: []string{inNobody, outDB},
		},
		"a Service without an address, and its pods by their names": {
			give: town{workload: calling, parties: map[string]control.Party{"db": {
				Pods: []*corev1.Pod{member(1), member(0)}, Services: []*corev1.Service{headless(serviceOf("db", port(5432, intstr.FromString("postgres"))))},
			}}},
			want: []string{
				inNobody,
				"out db-0.db.ehr.svc.cluster.local:5432 > db-0.db.ehr.svc.cluster.local:15432 TCP Mutual [ehr/sa/db]",
				"out db-1.db.ehr.svc.cluster.local:5432 > db-1.db.ehr.svc.cluster.local:15432 TCP Mutual [ehr/sa/db]",
				"out db.ehr.svc.cluster.local:5432 > db.ehr.svc.cluster.local:15432 TCP Mutual [ehr/sa/db]",
			},
		},
		"Services that lead elsewhere": {
			give: town{workload: calling, parties: services(
				serviceOf("other", port(5432, intstr.FromInt32(5432))), serviceOf("db", port(9187, intstr.FromInt32(9187)), port(9188, intstr.FromString("metrics"))), nil,
			)},
			want: []string{inNobody}, closed: []string{"spec.egress.to[0]: no Service leads to a declared port of PHIWorkload ehr/db, so that there is no name to call it by"},
		},
		"a Service that speaks UDP": {
			give: town{workload: calling, parties: services(serviceOf("db", corev1.ServicePort{Port: 5432, Protocol: corev1.ProtocolUDP}))},
			want: []string{inNobody}, closed: []string{"spec.egress.to[0]: no Service leads to a declared port of PHIWorkload ehr/db, so that there is no name to call it by"},
		},
		"a plain Service": {
			give:   town{workload: api().To(phitest.ToService("", "cache")), plain: []*corev1.Service{serviceOf("cache", port(6379, intstr.FromInt32(6380)), corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP})}},
			want:   []string{inNobody, "out cache.ehr.svc.cluster.local:6379 > cache.ehr.svc.cluster.local:6379 TCP Plain []"},
			closed: []string{"spec.egress.to[0]: port 53 of Service ehr/cache is UDP, which the proxy does not carry"},
		},
		"a plain Service without an address": {
			give: town{workload: api().To(phitest.ToService("", "cache")), plain: []*corev1.Service{headless(serviceOf("cache", port(6379, intstr.FromInt32(6380))))}},
			want: []string{inNobody, "out cache.ehr.svc.cluster.local:6379 > cache.ehr.svc.cluster.local:6380 TCP Plain []"},
		},
		"a workload's Service that is declared as a plain one too": {
			give: town{
				workload: api().To(phitest.ToService("", "db"), phitest.ToWorkload("db"), phitest.ToService("", "db")),
				parties:  services(serviceOf("db", port(5432, intstr.FromInt32(5432)))), plain: []*corev1.Service{serviceOf("db", port(5432, intstr.FromInt32(5432)))},
			},
			want: []string{inNobody, outDB},
		},
		"one declared twice": {
			give: town{workload: api().To(phitest.ToWorkload("db"), phitest.ToWorkload("db")), parties: services(serviceOf("db", port(5432, intstr.FromInt32(5432))))},
			want: []string{inNobody, outDB},
		},
		"a vendor, at all of its hosts": {
			give: town{workload: api().To(phitest.ToVendor("eprescribe")), vendors: []*hipaav1.Vendor{hosts(
				hipaav1.VendorHost{Name: "api.eprescribe.example", Port: 443}, hipaav1.VendorHost{Name: "api.eprescribe.example", Port: 8443},
				hipaav1.VendorHost{Name: "db.eprescribe.example", Port: 5432},
			)}},
			want: []string{
				inNobody,
				"out api.eprescribe.example:443 > " + gate + " HTTP Vendor [hipaa-operator-system/sa/phi-egress]",
				"out api.eprescribe.example:8443 > " + gate + " TCP Vendor [hipaa-operator-system/sa/phi-egress]",
				"out db.eprescribe.example:5432 > " + gate + " TCP Vendor [hipaa-operator-system/sa/phi-egress]",
			},
		},
		"a vendor that nobody declares": {
			give: town{workload: api().To(phitest.ToVendor("eprescribe"))}, want: []string{inNobody},
			closed: []string{`spec.egress.to[0]: Vendor "eprescribe" is not declared`},
		},
		"a vendor without an agreement": {
			give: town{workload: api().To(phitest.ToVendor("eprescribe")), vendors: []*hipaav1.Vendor{phitest.Vendor("eprescribe").Agreed(nil).Obj()}},
			want: []string{inNobody}, closed: []string{
				`spec.egress.to[0]: calls to Vendor "eprescribe" are closed: there is no agreement with it: conclude one and have the privacy officer declare it`,
			},
		},
		"a vendor inside the cluster": {
			give: town{workload: api().To(phitest.ToVendor("eprescribe")), vendors: []*hipaav1.Vendor{hosts(
				hipaav1.VendorHost{Name: "db.ehr.svc.cluster.local", Port: 443}, hipaav1.VendorHost{Name: "kubernetes.default.svc", Port: 443},
			)}},
			want: []string{inNobody}, closed: []string{
				"spec.egress.to[0]: db.ehr.svc.cluster.local is a name of this cluster, where no vendor is; declare the Service instead",
				"spec.egress.to[0]: kubernetes.default.svc is a name of this cluster, where no vendor is; declare the Service instead",
			},
		},
		"what has addresses alone": {
			give: town{workload: api().To(phitest.ToPods(nil, nil, 4317), phitest.ToBlock("192.0.2.0/24", 25))}, want: []string{inNobody},
			closed: []string{
				"spec.egress.to[0]: is reached by addresses alone: the proxy knows no name for it; where there is a Service, declare that",
				"spec.egress.to[1]: is reached by addresses alone: the proxy knows no name for it; where there is a Service, declare that",
			},
		},
		"the API server": {
			give: town{workload: api().To(phitest.ToKubernetesAPI(), phitest.ToKubernetesAPI())}, want: []string{inNobody, "forward kubernetes.default.svc.cluster.local"},
		},
		"the API server, where everything is redirected": {
			give: town{workload: api().To(phitest.ToKubernetesAPI()), capture: hipaav1.CaptureRedirect},
			want: []string{inNobody, "out kubernetes.default.svc.cluster.local:443 > kubernetes.default.svc.cluster.local:443 TCP Plain []"},
		},
		"pods by their own addresses, where everything is redirected": {
			give: town{workload: calling, parties: services(byName), capture: hipaav1.CaptureRedirect}, want: []string{inNobody, outDB + " [5432 15432]>15432"},
		},
		"pods by their own addresses, as long as one is redirected": {
			give: town{workload: calling, parties: services(byName), pods: []*corev1.Pod{applied(redirected(), stated().Obj())}}, want: []string{inNobody, outDB + " [5432 15432]>15432"},
		},
		"a port that the application has, on the way back to names": {
			give: town{
				workload: phitest.Workload("api").Port("http", 8080).From(phitest.FromWorkload("api")).To(phitest.ToWorkload("api")),
				pods:     []*corev1.Pod{applied(redirected(), stated().Obj())}, parties: map[string]control.Party{"api": {Services: []*corev1.Service{serviceOf("api", port(8080, intstr.FromString("http")))}}},
			},
			want:   []string{"in http 18080>8080 HTTP [ehr/sa/api]"},
			closed: []string{"spec.egress.to[0]: api.ehr.svc.cluster.local is called at 8080, where the application listens itself in the pod: let its Service have another port"},
		},
		"itself": {
			give: town{
				workload: phitest.Workload("api").Port("http", 8080).From(phitest.FromWorkload("api")).To(phitest.ToWorkload("api")),
				pods:     []*corev1.Pod{applied(planFor(api().Obj()), apiPod().Obj())}, parties: map[string]control.Party{"api": {Services: []*corev1.Service{serviceOf("api", port(80, intstr.FromString("http")))}}},
			},
			want: []string{"in http 18080>8080 HTTP [ehr/sa/api]", "out api.ehr.svc.cluster.local:80 > api.ehr.svc.cluster.local:80 HTTP Mutual [ehr/sa/api]"},
		},
		"what nobody resolves": {give: town{workload: api().From(phitest.FromWorkload("gone")).To(phitest.ToWorkload("gone"), phitest.ToService("", "gone"))}, want: []string{inNobody}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, closed, err := tt.give.configure()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, lines(c)); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.closed, closed); diff != "" {
				t.Errorf("closed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigurationsAreReadAsWritten(t *testing.T) {
	give := town{workload: api().From(phitest.FromWorkload("portal")).To(phitest.ToWorkload("db")), parties: map[string]control.Party{
		"portal": {Pods: []*corev1.Pod{phitest.Pod("web").Obj(), phitest.Pod("portal").Obj()}},
		"db":     {Pods: []*corev1.Pod{member(0), member(1)}, Services: []*corev1.Service{headless(serviceOf("db", port(5432, intstr.FromString("postgres"))))}},
	}}
	first, _, err := give.configure()
	if err != nil {
		t.Fatal(err)
	}
	for _, party := range give.parties {
		slices.Reverse(party.Pods)
	}
	second, _, err := give.configure()
	if err != nil {
		t.Fatal(err)
	}
	one, err := Encode(first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Encode(second)
	if err != nil || string(one) != string(two) {
		t.Errorf("the same in another order is written differently (%v):\n%s", err, cmp.Diff(string(one), string(two)))
	}
	read, err := config.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, read); diff != "" {
		t.Errorf("what the proxy reads (-written +read):\n%s", diff)
	}
}

func TestWhatCannotBeConfiguredIsAnError(t *testing.T) {
	if _, _, err := Configuration(&control.Subject{Profile: &control.Profile{}, World: &control.World{}}, settings()); err == nil {
		t.Error("a subject without a workload is configured")
	}
	give := town{workload: api().Port("admin", 18080)}
	if _, _, err := give.configure(); err == nil || !strings.Contains(err.Error(), "inbound") {
		t.Errorf("a port that is the proxy's own: %v", err)
	}
}

// A name keeps its address whoever comes and goes.
func TestAddressesAreOfNames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("service-%d.ehr.svc.cluster.local", i))
	}
	known := map[string]netip.Addr{}
	for range 50 {
		book := addressBook{taken: map[uint32]string{}}
		some := slices.DeleteFunc(slices.Clone(names), func(string) bool { return random.IntN(2) == 0 })
		given := map[netip.Addr]string{}
		for _, name := range some {
			at := book.of(name)
			if other, taken := given[at]; taken {
				t.Fatalf("%s and %s share %s", name, other, at)
			}
			if was, before := known[name]; before && was != at {
				t.Fatalf("%s moved from %s to %s", name, was, at)
			}
			if at.Less(netip.MustParseAddr("127.0.0.16")) || !netip.MustParsePrefix("127.0.0.0/8").Contains(at) || at == netip.MustParseAddr("127.255.255.255") {
				t.Fatalf("%s leads to %s", name, at)
			}
			given[at], known[name] = name, at
		}
	}
	t.Run("two that meet", func(t *testing.T) {
		alone := addressBook{taken: map[uint32]string{}}
		at := alone.of("b")
		bytes := at.As4()
		crowded := addressBook{taken: map[uint32]string{uint32(bytes[0])<<24 | uint32(bytes[1])<<16 | uint32(bytes[2])<<8 | uint32(bytes[3]): "a"}}
		if moved := crowded.of("b"); moved == at || crowded.of("b") != moved {
			t.Errorf("%s, where %s is taken", moved, at)
		}
	})
}
