package netpol

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/knftables"
)

// world has two pods in namespace a, one of them with a named port in a sidecar too, and one in b.
func world(t *testing.T, policies ...string) State {
	t.Helper()
	s := State{Namespaces: map[string]Namespace{}, Pods: map[string]Pod{}, Policies: map[string]Policy{}}
	for name, text := range map[string]string{
		"a": `{"metadata":{"name":"a"}}`,
		"b": `{"metadata":{"name":"b","labels":{"team":"b"}}}`,
	} {
		s.Namespaces[name] = decode[Namespace](t, text)
	}
	for name, text := range map[string]string{
		"a/web": `{"metadata":{"name":"web","namespace":"a","labels":{"app":"web"}},"status":{"podIP":"10.244.0.2"},"spec":{
			"containers":[{"ports":[{"name":"http","containerPort":8080}]}],
			"initContainers":[{"restartPolicy":"Always","ports":[{"name":"metrics","containerPort":9090,"protocol":"TCP"}]},{"ports":[{"name":"once","containerPort":1}]}]}}`,
		"a/client": `{"metadata":{"name":"client","namespace":"a","labels":{"app":"client"}},"status":{"podIP":"10.244.0.3"}}`,
		"b/far":    `{"metadata":{"name":"far","namespace":"b","labels":{"app":"web"}},"status":{"podIP":"10.244.0.4"},"spec":{"containers":[{"ports":[{"name":"http","containerPort":80}]}]}}`,
		"a/ended":  `{"metadata":{"name":"ended","namespace":"a","labels":{"app":"client"}},"status":{"podIP":"10.244.0.3","phase":"Succeeded"}}`,
		"a/host":   `{"metadata":{"name":"host","namespace":"a","labels":{"app":"client"}},"status":{"podIP":"10.244.0.1"},"spec":{"hostNetwork":true}}`,
		"a/new":    `{"metadata":{"name":"new","namespace":"a","labels":{"app":"client"}}}`,
	} {
		s.Pods[name] = decode[Pod](t, text)
	}
	for n, text := range policies {
		s.Policies[strings.Repeat("p", n+1)] = decode[Policy](t, text)
	}
	return s
}

func decode[T any](t *testing.T, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// policy is one in namespace a that selects web.
func policy(spec string) string {
	return `{"metadata":{"namespace":"a"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},` + spec + `}}`
}

const itself = "ip saddr 10.244.0.2 ip daddr 10.244.0.2 return"

func TestChains(t *testing.T) {
	for name, tc := range map[string]struct {
		give []string
		want map[string][]string
	}{
		"without a policy nobody is isolated": {want: map[string][]string{}},
		"a default deny of everybody": {
			give: []string{`{"metadata":{"namespace":"a"},"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"]}}`},
			want: map[string][]string{
				"ingress-10.244.0.2": {itself, "drop"}, "egress-10.244.0.2": {itself, "drop"},
				"ingress-10.244.0.3": {"ip saddr 10.244.0.3 ip daddr 10.244.0.3 return", "drop"},
				"egress-10.244.0.3":  {"ip saddr 10.244.0.3 ip daddr 10.244.0.3 return", "drop"},
			},
		},
		"without policyTypes egress is held where it has rules": {
			give: []string{policy(`"egress":[{"to":[{"podSelector":{"matchLabels":{"app":"client"}}}]}]`)},
			want: map[string][]string{
				"ingress-10.244.0.2": {itself, "drop"},
				"egress-10.244.0.2":  {"ip daddr 10.244.0.3 return", itself, "drop"},
			},
		},
		"an empty rule allows everything": {
			give: []string{policy(`"ingress":[{}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {itself, "return", "drop"}},
		},
		"several policies add up": {
			give: []string{
				policy(`"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":80}]}]`),
				policy(`"ingress":[{"ports":[{"port":53,"protocol":"UDP"}]}]`),
			},
			want: map[string][]string{"ingress-10.244.0.2": {
				"ip saddr 10.244.0.2 ip daddr 10.244.0.2 return", "ip saddr 10.244.0.2 tcp dport 80 return",
				"ip saddr 10.244.0.3 tcp dport 80 return", "udp dport 53 return", "drop",
			}},
		},
		"pods of chosen namespaces only": {
			give: []string{policy(`"ingress":[{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"team","operator":"Exists"}]},"podSelector":{"matchLabels":{"app":"web"}}}]}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {itself, "ip saddr 10.244.0.4 return", "drop"}},
		},
		"all pods of all namespaces": {
			give: []string{policy(`"ingress":[{"from":[{"namespaceSelector":{}}]}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {itself, "ip saddr 10.244.0.2 return", "ip saddr 10.244.0.3 return", "ip saddr 10.244.0.4 return", "drop"}},
		},
		"peers that select nobody allow nobody": {
			give: []string{policy(`"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"absent"}}}]}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {itself, "drop"}},
		},
		"a range of addresses with holes, a range of ports, a whole protocol": {
			give: []string{policy(`"ingress":[{"from":[{"ipBlock":{"cidr":"10.1.2.3/8","except":["10.244.0.0/24","10.9.0.0/16"]}}],"ports":[{"port":8000,"endPort":8009},{"protocol":"SCTP"}]}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {
				"ip saddr 10.0.0.0/8 ip saddr != 10.244.0.0/24 ip saddr != 10.9.0.0/16 meta l4proto sctp return",
				"ip saddr 10.0.0.0/8 ip saddr != 10.244.0.0/24 ip saddr != 10.9.0.0/16 tcp dport 8000-8009 return",
				itself, "drop",
			}},
		},
		"a range of IPv6, which no pod is in": {
			give: []string{policy(`"egress":[{"to":[{"ipBlock":{"cidr":"::/0"}}]}],"policyTypes":["Egress"]`)},
			want: map[string][]string{"egress-10.244.0.2": {itself, "drop"}},
		},
		"named ports of the pod itself, sidecars too, and names that it lacks": {
			give: []string{policy(`"ingress":[{"ports":[{"port":"http"},{"port":"metrics"},{"port":"once"},{"port":"http","protocol":"UDP"}]}]`)},
			want: map[string][]string{"ingress-10.244.0.2": {itself, "tcp dport 8080 return", "tcp dport 9090 return", "drop"}},
		},
		"named ports of those who are called": {
			give: []string{policy(`"egress":[{"ports":[{"port":"http"}]}],"policyTypes":["Egress"]`)},
			want: map[string][]string{"egress-10.244.0.2": {
				"ip daddr 10.244.0.2 tcp dport 8080 return", "ip daddr 10.244.0.4 tcp dport 80 return", itself, "drop",
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string][]string{}
			for _, c := range world(t, tc.give...).Chains() {
				got[c.Name()] = c.Rules
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("chains (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSelectors(t *testing.T) {
	labels := map[string]string{"app": "web"}
	for name, tc := range map[string]struct {
		give Requirement
		want bool
	}{
		"in":                           {Requirement{"app", "In", []string{"web", "db"}}, true},
		"not in its values":            {Requirement{"app", "In", []string{"db"}}, false},
		"in, of an absent label":       {Requirement{"tier", "In", []string{""}}, false},
		"not in":                       {Requirement{"app", "NotIn", []string{"web"}}, false},
		"not in, of an absent label":   {Requirement{"tier", "NotIn", []string{"web"}}, true},
		"exists":                       {Requirement{"app", "Exists", nil}, true},
		"does not exist":               {Requirement{"app", "DoesNotExist", nil}, false},
		"absent does not exist":        {Requirement{"tier", "DoesNotExist", nil}, true},
		"an operator of a later time":  {Requirement{"app", "Like", []string{"w*"}}, false},
		"exists, of an absent label":   {Requirement{"tier", "Exists", nil}, false},
		"not in, of some other values": {Requirement{"app", "NotIn", []string{"db"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (Selector{MatchExpressions: []Requirement{tc.give}}).matches(labels); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if (Selector{MatchLabels: map[string]string{"app": ""}}).matches(nil) {
		t.Error("an absent label counts as an empty one")
	}
}

func TestEnforceAndRelease(t *testing.T) {
	nft := knftables.NewFake(knftables.InetFamily, Table)
	for range 2 { // a second time it replaces what is there
		if err := Enforce(t.Context(), nft, world(t, policy(`"ingress":[{"ports":[{"port":80}]}]`))); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.TrimLeft(`
add table inet localcluster-policies
add chain inet localcluster-policies forward { type filter hook forward priority 0 ; }
add chain inet localcluster-policies ingress-10.244.0.2
add rule inet localcluster-policies forward ct state established,related accept
add rule inet localcluster-policies forward ip daddr 10.244.0.2 jump ingress-10.244.0.2
add rule inet localcluster-policies ingress-10.244.0.2 ip saddr 10.244.0.2 ip daddr 10.244.0.2 return
add rule inet localcluster-policies ingress-10.244.0.2 tcp dport 80 return
add rule inet localcluster-policies ingress-10.244.0.2 drop
`, "\n")
	if diff := cmp.Diff(want, nft.Dump()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if err := Release(t.Context(), nft); err != nil {
		t.Fatal(err)
	}
	if left := nft.Dump(); left != "" {
		t.Errorf("left %s", left)
	}
}
