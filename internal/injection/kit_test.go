package injection

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// planFor is a plan as admission would make it for a workload.
func planFor(w *hipaav1.PHIWorkload) *Plan {
	return &Plan{
		UID: "6f1c6d2e-1b7a-4c55-9d8e-1f2f3a4b5c6d", Generation: 7, Ports: w.Spec.Ports,
		Image: "registry.example.org/phi-proxy:1.0.0",
		Resources: corev1.ResourceRequirements{
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m")},
		},
		User:   ptr.To[int64](15443),
		Issuer: "hipaa-operator-issuer.hipaa-operator-system.svc", Audience: enrol.Audience,
		Roots:       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")},
		ConfigMap:   w.Name + "-proxy",
		Searches:    []string{w.Namespace + ".svc.cluster.local", "svc.cluster.local", "cluster.local"},
		Options:     []corev1.PodDNSConfigOption{{Name: "ndots", Value: ptr.To("5")}},
		Calls:       callsOf(w),
	}
}

// api is a workload with one port.
func api() *phitest.WorkloadBuilder { return phitest.Workload("api").Port("http", 8080) }

// apiPod is a pod of it that names its port.
func apiPod() *phitest.PodBuilder { return phitest.Pod("api").Listens("http", 8080) }

func applied(p *Plan, pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	p.Apply(pod)
	return pod
}

// sentences are findings as people read them.
func sentences(findings []control.Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Path+" "+f.Message)
	}
	slices.Sort(list)
	return list
}

func expectFindings(t *testing.T, want []string, findings []control.Finding) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, sentences(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range findings {
		if f.Remedy == "" {
			t.Errorf("%s %s: has no remedy", f.Path, f.Message)
		}
	}
}

// expectSettled holds what Apply promises of every pod.
func expectSettled(t *testing.T, p *Plan, give *corev1.Pod) *corev1.Pod {
	t.Helper()
	once, again := applied(p, give), applied(p, give)
	if diff := cmp.Diff(once, again); diff != "" {
		t.Errorf("two equal plans make two pods:\n%s", diff)
	}
	if diff := cmp.Diff(once, applied(p, once)); diff != "" {
		t.Errorf("applied twice (-once +twice):\n%s", diff)
	}
	if i := indexOf(once); i == 0 && !p.Equal(&once.Spec.InitContainers[0]) {
		t.Error("the container that was generated is not Equal")
	}
	return once
}

// settings are those of every configuration here.
func settings() Settings {
	return Settings{
		Generation: 7, TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Egress: "hipaa-operator-system",
		OutageGrace: config.Duration(72 * time.Hour), Refusal: config.Refusal{Control: "mutual-tls", Citation: "45 CFR 164.312(e)(1)"},
		NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")},
	}
}
