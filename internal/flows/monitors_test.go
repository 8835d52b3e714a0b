package flows_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

func TestMonitorsReadTheMetricsOfProxiesAlone(t *testing.T) {
	unread := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}
	s := town{network: control.NetworkParameters{Monitors: []hipaav1.Monitor{
		{Namespace: "monitoring", PodSelector: phitest.Labels("app", "prometheus")}, {Namespace: "monitoring", PodSelector: unread}, {Namespace: "monitoring"},
	}}}.subject()
	w := phitest.Workload("api").Proxied("api").Obj()
	want := []flows.Flow{
		{Path: "network.monitors[0]", Peers: []reach.Peer{podsIn("monitoring", "app", "prometheus")}, Ports: []reach.PortRange{{Protocol: "TCP", First: 15090}}},
		{Path: "network.monitors[1]", Ports: []reach.PortRange{{Protocol: "TCP", First: 15090}}, Closed: "has a selector that cannot be read"},
		{Path: "network.monitors[2]", Ports: []reach.PortRange{{Protocol: "TCP", First: 15090}}, Closed: "has a selector that cannot be read"},
	}
	if diff := cmp.Diff(want, flows.Of(s, w).Ingress); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
	w.Status.Proxy = nil
	if got := flows.Of(s, w).Ingress; len(got) > 0 {
		t.Errorf("without proxies there are callers: %+v", got)
	}
}
