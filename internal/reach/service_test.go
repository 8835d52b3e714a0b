package reach

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestServiceFlow(t *testing.T) {
	peer := PodPeer{Namespaces: []string{"ehr"}, PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}}
	selecting := map[string]string{"app": "db"}
	tests := map[string]struct {
		give corev1.ServiceSpec
		want Flow
		err  error
	}{
		"a target port by number": {
			give: corev1.ServiceSpec{Selector: selecting, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
			want: Flow{peer, []PortRange{{Protocol: "TCP", First: 8080}}},
		},
		"without a target port the port itself": {
			give: corev1.ServiceSpec{Selector: selecting, Ports: []corev1.ServicePort{{Port: 53, Protocol: "UDP"}}},
			want: Flow{peer, []PortRange{{Protocol: "UDP", First: 53}}},
		},
		"a target port by name stays a name": {
			give: corev1.ServiceSpec{Selector: selecting, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("pg")}}},
			want: Flow{peer, []PortRange{{Protocol: "TCP", Name: "pg"}}},
		},
		"an empty name is the port itself": {
			give: corev1.ServiceSpec{Selector: selecting, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("")}}},
			want: Flow{peer, []PortRange{{Protocol: "TCP", First: 80}}},
		},
		"no selector": {
			give: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
			err:  ErrNoSelector,
		},
		"a name elsewhere": {
			give: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, Selector: selecting, Ports: []corev1.ServicePort{{Port: 80}}},
			err:  ErrNoSelector,
		},
		"headless without ports": {give: corev1.ServiceSpec{Selector: selecting}, err: ErrNoPorts},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ServiceFlow(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "db"}, Spec: tt.give})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("flow (-want +got):\n%s", diff)
			}
		})
	}
}

// TestServiceFlowCoversThePolicyOfThatService: what a user would write for the pods behind a Service is within it.
func TestServiceFlowCoversThePolicyOfThatService(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "db"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "db"},
		Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(5432)}, {Port: 81, TargetPort: intstr.FromString("metrics")}},
	}}
	flow, err := ServiceFlow(service)
	if err != nil {
		t.Fatal(err)
	}
	p := policy(t, `{egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}, podSelector: {matchLabels: {app: db}}}],
		ports: [{port: 5432}, {port: metrics}]}]}`)
	w := World{}
	w.Policies = append(w.Policies, p)
	if got := w.Widenings(database(t), Allowed{Egress: []Flow{flow}}); len(got) > 0 {
		t.Errorf("widenings = %v", foundIn(got))
	}
}
