package reach

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// policy reads a spec in YAML; the policy is called "added" and stands in namespace ehr.
func policy(t testing.TB, spec string) networkingv1.NetworkPolicy {
	t.Helper()
	p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "added"}}
	if err := yaml.Unmarshal([]byte(spec), &p.Spec); err != nil {
		t.Fatalf("parsing policy: %v", err)
	}
	return p
}

func podsIn(t testing.TB, namespace, pods string) PodPeer {
	return PodPeer{Namespaces: []string{namespace}, PodSelector: *selector(t, pods)}
}

func podsWhere(t testing.TB, namespaces, pods string) PodPeer {
	return PodPeer{NamespaceSelector: selector(t, namespaces), PodSelector: *selector(t, pods)}
}

func block(t testing.TB, cidr string, except ...string) Block {
	return Block{CIDR: prefixes(t, cidr)[0], Except: prefixes(t, except...)}
}

func tcpPort(first int32) []PortRange { return []PortRange{{First: first}} }

func tcpRange(first, last int32) PortRange { return PortRange{First: first, Last: last} }

var everyPort = []PortRange{{Protocol: AnyProtocol}}

func database(t testing.TB) Pods { return Pods{Namespace: "ehr", Selector: *selector(t, "app=db")} }

// found is what tables say of a widening.
type found struct {
	Path  string
	Opens string
}

func foundIn(w []Widening) []found {
	var f []found
	for _, one := range w {
		f = append(f, found{one.Path, one.Opens})
	}
	return f
}

func TestWhatIsDeclaredIsNotReported(t *testing.T) {
	portal := func(t *testing.T) []Flow {
		return []Flow{{podsIn(t, "ehr", "app=portal"), tcpPort(5432)}}
	}
	tests := map[string]struct {
		give    string
		ingress func(*testing.T) []Flow
		egress  func(*testing.T) []Flow
		world   World
		except  []string
	}{
		"the same words": {
			give:    `{ingress: [{from: [{podSelector: {matchLabels: {app: portal}}}], ports: [{port: 5432}]}]}`,
			ingress: portal,
		},
		"default deny": {give: `{podSelector: {}, policyTypes: [Ingress, Egress]}`},
		"a policy for other pods": {
			give: `{podSelector: {matchLabels: {app: web}}, ingress: [{}]}`,
		},
		"expressions instead of labels": {
			give: `{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [portal]}]}}],
				ports: [{port: 5432, protocol: TCP}]}]}`,
			ingress: portal,
		},
		"fewer pods than declared": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: portal, tier: front}}}], ports: [{port: 5432}]}]}`, ingress: portal,
		},
		"the namespace by its name label": {
			give: `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ehr}},
				podSelector: {matchLabels: {app: portal}}}], ports: [{port: 5432}]}]}`,
			ingress: portal,
		},
		"the namespace by an expression on its name": {
			give: `{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [ehr]}]},
				podSelector: {matchLabels: {app: portal}}}], ports: [{port: 5432}]}]}`,
			ingress: portal,
		},
		"any namespace, written as one that has a name": {
			give: `{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 5432}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsWhere(t, "kubernetes.io/metadata.name", ""), tcpPort(5432)}}
			},
		},
		"two flows together cover one selector": {
			give: `{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [portal, mobile]}]}}], ports: [{port: 5432}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return append(portal(t), Flow{podsIn(t, "ehr", "app=mobile"), tcpPort(5432)})
			},
		},
		"two namespaces of one selector are declared apart": {
			give: `{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [a, b]}]}}], ports: [{port: 1}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "a", ""), tcpPort(1)}, {podsIn(t, "b", ""), tcpPort(1)}}
			},
		},
		"one range is covered by several": {
			give: `{ingress: [{from: [{podSelector: {}}], ports: [{port: 1000, endPort: 2000}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "ehr", ""), []PortRange{tcpRange(1500, 3000)}}, {podsIn(t, "ehr", ""), []PortRange{tcpRange(900, 1499)}}}
			},
		},
		"each part of a range by another selector": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 10, endPort: 20}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "ehr", "app in (a,b)"), []PortRange{tcpRange(10, 15)}}, {Anyone{}, []PortRange{tcpRange(16, 20)}}}
			},
		},
		"a narrower block": {
			give:   `{egress: [{to: [{ipBlock: {cidr: 10.1.0.0/16}}], ports: [{port: 443}]}]}`,
			egress: func(t *testing.T) []Flow { return []Flow{{block(t, "10.0.0.0/8"), tcpPort(443)}} },
		},
		"a block with the same hole, cut otherwise": {
			give: `{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/17, 10.1.128.0/17]}}], ports: [{port: 443}]}]}`,
			egress: func(t *testing.T) []Flow {
				return []Flow{{block(t, "10.0.0.0/8", "10.1.0.0/16"), tcpPort(443)}}
			},
		},
		"a block out of several": {
			give: `{egress: [{to: [{ipBlock: {cidr: "2001:db8::/32"}}], ports: [{port: 443}]}]}`,
			egress: func(t *testing.T) []Flow {
				return []Flow{{block(t, "2001:db8::/33"), tcpPort(443)}, {block(t, "2001:db8:8000::/33"), tcpPort(443)}}
			},
		},
		"anyone, declared": {
			give:    `{ingress: [{ports: [{port: 443}]}]}`,
			ingress: func(*testing.T) []Flow { return []Flow{{Anyone{}, tcpPort(443)}} },
		},
		"anyone, declared in three parts": {
			give: `{ingress: [{from: [], ports: [{port: 443}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsWhere(t, "", ""), tcpPort(443)}, {block(t, "0.0.0.0/0"), tcpPort(443)}, {block(t, "::/0"), tcpPort(443)}}
			},
		},
		"every port, declared": {
			give:    `{ingress: [{from: [{podSelector: {}}]}]}`,
			ingress: func(t *testing.T) []Flow { return []Flow{{podsIn(t, "ehr", ""), everyPort}} },
		},
		"every port of a protocol": {
			give: `{ingress: [{from: [{podSelector: {}}], ports: [{protocol: UDP}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "ehr", ""), []PortRange{{Protocol: corev1.ProtocolUDP, First: 1, Last: 65535}}}}
			},
		},
		"the peer's port by the same name": {
			give: `{egress: [{to: [{podSelector: {matchLabels: {app: cache}}}], ports: [{port: redis}]}]}`,
			egress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "ehr", "app=cache"), []PortRange{{Name: "redis"}}}}
			},
		},
		"the peer's port by a name, where all numbers are declared": {
			give: `{egress: [{to: [{podSelector: {matchLabels: {app: cache}}}], ports: [{port: redis}]}]}`,
			egress: func(t *testing.T) []Flow {
				return []Flow{{podsIn(t, "ehr", "app=cache"), []PortRange{tcpRange(1, 65535)}}}
			},
		},
		"a namespace whose labels are known to match": {
			give: `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}], ports: [{port: 1}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsWhere(t, "team=x,!legacy", ""), tcpPort(1)}}
			},
			world: World{Namespaces: map[string]labels.Set{"lab": {"team": "x"}}},
		},
		"the own namespace, whose labels are known to match": {
			give: `{ingress: [{from: [{podSelector: {}}], ports: [{port: 1}]}]}`,
			ingress: func(t *testing.T) []Flow {
				return []Flow{{podsWhere(t, "team=x", ""), tcpPort(1)}}
			},
			world: World{Namespaces: map[string]labels.Set{"ehr": {"team": "x"}}},
		},
		"a policy for pods that are excepted": {
			give:   `{podSelector: {matchLabels: {app: db, tier: back}}, ingress: [{}]}`,
			except: []string{"tier=back"},
		},
		"a policy for pods that only together are excepted": {
			give:   `{podSelector: {matchExpressions: [{key: tier, operator: In, values: [back, front]}]}, ingress: [{}]}`,
			except: []string{"tier=back", "tier=front,shift", "!shift"},
		},
		"a selector that selects nothing": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {a: "1"}, matchExpressions: [{key: a, operator: DoesNotExist}]}}]}]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var allowed Allowed
			if tt.ingress != nil {
				allowed.Ingress = tt.ingress(t)
			}
			if tt.egress != nil {
				allowed.Egress = tt.egress(t)
			}
			tt.world.Policies = []networkingv1.NetworkPolicy{policy(t, tt.give)}
			target := database(t)
			for _, text := range tt.except {
				target.Except = append(target.Except, *parse(t, text))
			}
			if got := tt.world.Widenings(target, allowed); len(got) > 0 {
				t.Errorf("reported although declared:\n%s", cmp.Diff([]found(nil), foundIn(got)))
			}
		})
	}
}

func TestWhatIsNotDeclaredIsReported(t *testing.T) {
	allowed := func(t *testing.T) Allowed {
		return Allowed{
			Ingress: []Flow{{podsIn(t, "ehr", "app=portal"), tcpPort(5432)}, {podsWhere(t, "team=x", ""), tcpPort(5432)}},
			Egress:  []Flow{{block(t, "10.0.0.0/8"), tcpPort(443)}},
		}
	}
	tests := map[string]struct {
		give   string
		world  World
		except []string
		want   []found
	}{
		"an empty rule": {
			give: `{ingress: [{}]}`,
			want: []found{{"spec.ingress[0]", "anyone may connect to every port of every protocol"}},
		},
		"an empty list of peers": {
			give: `{egress: [{to: []}]}`,
			want: []found{{"spec.egress[0]", "these pods may connect to anyone on every port of every protocol"}},
		},
		"another team": {
			give: `{ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}, {namespaceSelector: {matchLabels: {team: "y"}}}], ports: [{port: 5432}]}]}`,
			want: []found{{"spec.ingress[0].from[1]", "any pod in namespaces with team=y may connect to TCP 5432"}},
		},
		"a namespace whose labels are not known": {
			give: `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}], ports: [{port: 5432}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "any pod in namespace lab may connect to TCP 5432"}},
		},
		"a namespace whose labels do not match": {
			give:  `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}], ports: [{port: 5432}]}]}`,
			world: World{Namespaces: map[string]labels.Set{"lab": {"team": "y"}}},
			want:  []found{{"spec.ingress[0].from[0]", "any pod in namespace lab may connect to TCP 5432"}},
		},
		"a selector that no namespace satisfies today": {
			give:  `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab, zone: a}}}], ports: [{port: 5432}]}]}`,
			world: World{Namespaces: map[string]labels.Set{"lab": {"team": "x"}}},
			want:  []found{{"spec.ingress[0].from[0]", "any pod in namespaces with kubernetes.io/metadata.name=lab,zone=a may connect to TCP 5432"}},
		},
		"only the ports beyond": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: portal}}}], ports: [{port: 5430, endPort: 5440}, {port: 5432, protocol: UDP}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with app=portal in namespace ehr may connect to TCP 5430-5431, TCP 5433-5440, UDP 5432"}},
		},
		"every port but the declared one": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: portal}}}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with app=portal in namespace ehr may connect to " +
				"TCP 1-5431, TCP 5433-65535, every UDP port, every SCTP port and 1 more"}},
		},
		"one value more than declared": {
			give: `{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [portal, mobile]}]}}], ports: [{port: 5432}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with app in (portal,mobile) in namespace ehr may connect to TCP 5432"}},
		},
		"a wider block": {
			give: `{egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.168.0.0/16]}}], ports: [{port: 443}]}]}`,
			want: []found{{"spec.egress[0].to[0]", "these pods may connect to 0.0.0.0/0 except 192.168.0.0/16 on TCP 443"}},
		},
		"the other family": {
			give: `{egress: [{to: [{ipBlock: {cidr: "::/0"}}], ports: [{port: 443}]}]}`,
			want: []found{{"spec.egress[0].to[0]", "these pods may connect to ::/0 on TCP 443"}},
		},
		"pods where only addresses are declared": {
			give: `{egress: [{to: [{namespaceSelector: {}}], ports: [{port: 443}]}]}`,
			want: []found{{"spec.egress[0].to[0]", "these pods may connect to any pod in any namespace on TCP 443"}},
		},
		"anyone, of which a part is declared": {
			give: `{ingress: [{ports: [{port: 5432}]}], egress: [{ports: [{port: 443}]}]}`,
			want: []found{
				{"spec.ingress[0]", "anyone may connect to TCP 5432"},
				{"spec.egress[0]", "these pods may connect to anyone on TCP 443"},
			},
		},
		"a port whose name may be any number": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: portal}}}], ports: [{port: pg}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with app=portal in namespace ehr may connect to the TCP port named pg, whatever its number"}},
		},
		"the peer's port by a name": {
			give: `{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: web}]}]}`,
			want: []found{{"spec.egress[0].to[0]", "these pods may connect to 10.0.0.0/8 on the TCP port named web, whatever its number"}},
		},
		"a selector that could select these pods": {
			give: `{podSelector: {matchLabels: {debug: "true"}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 22}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "any pod in namespace ehr may connect to TCP 22"}},
		},
		"a policy that selects more than what is excepted": {
			give:   `{ingress: [{from: [{podSelector: {}}], ports: [{port: 22}]}]}`,
			except: []string{"tier=back", "tier=front,shift", "tier notin (back,front)", "tier,tier in (a)"},
			want:   []found{{"spec.ingress[0].from[0]", "any pod in namespace ehr may connect to TCP 22"}},
		},
		"a rule for a direction that policyTypes leaves out": {
			give: `{policyTypes: [Egress], ingress: [{from: [{podSelector: {}}], ports: [{port: 22}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "any pod in namespace ehr may connect to TCP 22 " +
				"(policyTypes leaves out Ingress; some network plugins apply the rule all the same)"}},
		},
		"a peer that names nobody, which no API server accepts": {
			give: `{ingress: [{from: [{}], ports: [{port: 22}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "anyone may connect to TCP 22"}},
		},
		"a peer that is a block and a selector": {
			give: `{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}], ports: [{port: 443}]}]}`,
			want: []found{{"spec.egress[0].to[0]", "these pods may connect to any pod in namespace ehr on TCP 443"}},
		},
		"a block that cannot be read": {
			give: `{egress: [{to: [{ipBlock: {cidr: 010.0.0.0/8}}], ports: [{port: 443}]}]}`,
			want: []found{
				{"spec.egress[0].to[0]", "these pods may connect to 0.0.0.0/0 (the block in the policy cannot be read) on TCP 443"},
				{"spec.egress[0].to[0]", "these pods may connect to ::/0 (the block in the policy cannot be read) on TCP 443"},
			},
		},
		"ports that make no sense are taken as all": {
			give: `{ingress: [{from: [{podSelector: {}}], ports: [{port: 80, endPort: 70}, {port: 0, protocol: UDP}, {port: "80", protocol: SCTP}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "any pod in namespace ehr may connect to every TCP port, every UDP port, every SCTP port"}},
		},
		"a protocol that nobody knows is taken as all": {
			give: `{ingress: [{from: [{podSelector: {}}], ports: [{port: 80, protocol: tcp}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "any pod in namespace ehr may connect to every port of every protocol"}},
		},
		"a requirement that makes no sense restricts nothing": {
			give: `{ingress: [{from: [{podSelector: {matchLabels: {app: a}, matchExpressions: [{key: b, operator: In}]}}], ports: [{port: 1}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with app=a,b in () in namespace ehr may connect to TCP 1"}},
		},
		"long lists are cut": {
			give: `{ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b, c, d, e, f, g]}]}}], ports: [{port: 1}]}]}`,
			want: []found{{"spec.ingress[0].from[0]", "pods with a notin (b,c,d,e and 2 more) in namespace ehr may connect to TCP 1"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.world.Policies = []networkingv1.NetworkPolicy{policy(t, tt.give)}
			target := database(t)
			for _, text := range tt.except {
				target.Except = append(target.Except, *parse(t, text))
			}
			got := tt.world.Widenings(target, allowed(t))
			if diff := cmp.Diff(tt.want, foundIn(got)); diff != "" {
				t.Errorf("widenings (-want +got):\n%s", diff)
			}
			for _, w := range got {
				if w.Example == nil {
					t.Errorf("no example for %s", w.Opens)
				}
			}
		})
	}
}

func TestWideningSaysEverything(t *testing.T) {
	p := policy(t, `{podSelector: {matchLabels: {debug: "true"}}, policyTypes: [Ingress], egress: [{to: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}`)
	target := database(t)
	target.Live = []corev1.Pod{
		{ObjectMeta: metav1.ObjectMeta{Labels: labels.Set{"app": "db"}}},
		{ObjectMeta: metav1.ObjectMeta{Labels: labels.Set{"app": "db", "debug": "true", "n": "1"}}},
		{ObjectMeta: metav1.ObjectMeta{Labels: labels.Set{"debug": "true"}}},
	}
	got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(target, Allowed{})
	want := []Widening{{
		Namespace: "ehr",
		Policy:    "added",
		Path:      "spec.egress[0].to[0]",
		Direction: Egress,
		Peer:      podsWhere(t, "team=x", "app=web"),
		Ports:     []PortRange{{Protocol: corev1.ProtocolTCP, First: 80, Last: 80}},
		Opens: "these pods may connect to pods with app=web in namespaces with team=x on TCP 80 " +
			"(policyTypes leaves out Egress; some network plugins apply the rule all the same)",
		Example: &Example{
			Selected:  labels.Set{"app": "db", "debug": "true", "n": "1"},
			Namespace: labels.Set{"kubernetes.io/metadata.name": "any", "team": "x"},
			Pod:       labels.Set{"app": "web"},
			Protocol:  corev1.ProtocolTCP,
			Port:      80,
		},
		SelectsNow: 2,
		Unlisted:   true,
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("widening (-want +got):\n%s", diff)
	}
}

func TestExampleOfAddress(t *testing.T) {
	p := policy(t, `{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/7}}], ports: [{port: 443}]}]}`)
	got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(database(t),
		Allowed{Egress: []Flow{{block(t, "10.0.0.0/8"), tcpPort(443)}}})
	if len(got) != 1 {
		t.Fatalf("%d widenings, want 1", len(got))
	}
	if e := got[0].Example; e.Address.String() != "11.0.0.1" || e.Port != 443 || e.Protocol != corev1.ProtocolTCP {
		t.Errorf("example = %+v, want 11.0.0.1 on TCP 443", e)
	}
}

func TestAllowedThatMakesNoSenseAllowsNothing(t *testing.T) {
	invalid := PodPeer{Namespaces: []string{"ehr"}, PodSelector: metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}},
	}}
	tests := map[string]Flow{
		"no ports":                 {Peer: Anyone{}},
		"nobody":                   {Ports: everyPort},
		"no namespace":             {Peer: PodPeer{}, Ports: everyPort},
		"a selector of no meaning": {Peer: invalid, Ports: everyPort},
		"a block that is not set":  {Peer: Block{}, Ports: everyPort},
		"an exception not set":     {Peer: Block{CIDR: allIPv4, Except: []netip.Prefix{{}}}, Ports: everyPort},
		"port zero":                {Peer: Anyone{}, Ports: []PortRange{{}}},
		"a port too high":          {Peer: Anyone{}, Ports: []PortRange{{First: 1, Last: 65536}}},
		"a range from zero":        {Peer: Anyone{}, Ports: []PortRange{{First: 0, Last: 65535}}},
		"a negative start":         {Peer: Anyone{}, Ports: []PortRange{{First: -1, Last: 22}}},
		"a name, for a number":     {Peer: Anyone{}, Ports: []PortRange{{Name: "ssh"}}},
		"an end before the start":  {Peer: Anyone{}, Ports: []PortRange{{First: 1000, Last: 1}}},
		"a protocol nobody knows":  {Peer: Anyone{}, Ports: []PortRange{{Protocol: "tcp", First: 1, Last: 65535}}},
	}
	p := policy(t, `{ingress: [{ports: [{port: 22}]}]}`)
	for name, give := range tests {
		t.Run(name, func(t *testing.T) {
			got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(database(t), Allowed{Ingress: []Flow{give}})
			if len(got) != 1 || got[0].Peer != Peer(Anyone{}) {
				t.Errorf("widenings = %v, want anyone on TCP 22", foundIn(got))
			}
		})
	}
}

func TestASelectorThatMakesNoSenseExceptsNobody(t *testing.T) {
	target := database(t)
	target.Except = []metav1.LabelSelector{
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn}}},
		{MatchLabels: map[string]string{"app": "not a value"}},
	}
	p := policy(t, `{ingress: [{}]}`)
	if got := (World{Policies: []networkingv1.NetworkPolicy{p}}).Widenings(target, Allowed{}); len(got) != 1 || got[0].Presumed {
		t.Errorf("widenings = %v, want one", foundIn(got))
	}
}

func TestPoliciesOfOtherNamespacesArePassedOver(t *testing.T) {
	elsewhere, nowhere := policy(t, `{ingress: [{}]}`), policy(t, `{ingress: [{}]}`)
	elsewhere.Namespace, nowhere.Namespace = "lab", ""
	if got := (World{Policies: []networkingv1.NetworkPolicy{elsewhere}}).Widenings(database(t), Allowed{}); len(got) != 0 {
		t.Errorf("widenings of another namespace's policy: %v", foundIn(got))
	}
	if got := (World{Policies: []networkingv1.NetworkPolicy{nowhere}}).Widenings(database(t), Allowed{}); len(got) != 1 {
		t.Errorf("widenings of a policy without a namespace: %v, want one", foundIn(got))
	}
}

func TestOrderOfPoliciesDoesNotMatter(t *testing.T) {
	a, b := policy(t, `{ingress: [{}]}`), policy(t, `{egress: [{}]}`)
	a.Name, b.Name = "a", "b"
	one := World{Policies: []networkingv1.NetworkPolicy{a, b}}.Widenings(database(t), Allowed{})
	other := World{Policies: []networkingv1.NetworkPolicy{b, a}}.Widenings(database(t), Allowed{})
	if diff := cmp.Diff(foundIn(one), foundIn(other)); diff != "" {
		t.Errorf("order matters:\n%s", diff)
	}
}

// TestSearchGivesUp: hundreds of flows that cut through one another and only together are everything, so that no example
// exists and the proof would take ages. It must end soon, and as a widening without an example.
func TestSearchGivesUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var flows []Flow
	isolating := World{}
	for range 400 {
		var texts []string
		for _, key := range random.Perm(40)[:3] {
			texts = append(texts, []string{"", "!"}[random.IntN(2)]+"k"+strconv.Itoa(key))
		}
		flows = append(flows, Flow{podsIn(t, "ehr", strings.Join(texts, ",")), tcpPort(1)})
		one := policy(t, "{}")
		one.Spec.PodSelector = *selector(t, strings.Join(texts, ","))
		isolating.Policies = append(isolating.Policies, one)
	}
	p := policy(t, `{ingress: [{from: [{podSelector: {}}], ports: [{port: 1}]}]}`)
	got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(database(t), Allowed{Ingress: flows})
	if len(got) != 1 || got[0].Example != nil {
		t.Errorf("widenings = %v, want one without an example", foundIn(got))
	}
	excepting := database(t)
	for i := range isolating.Policies {
		excepting.Except = append(excepting.Except, isolating.Policies[i].Spec.PodSelector)
	}
	if got := (World{Policies: []networkingv1.NetworkPolicy{p}}).Widenings(excepting, Allowed{}); len(got) != 1 || !got[0].Presumed {
		t.Errorf("widenings of a target that excepts them = %v, want one that is presumed", foundIn(got))
	}
	if got, _ := isolating.Isolated(database(t)); got.Isolated || got.Escapes != nil {
		t.Errorf("isolated = %v, escapes %v; want not isolated, without an example", got.Isolated, got.Escapes)
	}
}

func TestExampleOfOtherProtocols(t *testing.T) {
	p := policy(t, `{ingress: [{from: [{podSelector: {}}]}]}`)
	allowed := Allowed{Ingress: []Flow{{podsIn(t, "ehr", ""), []PortRange{
		tcpRange(1, 65535), {Protocol: "UDP", First: 1, Last: 65535}, {Protocol: "SCTP", First: 1, Last: 65535},
	}}}}
	got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(database(t), allowed)
	if len(got) != 1 {
		t.Fatalf("%d widenings, want 1", len(got))
	}
	if e := got[0].Example; e.Namespace["kubernetes.io/metadata.name"] != "ehr" || e.Protocol != OtherProtocols || e.Port != 0 {
		t.Errorf("example = %+v, want a pod of namespace ehr on other protocols", e)
	}
	want := "any pod in namespace ehr may connect to protocols other than TCP, UDP and SCTP"
	if got[0].Opens != want {
		t.Errorf("opens = %q, want %q", got[0].Opens, want)
	}
}

func TestPhrasesAreSafeToShow(t *testing.T) {
	tests := map[string]struct{ give, want string }{
		"a label value as it is":       {"app.kubernetes.io/name", "app.kubernetes.io/name"},
		"nothing is quoted":            {"", `""`},
		"control characters are shown": {"a\nb", `"a\nb"`},
		"an order mark is shown":       {"\u202ea", `"\u202ea"`},
		"what is too long is cut":      {strings.Repeat("ab c", 100), `"` + strings.Repeat("ab c", 15) + `ab "`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := token(tt.give); got != tt.want {
				t.Errorf("token(%q) = %s, want %s", tt.give, got, tt.want)
			}
		})
	}
	for want, give := range map[string]PodPeer{
		"any pod in no namespace":    {},
		"any pod in namespaces a, b": {NamespaceSelector: selector(t, "kubernetes.io/metadata.name in (b,a)")},
		"any pod in namespaces with kubernetes.io/metadata.name notin (a,b)": {NamespaceSelector: selector(t, "kubernetes.io/metadata.name notin (a,b)")},
		"pods with !a,b,c!=d in any namespace":                               {NamespaceSelector: selector(t, ""), PodSelector: *parse(t, "!a,b,c!=d")},
	} {
		if got := give.phrase(); got != want {
			t.Errorf("phrase = %q, want %q", got, want)
		}
	}
}
