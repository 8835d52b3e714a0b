package repair

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// departure is a difference as people read it.
type departure struct{ Path, Found, Want string }

func untyped(t *testing.T, p *networkingv1.NetworkPolicy) *unstructured.Unstructured {
	t.Helper()
	u, err := apply.Untyped(p, clientgoscheme.Scheme)
	if err != nil {
		t.Fatalf("Untyped: %v", err)
	}
	return u
}

func owned() *networkingv1.NetworkPolicy {
	return phitest.Policy("hipaa-api").Selecting("app", "api").
		Ingress(phitest.Peer(phitest.NamespaceNamed("ehr"), phitest.Labels("app", "portal")), phitest.TCP(8080)).
		With(func(p *networkingv1.NetworkPolicy) { stamp(p, "api") }).Obj()
}

func TestDifferences(t *testing.T) {
	portal := `[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ehr"}},"podSelector":{"matchLabels":{"app":"portal"}}}]`
	tests := map[string]struct {
		give func(*networkingv1.NetworkPolicy)
		want []departure
	}{
		"nothing": {give: func(*networkingv1.NetworkPolicy) {}},
		"labels and annotations of others are theirs": {
			give: func(p *networkingv1.NetworkPolicy) {
				p.Labels["argocd.argoproj.io/instance"] = "x"
				p.Annotations = map[string]string{"note": "y"}
				p.Finalizers = []string{"example.org/held"}
			},
		},
		"what only the API server writes": {
			give: func(p *networkingv1.NetworkPolicy) {
				p.ResourceVersion, p.UID, p.Generation = "7", "u", 3
				p.CreationTimestamp = phitest.After(0)
			},
		},
		"a peer that lets everybody in": {
			give: func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress[0].From = nil },
			want: []departure{{"spec.ingress[0].from", "absent", portal}},
		},
		"a selector that selects everything is not none": {
			give: func(p *networkingv1.NetworkPolicy) {
				p.Spec.Ingress[0].From[0].PodSelector = &metav1.LabelSelector{}
			},
			want: []departure{{"spec.ingress[0].from[0].podSelector", "{}", `{"matchLabels":{"app":"portal"}}`}},
		},
		"a rule more": {
			give: func(p *networkingv1.NetworkPolicy) {
				p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			},
			want: []departure{{"spec.ingress", `[{"from":` + portal + `,"ports":[{"port":8080,"protocol":"TCP"}]},{}]`, `[{"from":` + portal + `,"ports":[{"port":8080,"protocol":"TCP"}]}]`}},
		},
		"a list where there must be none": {
			give: func(p *networkingv1.NetworkPolicy) { p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}} },
			want: []departure{{"spec.egress", "[{}]", "absent"}},
		},
		"an empty list is none": {
			give: func(p *networkingv1.NetworkPolicy) { p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{} },
		},
		"one direction fewer": {
			give: func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1] },
			want: []departure{{"spec.policyTypes", `["Ingress"]`, `["Ingress","Egress"]`}},
		},
		"another pod selector, and the label taken": {
			give: func(p *networkingv1.NetworkPolicy) {
				p.Spec.PodSelector.MatchLabels["app"] = "nobody"
				delete(p.Labels, "app.kubernetes.io/managed-by")
			},
			want: []departure{
				{"metadata.labels[app.kubernetes.io/managed-by]", "absent", "hipaa-operator"},
				{"spec.podSelector.matchLabels.app", "nobody", "api"},
			},
		},
		"one more label in the selector": {
			give: func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["canary"] = "true" },
			want: []departure{{"spec.podSelector.matchLabels.canary", "true", "absent"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			live := owned()
			tt.give(live)
			var got []departure
			for _, d := range differences(untyped(t, owned()), untyped(t, live)) {
				got = append(got, departure{d.path, shown("NetworkPolicy", d.fields, d.found), shown("NetworkPolicy", d.fields, d.want)})
			}
			for i := range tt.want {
				tt.want[i].Found, tt.want[i].Want = shorten(tt.want[i].Found), shorten(tt.want[i].Want)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatMustNotBeThereIsSaidToBeEmpty(t *testing.T) {
	live := owned()
	live.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
	desired := untyped(t, owned())
	closed := closing(desired, differences(desired, untyped(t, live)))
	egress, said, err := unstructured.NestedSlice(closed.Object, "spec", "egress")
	if err != nil || !said || len(egress) != 0 {
		t.Errorf("spec.egress = %v, said %v, error %v; want it said to be empty", egress, said, err)
	}
	if _, said, _ := unstructured.NestedSlice(desired.Object, "spec", "egress"); said {
		t.Error("the desired object was changed")
	}
}

func TestShownHidesContent(t *testing.T) {
	tests := map[string]struct {
		giveKind   string
		giveFields []string
		giveValue  any
		want       string
	}{
		"a Secret's data":      {"Secret", []string{"data", "password"}, "aHVudGVyMg==", "(not shown)"},
		"anything of a Secret": {"Secret", []string{"type"}, "Opaque", "(not shown)"},
		"a ConfigMap's data":   {"ConfigMap", []string{"data", "key"}, "value", "(not shown)"},
		"nothing":              {"Secret", []string{"data"}, nil, "absent"},
		"a short value":        {"NetworkPolicy", []string{"spec"}, "x", "x"},
		"a long value":         {"NetworkPolicy", []string{"spec"}, strings.Repeat("x", 300), strings.Repeat("x", 197) + "..."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := shown(tt.giveKind, tt.giveFields, tt.giveValue); got != tt.want {
				t.Errorf("shown() = %q, want %q", got, tt.want)
			}
		})
	}
}
