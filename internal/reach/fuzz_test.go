package reach

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	target := Pods{Namespace: p.Namespace}
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
	}
	anyone := []Flow{{Anyone{}, everyPort}}
	if got := w.Widenings(target, Allowed{Ingress: anyone, Egress: anyone}); len(got) > 0 {
		t.Errorf("anyone is declared, reported: %v", foundIn(got))
	}
}

// FuzzExcept feeds selectors of any shape: of a policy that opens everything, of a target and of those that it excepts.
// An example is a pod that the first two select and the last do not; where there is none, no pod near the selectors is
// such a one.
func FuzzExcept(f *testing.F) {
	seeds := [][3]string{
		{`{}`, `{}`, `{"matchLabels":{"app":"a"}}`},
		{`{"matchLabels":{"app":"a","tier":"x"}}`, `{}`, `{"matchExpressions":[{"key":"app","operator":"In","values":["a","b"]}]}`},
		{`{"matchExpressions":[{"key":"app","operator":"Exists"}]}`, `{}`, `{"matchExpressions":[{"key":"app","operator":"NotIn","values":["a"]}]}`},
		{`{"matchExpressions":[{"key":"app","operator":"NotIn","values":["any"]}]}`, `{}`, `{"matchExpressions":[{"key":"app","operator":"DoesNotExist"}]}`},
		{`{"matchExpressions":[{"key":"app","operator":"In"}]}`, `{"matchLabels":{"":"\u0000"}}`, `{"matchExpressions":[{"key":"\n","operator":"Like"}]}`},
	}
	for _, s := range seeds {
		f.Add([]byte(s[0]), []byte(s[1]), []byte(s[2]))
	}
	f.Fuzz(func(t *testing.T, policy, target, except []byte) {
		var of, in, out metav1.LabelSelector
		if json.Unmarshal(policy, &of) != nil || json.Unmarshal(target, &in) != nil || json.Unmarshal(except, &out) != nil {
			return
		}
		checkExcept(t, &of, Pods{Namespace: "ehr", Selector: in, Except: []metav1.LabelSelector{out}})
	})
}

func checkExcept(t *testing.T, of *metav1.LabelSelector, pods Pods) {
	got, some := pods.selectedBy(pods.box(), boundingBox(ofPod, of))
	readable := readableSelector(of) && readableSelector(&pods.Selector)
	isOne := func(l labels.Set) bool { return naiveIsTarget(pods, l) && naiveSelects(of, l) }
	if some && readable && !got.presumed && !isOne(got.sample) {
		t.Errorf("%v is no pod of %+v that %+v selects", got.sample, pods, of)
	}
	if some || !readable {
		return
	}
	for _, l := range near(of, &pods.Selector, &pods.Except[0]) {
		if isOne(l) {
			t.Errorf("%v is a pod of %+v that %+v selects, and was not found", l, pods, of)
		}
	}
}

func readableSelector(s *metav1.LabelSelector) bool {
	_, ok := exactBox(ofPod, s)
	return ok
}

// near are the labels of pods that selectors speak of: for each key alone, and for the first of every key together.
func near(selectors ...*metav1.LabelSelector) []labels.Set {
	sets, together := []labels.Set{{}}, labels.Set{}
	note := func(key string, values ...string) {
		for _, value := range append(values, "strange") {
			sets = append(sets, labels.Set{key: value})
			if _, set := together[key]; !set {
				together[key] = value
			}
			sets = append(sets, labels.Merge(together, labels.Set{key: value}))
		}
	}
	for _, s := range selectors {
		for key, value := range s.MatchLabels {
			note(key, value)
		}
		for _, r := range s.MatchExpressions {
			note(r.Key, r.Values...)
		}
	}
	return sets
}
