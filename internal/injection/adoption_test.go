package injection

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

func TestPlaintextIsTakenWhileSomebodyHasNoProxy(t *testing.T) {
	bare, proxied := apiPod().Obj(), applied(planFor(api().Obj()), apiPod().Obj())
	tests := map[string]struct {
		access  hipaav1.PlaintextAccess
		own     []*corev1.Pod
		callers []*corev1.Pod
		want    bool
	}{
		"nobody runs":         {},
		"all have theirs":     {own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{proxied}, access: hipaav1.PlaintextOpen},
		"an own pod has none": {own: []*corev1.Pod{proxied, bare}, want: true},
		"a caller's has none": {own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare, proxied}, access: hipaav1.PlaintextOpen, want: true},
		"a caller's has none, before there is a status":   {callers: []*corev1.Pod{bare}, want: true},
		"callers have to hear of it":                      {own: []*corev1.Pod{proxied}, access: hipaav1.PlaintextSettling, want: true},
		"it is closed, and a caller comes back without":   {own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare}, access: hipaav1.PlaintextClosed},
		"it is closed, and a pod of its own lost its own": {own: []*corev1.Pod{bare}, access: hipaav1.PlaintextClosed, want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := api().From(phitest.FromWorkload("portal")).Obj()
			if tt.access != "" {
				w.Status.Proxy = &hipaav1.ProxyStatus{Plaintext: tt.access}
			}
			parties := map[types.NamespacedName]control.Party{{Namespace: w.Namespace, Name: "portal"}: {Pods: tt.callers}}
			if got := Adopting(w, tt.own, parties); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestPortsThatNobodyMayCallTakeNoPlaintext(t *testing.T) {
	portal := phitest.FromWorkload("portal")
	portal.Ports = []string{"http"}
	w := api().Port("admin", 9090).From(portal)
	in := town{workload: w, pods: []*corev1.Pod{apiPod().Obj()}}
	c, _, err := in.configure()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]config.Plaintext{}
	for _, i := range c.Inbound {
		got[i.Name] = i.Plaintext
	}
	if diff := cmp.Diff(map[string]config.Plaintext{"http": config.PlaintextPermitted, "admin": ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGatewaysComeInByWhatTheyCanShow(t *testing.T) {
	pods := hipaav1.Gateway{Name: "edge", Namespace: "ingress", PodSelector: phitest.Labels("app", "nginx")}
	ranges := hipaav1.Gateway{Name: "edge", CIDRs: []string{"10.9.8.7/16", "2001:db8::/64"}}
	by := func(g hipaav1.Gateway, how hipaav1.GatewayAuthentication) hipaav1.Gateway {
		g.Authentication = how
		return g
	}
	const id = "spiffe://cluster.local/ns/ingress/gateway/edge"
	for name, tt := range map[string]struct {
		give   hipaav1.Gateway
		want   string
		closed int
	}{
		"pods":                       {give: pods, want: "[{" + id + "}] [] "},
		"pods, by certificate":       {give: by(pods, hipaav1.GatewayCertificate), want: "[{" + id + "}] [] "},
		"pods that are being moved":  {give: by(pods, hipaav1.GatewayPlaintext), want: "[{" + id + "}] [] Permitted"},
		"addresses":                  {give: ranges, want: "[] [] ", closed: 1},
		"addresses, by address":      {give: by(ranges, hipaav1.GatewayAddress), want: "[] [10.9.0.0/16 2001:db8::/64] "},
		"addresses, being moved":     {give: by(ranges, hipaav1.GatewayPlaintext), want: "[] [] Permitted"},
		"a name that is no identity": {give: hipaav1.Gateway{Name: "edge", Namespace: "Not One", PodSelector: pods.PodSelector}, want: "[] [] ", closed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := api().From(phitest.FromGateway("edge")).Stored().Obj()
			a := realApplication{workloads: []*hipaav1.PHIWorkload{w}}
			s := a.subject(w)
			s.Profile.Network.Gateways = map[string]hipaav1.Gateway{"edge": tt.give}
			c, closed, err := Configuration(s, settings())
			if err != nil {
				t.Fatal(err)
			}
			in := c.Inbound[0]
			if got := fmt.Sprintf("%v %v %s", in.From, in.OneWay, in.Plaintext); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(closed) != tt.closed {
				t.Errorf("stays closed: %q", closed)
			}
		})
	}
}
