package reach

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// FuzzWidenings feeds policies of any shape. Beyond not panicking: the answer does not change when asked again, a
// sentence is one bounded line, and where anyone is declared nothing is reported.
func FuzzWidenings(f *testing.F) {
	seeds := []string{
		`{}`,
		`{"spec":{"ingress":[{}],"egress":[{"to":[]}]}}`,
		`{"spec":{"podSelector":{"matchExpressions":[{"key":"a","operator":"In"}]},"ingress":[{"from":[{}]}]}}`,
		`{"spec":{"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"x"}},"ipBlock":{"cidr":"10.0.0.0/8","except":["10.0.0.0/8","::/0","x"]}}]}]}}`,
		`{"spec":{"egress":[{"to":[{"ipBlock":{"cidr":"::ffff:10.0.0.0/104"}},{"ipBlock":{"cidr":"255.255.255.255/32"}}],"ports":[{"port":-1},{"port":65535,"endPort":70000},{"endPort":3}]}]}}`,
		`{"spec":{"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"lab","team":"x"}}}],"ports":[{"port":"pg"},{"port":"0x50"},{"protocol":"ICMP"}]}]}}`,
		`{"spec":{"policyTypes":["Egress","egress",""],"ingress":[{"ports":[{"port":""},{"port":2147483647,"endPort":-2147483648}]}]}}`,
		`{"metadata":{"namespace":"ehr","name":"\u0000\n"},"spec":{"ingress":[{"from":[{"podSelector":{"matchExpressions":[{"key":"\n","operator":"Like","values":["\u202e"]}]}}]}]}}`,
	}
	for seed := range uint64(8) {
		p := newDice(seed).policy("ehr", "random")
		text, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, string(text))
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p networkingv1.NetworkPolicy
		if json.Unmarshal(data, &p) != nil {
			return
		}
		checkShape(t, p)
	})
}

func checkShape(t *testing.T, p networkingv1.NetworkPolicy) {
	w := World{Policies: []networkingv1.NetworkPolicy{p}, Namespaces: map[string]labels.Set{"lab": {"team": "x"}, "": nil}}
	target := Pods{Namespace: p.Namespace, Ports: namedOnce}
	narrow := Allowed{
		Ingress: []Flow{{podsWhere(t, "team=x", "app in (a,b)"), []PortRange{{First: 80}, {Name: "pg"}}}, {block(t, "10.0.0.0/9"), everyPort}},
		Egress:  []Flow{{podsIn(t, "lab", ""), []PortRange{{Protocol: corev1.ProtocolUDP, First: 1, Last: 65535}}}},
	}
	got := w.Widenings(target, narrow)
	if diff := cmp.Diff(foundIn(got), foundIn(w.Widenings(target, narrow))); diff != "" {
		t.Errorf("asked again:\n%s", diff)
	}
	for _, one := range got {
		if one.Opens == "" || len(one.Opens) > 8192 || strings.IndexFunc(one.Opens, unicode.IsControl) >= 0 {
			t.Errorf("sentence of %d bytes: %q", len(one.Opens), one.Opens)
		}
		if one.Example != nil && one.Example.String() == "" {
			t.Error("empty example")
		}
	}
	anyone := []Flow{{Anyone{}, everyPort}}
	if got := w.Widenings(target, Allowed{Ingress: anyone, Egress: anyone}); len(got) > 0 {
		t.Errorf("anyone is declared, reported: %v", foundIn(got))
	}
	pod := Endpoint{Namespace: p.Namespace, Labels: labels.Set{"app": "a"}}
	ingress, egress := w.Isolated(target)
	answer := w.Reach(Connection{From: pod, To: pod, Port: 80})
	if p.Namespace != "" && (ingress.Isolated && answer.Ingress.Isolated == nil || egress.Isolated && answer.Egress.Isolated == nil) {
		t.Errorf("isolated %v and %v, yet open: %+v", ingress, egress, answer)
	}
}
