package reach

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func TestIsolated(t *testing.T) {
	tests := map[string]struct {
		give            []string
		live            []labels.Set
		ingress, egress Isolation
	}{
		"no policy": {
			ingress: Isolation{Escapes: labels.Set{"app": "db"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
		"default deny of both": {
			give:    []string{`{policyTypes: [Ingress, Egress]}`},
			ingress: Isolation{Isolated: true, By: []string{"p0"}},
			egress:  Isolation{Isolated: true, By: []string{"p0"}},
		},
		"without policyTypes only ingress is meant": {
			give:    []string{`{podSelector: {}}`},
			ingress: Isolation{Isolated: true, By: []string{"p0"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
		"egress rules imply egress": {
			give:    []string{`{egress: [{}]}`},
			ingress: Isolation{Isolated: true, By: []string{"p0"}},
			egress:  Isolation{Isolated: true, By: []string{"p0"}},
		},
		"an empty list of egress rules implies nothing": {
			give:    []string{`{egress: []}`},
			ingress: Isolation{Isolated: true, By: []string{"p0"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
		"rules of a direction that policyTypes leaves out do not isolate": {
			give:    []string{`{policyTypes: [Egress], ingress: [{}]}`},
			ingress: Isolation{Escapes: labels.Set{"app": "db"}},
			egress:  Isolation{Isolated: true, By: []string{"p0"}},
		},
		"a policy for some of the pods": {
			give:    []string{`{podSelector: {matchLabels: {app: db, tier: back}}}`},
			ingress: Isolation{By: []string{"p0"}, Escapes: labels.Set{"app": "db"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
		"two policies that leave nobody out": {
			give: []string{
				`{podSelector: {matchLabels: {app: db, tier: back}}}`,
				`{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [back]}]}}`,
			},
			ingress: Isolation{Isolated: true, By: []string{"p0", "p1"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
		"a live pod that lost its label escapes": {
			give:    []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}`},
			live:    []labels.Set{{"app": "db"}, {"app": "lost"}},
			ingress: Isolation{By: []string{"p0"}, Escapes: labels.Set{"app": "lost"}},
			egress:  Isolation{By: []string{"p0"}, Escapes: labels.Set{"app": "lost"}},
		},
		"default deny holds a live pod that lost its label": {
			give:    []string{`{policyTypes: [Ingress, Egress]}`},
			live:    []labels.Set{{"app": "lost"}},
			ingress: Isolation{Isolated: true, By: []string{"p0"}},
			egress:  Isolation{Isolated: true, By: []string{"p0"}},
		},
		"a selector that Kubernetes would not accept isolates nobody": {
			give: []string{`{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: ["not a value"]}]}}`,
				`{podSelector: {matchExpressions: [{key: app, operator: In}]}}`},
			ingress: Isolation{Escapes: labels.Set{"app": "db"}},
			egress:  Isolation{Escapes: labels.Set{"app": "db"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var w World
			for i, spec := range tt.give {
				p := policy(t, spec)
				p.Name = "p" + string(rune('0'+i))
				w.Policies = append(w.Policies, p)
			}
			target := database(t)
			for _, l := range tt.live {
				target.Live = append(target.Live, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: l}})
			}
			ingress, egress := w.Isolated(target)
			if diff := cmp.Diff([]Isolation{tt.ingress, tt.egress}, []Isolation{ingress, egress}); diff != "" {
				t.Errorf("isolation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPoliciesElsewhereDoNotIsolate(t *testing.T) {
	elsewhere, nowhere := policy(t, `{}`), policy(t, `{}`)
	elsewhere.Namespace, nowhere.Namespace = "lab", ""
	ingress, _ := World{Policies: []networkingv1.NetworkPolicy{elsewhere, nowhere}}.Isolated(database(t))
	if ingress.Isolated {
		t.Errorf("isolated by %v", ingress.By)
	}
}
