package injection

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// words are what texts of random pods are chosen from, so that names meet.
var words = []string{"", "http", "web", Name, trustVolume, configVolume, "app", "a b", "/h?x=1", "//x", "~", "registry.example.org/phi-proxy:1.0.0", "8080", "/http/8080/h", "issuer.hipaa-operator.io"}

// numbers are what numbers of random pods are chosen from.
var numbers = []int32{0, 1, 53, 80, 8080, 9090, 15020, 15090, 18080, 65535, 65536, -1}

func randomPod(filler *randfill.Filler) *corev1.Pod {
	pod := &corev1.Pod{}
	filler.NilChance(0.3).NumElements(0, 3).MaxDepth(14).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(int64(c.Intn(3)), resource.DecimalSI)
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.SetRawBytes([]byte("{}")) },
		func(s *string, c randfill.Continue) { *s = words[c.Intn(len(words))] },
		func(n *int32, c randfill.Continue) { *n = numbers[c.Intn(len(numbers))] },
		func(p *corev1.Protocol, c randfill.Continue) {
			*p = []corev1.Protocol{"", corev1.ProtocolTCP, corev1.ProtocolUDP}[c.Intn(3)]
		},
		func(p *intstr.IntOrString, c randfill.Continue) {
			*p = []intstr.IntOrString{intstr.FromInt32(8080), intstr.FromString("http"), intstr.FromInt32(15020), intstr.FromString("")}[c.Intn(4)]
		},
	).Fill(pod)
	// Most random pods could not have the proxy.
	pod.Spec.HostNetwork, pod.Spec.OS = false, nil
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == Name {
			pod.Spec.Containers[i].Name = "app"
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == Name {
			pod.Spec.EphemeralContainers[i].Name = "app"
		}
	}
	return pod
}

// Whatever a pod holds, nothing panics, what was applied once is applied, and Check
// agrees.
func FuzzApply(f *testing.F) {
	f.Add([]byte{})
	for seed := range byte(32) {
		data := make([]byte, 2048)
		for i := range data {
			data[i] = byte(i*int(seed+3)) ^ seed
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		expectTotal(t, randomPod(randfill.NewFromGoFuzz(data)))
	})
}

// Whatever a probe asks, the proxy is configured for it or it stays as it is.
func FuzzQuestion(f *testing.F) {
	for _, word := range words {
		f.Add(word, int32(8080), "HTTP", 0)
		f.Add(word, int32(8080), "HTTPS", 1)
	}
	f.Fuzz(func(t *testing.T, path string, port int32, scheme string, kind int) {
		probe := &corev1.Probe{}
		switch kind % 3 {
		case 0:
			probe.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port), Scheme: corev1.URIScheme(scheme)}
			if kind%2 == 1 {
				probe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: scheme, Value: path}}
			}
		case 1:
			probe.GRPC = &corev1.GRPCAction{Port: port, Service: &path}
		default:
			probe.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromString(path)}
		}
		pod := apiPod().With(func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe = probe }).Obj()
		probes := probesOf([]*corev1.Pod{pod})
		expectProbes(t, probes)
		got := applied(planFor(api().Obj()), pod).Spec.Containers[0].LivenessProbe
		if asked := got.HTTPGet != nil && isAsked(got.HTTPGet); asked != (len(probes) == 1) {
			t.Errorf("asked of the proxy: %v, and configured: %v", asked, probes)
		}
		if len(probes) == 1 && kind%3 == 1 && probes[0].Service != path {
			t.Errorf("service %q became %q", path, probes[0].Service)
		}
	})
}

// expectProbes holds that the proxy takes what it is to ask.
func expectProbes(t *testing.T, probes []config.Probe) {
	t.Helper()
	c := config.Configuration{
		Version: 1, Workload: config.Workload{UID: "u", Namespace: "ehr", Name: "api", Generation: 1}, TrustDomain: "cluster.local",
		Refusal: config.Refusal{Control: "c", Citation: "c"}, Probes: probes,
	}
	if err := c.Validate(); err != nil {
		t.Errorf("probes that the proxy refuses: %v", err)
	}
}

func TestRandomPods(t *testing.T) {
	for seed := range int64(200) {
		expectTotal(t, randomPod(randfill.NewWithSeed(seed)))
		if t.Failed() {
			t.Fatalf("with the pod of seed %d", seed)
		}
	}
}

func expectTotal(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	plan := planFor(api().Port("web", 80).Port("8080", 55536).Obj())
	before := pod.DeepCopy()
	plan.Check(pod)
	plan.CheckService(serviceOf("api", port(8080, intstr.FromInt32(8080))), []*corev1.Pod{pod})
	running := plan.Running(pod)
	running.Check(pod)
	probes := probesOf([]*corev1.Pod{pod})
	CheckUpdate(pod, before)
	if diff := cmp.Diff(before, pod); diff != "" {
		t.Errorf("judging changed the pod:\n%s", diff)
	}
	once := expectSettled(t, plan, pod)
	if indexOf(once) != 0 {
		t.Fatal("the proxy does not stand first")
	}
	// A second container or volume of a name is for the API server to refuse.
	want := applied(plan, once)
	if findings := plan.proxy(once, &want.Spec.InitContainers[0]); len(findings) > 0 {
		t.Errorf("findings in what was applied: %v", findings)
	}
	if findings := surroundings(once, want); len(findings) > 0 {
		t.Errorf("findings around what was applied: %v", findings)
	}
	expectProbes(t, probes)
	if diff := cmp.Diff(probes, probesOf([]*corev1.Pod{once})); diff != "" {
		t.Errorf("what is asked (-before +after):\n%s", diff)
	}
}
