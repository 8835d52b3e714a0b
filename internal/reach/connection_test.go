package reach

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func TestReach(t *testing.T) {
	db := Endpoint{Namespace: "ehr", Labels: labels.Set{"app": "db"},
		Ports: []corev1.ContainerPort{{Name: "pg", ContainerPort: 5432}}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.5")}}
	portal := Endpoint{Namespace: "lab", Labels: labels.Set{"app": "portal"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.6")}}
	outside := Endpoint{Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}
	nameless := db
	nameless.Ports = nil
	unaddressed := Endpoint{}
	tests := map[string]struct {
		ehr, lab   string // one policy in each namespace
		from, to   Endpoint
		protocol   corev1.Protocol
		namespaces map[string]labels.Set
		want       Answer
	}{
		"nothing isolates": {from: portal, to: db, want: Answer{Reachable, Passage{Verdict: Reachable}, Passage{Verdict: Reachable}}},
		"the destination does not permit": {
			ehr: `{}`, from: portal, to: db,
			want: Answer{Unreachable, Passage{Verdict: Reachable}, Passage{Verdict: Unreachable, Isolated: []string{"ehr/p"}}},
		},
		"the source does not permit, the destination does": {
			ehr: `{ingress: [{ports: [{port: pg}]}]}`, lab: `{policyTypes: [Egress]}`, from: portal, to: db,
			want: Answer{Unreachable,
				Passage{Verdict: Unreachable, Isolated: []string{"lab/p"}},
				Passage{Verdict: Reachable, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0]"}}},
		},
		"both permit": {
			ehr:  `{ingress: [{from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}}], ports: [{port: 5000, endPort: 6000}]}]}`,
			lab:  `{egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}]}]}`,
			from: portal, to: db,
			want: Answer{Reachable,
				Passage{Verdict: Reachable, Isolated: []string{"lab/p"}, Permitted: []string{"lab/p spec.egress[0].to[0]"}},
				Passage{Verdict: Reachable, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[1]"}}},
		},
		"a namespace whose labels are not known": {
			ehr: `{ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a namespace whose labels match": {
			ehr: `{ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]}`, from: portal, to: db,
			namespaces: map[string]labels.Set{"lab": {"team": "x"}},
			want: Answer{Reachable, Passage{Verdict: Reachable},
				Passage{Verdict: Reachable, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a namespace whose labels do not match": {
			ehr: `{ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]}`, from: portal, to: db,
			namespaces: map[string]labels.Set{"lab": nil},
			want:       Answer{Unreachable, Passage{Verdict: Reachable}, Passage{Verdict: Unreachable, Isolated: []string{"ehr/p"}}},
		},
		"an address in the block": {
			ehr: `{ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]}`, from: outside, to: db,
			want: Answer{Reachable, Passage{Verdict: Reachable},
				Passage{Verdict: Reachable, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"an address in the hole of the block": {
			ehr: `{ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24, except: [198.51.100.0/29]}}]}]}`, from: outside, to: db,
			want: Answer{Unreachable, Passage{Verdict: Reachable}, Passage{Verdict: Unreachable, Isolated: []string{"ehr/p"}}},
		},
		"an address that is not known": {
			ehr: `{ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]}`, from: unaddressed, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a pod whose address is in the block": {
			ehr: `{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a name of a port that is not known": {
			ehr: `{ingress: [{ports: [{port: pg}]}]}`, from: portal, to: nameless,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0]"}}},
		},
		"another protocol on the same port": {
			ehr: `{ingress: [{ports: [{port: 5432}]}]}`, from: portal, to: db, protocol: corev1.ProtocolUDP,
			want: Answer{Unreachable, Passage{Verdict: Reachable}, Passage{Verdict: Unreachable, Isolated: []string{"ehr/p"}}},
		},
		"ports that make no sense are not guessed at": {
			ehr: `{ingress: [{ports: [{port: 80, endPort: 70}, {endPort: 7}, {protocol: tcp}, {port: "80"}]}]}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0]"}}},
		},
		"an exception that cannot be read": {
			ehr: `{ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24, except: [x]}}]}]}`, from: outside, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a protocol of which policies say nothing": {
			ehr: `{ingress: [{ports: [{port: 5432}]}]}`, from: portal, to: db, protocol: "ICMP",
			want: Answer{Unknown, Passage{Verdict: Reachable}, Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}}},
		},
		"a rule that policyTypes leaves out closes and permits perhaps": {
			ehr: `{policyTypes: [Egress], ingress: [{ports: [{port: 80}]}]}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable}, Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}}},
		},
		"a rule that policyTypes leaves out and that permits does no harm": {
			ehr: `{policyTypes: [Egress], ingress: [{}]}`, from: portal, to: db,
			want: Answer{Reachable, Passage{Verdict: Reachable},
				Passage{Verdict: Reachable, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0]"}}},
		},
		"a peer that names nobody is not guessed at": {
			ehr: `{ingress: [{from: [{}]}]}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable},
				Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}, Permitted: []string{"ehr/p spec.ingress[0].from[0]"}}},
		},
		"a selector that makes no sense selects perhaps": {
			ehr: `{podSelector: {matchExpressions: [{key: a, operator: In}]}}`, from: portal, to: db,
			want: Answer{Unknown, Passage{Verdict: Reachable}, Passage{Verdict: Unknown, Isolated: []string{"ehr/p"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := World{Namespaces: tt.namespaces}
			for namespace, spec := range map[string]string{"ehr": tt.ehr, "lab": tt.lab} {
				if spec != "" {
					p := policy(t, spec)
					p.Namespace, p.Name = namespace, "p"
					w.Policies = append(w.Policies, p)
				}
			}
			got := w.Reach(Connection{From: tt.from, To: tt.to, Protocol: tt.protocol, Port: 5432})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPoliciesThatMayCountDoNotDependOnOrder(t *testing.T) {
	sure, unsure := policy(t, `{}`), policy(t, `{policyTypes: [Egress], ingress: [{}]}`)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		sure.Name, unsure.Name = order[0], order[1]
		w := World{Policies: []networkingv1.NetworkPolicy{sure, unsure}}
		got := w.Reach(Connection{From: Endpoint{Namespace: "ehr"}, To: Endpoint{Namespace: "ehr"}, Port: 1})
		if got.Ingress.Verdict != Unknown {
			t.Errorf("ingress = %s, want Unknown", got.Ingress.Verdict)
		}
	}
}
