package subject_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func given() (*control.Proxy, error) { return phitest.Proxy(), nil }

func TestWhatProxiesNeedIsRead(t *testing.T) {
	api := phitest.Workload("api").From(phitest.FromWorkload("portal"), phitest.FromWorkload("gone")).To(phitest.ToWorkload("db")).Obj()
	objects := []client.Object{
		phiNamespace("ehr"), phitest.Namespace("elsewhere").Obj(), api, phitest.Workload("portal").Obj(), phitest.Workload("db").Obj(),
		phitest.Pod("portal").Of(phitest.Workload("portal").Obj()).Obj(),
		phitest.Pod("ended").Of(phitest.Workload("portal").Obj()).With(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }).Obj(),
		phitest.Service("db").Obj(), phitest.Service("other").Namespace("elsewhere").Obj(),
		phitest.Service("kube-dns").Namespace(metav1.NamespaceSystem).With(func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"fd00::a", "10.96.0.10", "None"} }).Obj(),
	}
	servers := []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53"), netip.MustParseAddrPort("[fd00::a]:53")}
	unpublished := func() (*control.Proxy, error) { return nil, errors.New("there are no roots yet") }
	tests := map[string]struct {
		proxy   func() (*control.Proxy, error)
		missing string
		servers []netip.AddrPort
		parties []string
	}{
		"an operator without a proxy": {},
		"one that has it":             {proxy: given, servers: servers, parties: []string{"db: services db", "portal: pod portal services db"}},
		"one that has no roots yet":   {proxy: unpublished, missing: "there are no roots yet", parties: []string{"db: services db", "portal: pod portal services db"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			read := reader(t, objects...)
			l := &subject.Loader{Cache: read, Live: read, Proxy: tt.proxy, ProxyImages: phitest.ProxyImages()}
			sc, err := l.Scene(t.Context(), "ehr")
			if err != nil {
				t.Fatal(err)
			}
			live, err := l.Subject(t.Context(), sc, api, control.FlowPeers|control.Proxies)
			if err != nil {
				t.Fatal(err)
			}
			admitted := l.AtAdmission(t.Context(), sc, api, phitest.Pod("api").Obj(), control.Proxies)
			for when, s := range map[string]control.Subject{"live": live, "at admission": admitted} {
				var got []netip.AddrPort
				if s.World.Proxy != nil {
					got = s.World.Proxy.NameServers
				}
				if diff := cmp.Diff(phitest.ProxyImages(), s.World.ProxyImages); diff != "" {
					t.Errorf("%s: images, which nothing has to be read for (-want +got):\n%s", when, diff)
				}
				if diff := cmp.Diff(tt.servers, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || s.World.Missing[control.Proxies] != tt.missing {
					t.Errorf("%s: missing %q, name servers (-want +got):\n%s", when, s.World.Missing[control.Proxies], diff)
				}
			}
			if diff := cmp.Diff(tt.parties, told(live.World.Parties)); diff != "" {
				t.Errorf("parties (-want +got):\n%s", diff)
			}
			if admitted.World.Parties != nil {
				t.Error("at admission nobody asks for parties")
			}
		})
	}
}

// told are parties in a line each.
func told(parties map[types.NamespacedName]control.Party) []string {
	var lines []string
	for _, name := range []string{"db", "gone", "portal"} {
		party, known := parties[types.NamespacedName{Namespace: "ehr", Name: name}]
		if !known {
			continue
		}
		line := name + ":"
		for _, pod := range party.Pods {
			line += " pod " + pod.Name
		}
		line += " services"
		for _, service := range party.Services {
			line += " " + service.Name
		}
		lines = append(lines, line)
	}
	return lines
}

// What the cache drops of pods must not pass for a change of the proxy.
func TestAPodFromTheCacheHasItsProxyStill(t *testing.T) {
	w := phitest.Workload("api").Port("http", 8080).Stored().Obj()
	s := &control.Subject{Workload: w, Profile: &control.Profile{}, World: &control.World{Proxy: phitest.Proxy()}}
	plan := injection.PlanOf(s)
	running := phitest.Pod("api").Of(w).Listens("http", 8080).Obj()
	plan.Apply(running)
	got := trimmed(t, subject.TrimPods(), running.DeepCopy())
	if findings := plan.Check(got); len(findings) != 0 {
		t.Errorf("found: %+v", findings)
	}
	running.Spec.Containers[0].VolumeMounts = append(running.Spec.Containers[0].VolumeMounts,
		corev1.VolumeMount{Name: "phi-proxy-trust", MountPath: "/borrowed"}, corev1.VolumeMount{Name: "data", MountPath: control.ResolverFile})
	got = trimmed(t, subject.TrimPods(), running)
	if findings := plan.Check(got); len(findings) != 2 {
		t.Errorf("found %+v, want the token and the resolver", findings)
	}
	if len(got.Spec.Containers[0].VolumeMounts) != 2 {
		t.Errorf("keeps %v", got.Spec.Containers[0].VolumeMounts)
	}
}
