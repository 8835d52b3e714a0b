package injection

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestInjection(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Pods with the proxy on a real API server")
}

var admin client.Client

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(logr.Discard())
	server := &envtest.Environment{}
	// What mounts the API's token in every container is off where nobody asks for it.
	server.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
	cluster, err := server.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return server.Stop() })
	admin, err = client.New(cluster, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{phitest.DefaultNamespace, "bounded"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted",
		}}}
		Expect(admin.Create(ctx, namespace)).To(Succeed())
		for _, account := range []string{"default", "api"} {
			Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: account}})).To(Succeed())
		}
	}
	policy, err := os.ReadFile(filepath.Join("..", "..", "config", "admission", "pod_labels.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for document := range strings.SplitSeq(string(policy), "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		Expect(admin.Create(ctx, object)).To(Succeed())
	}
	Expect(admin.Create(ctx, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bounded", Name: "bounds"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type:           corev1.LimitTypeContainer,
			Default:        corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")},
			DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		}}},
	})).To(Succeed())
})

// asStored is what the API server would store.
func asStored(ctx context.Context, pod *corev1.Pod) *corev1.Pod {
	GinkgoHelper()
	pod = pod.DeepCopy()
	// Between two passes of a cache the API server may not know a LimitRange or a
	// ServiceAccount yet.
	Eventually(func() error { return admin.Create(ctx, pod, client.DryRunAll) }).Should(Succeed())
	return pod
}

var _ = Describe("A pod with the proxy", func() {
	var plan *Plan
	BeforeEach(func() { plan = planFor(api().Obj()) })

	// probed is a pod whose defaults the API server fills in.
	probed := func() *phitest.PodBuilder {
		return apiPod().With(func(p *corev1.Pod) {
			p.Spec.AutomountServiceAccountToken = nil
			p.Spec.Containers[0].Ports[0].Protocol = ""
			p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}}}
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}}
			p.Spec.Containers[0].StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}}
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/drain", Port: intstr.FromString("http")}}}
		})
	}

	DescribeTable("is taken under Pod Security restricted, and what the API server fills in is no change",
		func(ctx SpecContext, change func(*Plan), pod func() *phitest.PodBuilder) {
			change(plan)
			stored := asStored(ctx, applied(plan, pod().Obj()))
			Expect(sentences(plan.Check(stored))).To(BeEmpty())
			Expect(plan.Equal(&stored.Spec.InitContainers[0])).To(BeTrue())
			Expect(applied(plan, stored).Spec).To(Equal(stored.Spec), "another pass changes something")
		},
		Entry("with probes of every kind", func(*Plan) {}, probed),
		Entry("where the user is left to the pod", func(p *Plan) { p.User = nil }, func() *phitest.PodBuilder {
			return probed().With(func(p *corev1.Pod) { p.Spec.SecurityContext.RunAsUser = ptr.To[int64](1000) })
		}),
		Entry("with limits alone", func(p *Plan) {
			p.Resources.Requests, p.Resources.Limits[corev1.ResourceCPU] = nil, resource.MustParse("1500m")
		}, probed),
		Entry("that runs once", func(*Plan) {}, func() *phitest.PodBuilder {
			return probed().With(func(p *corev1.Pod) {
				p.Spec.RestartPolicy = corev1.RestartPolicyNever
				p.Spec.InitContainers = []corev1.Container{{Name: "wait", Image: "registry.example.org/wait:1", SecurityContext: p.Spec.Containers[0].SecurityContext}}
			})
		}),
	)

	It("is taken from a real application as it is", func(ctx SpecContext) {
		a := hapi(GinkgoTB())
		plan := planFor(a.workloads[0])
		stored := asStored(ctx, applied(plan, a.pods[a.workloads[0].Name][0]))
		Expect(sentences(plan.Check(stored))).To(BeEmpty())
		Expect(stored.Spec.InitContainers[1].Name).To(Equal("wait-for-db-to-be-ready"))
	})

	It("keeps what a LimitRange adds apart from what somebody changes", func(ctx SpecContext) {
		bounded := applied(plan, probed().Namespace("bounded").Obj())
		var stored *corev1.Pod
		Eventually(func() corev1.ResourceList {
			stored = asStored(ctx, bounded)
			return stored.Spec.InitContainers[0].Resources.Limits
		}).Should(HaveKey(corev1.ResourceEphemeralStorage))
		Expect(sentences(plan.Check(stored))).To(BeEmpty())
	})

	It("leaves the API's token with the application alone", func(ctx SpecContext) {
		stored := asStored(ctx, applied(plan, probed().Obj()))
		Expect(stored.Spec.Containers[0].VolumeMounts).To(ContainElement(HaveField("MountPath", TrustDirectory)))
		for _, mount := range stored.Spec.InitContainers[0].VolumeMounts {
			Expect(mount.Name).To(BeElementOf(configVolume, trustVolume))
		}
	})

	It("can have the proxy's image changed while it runs, which is told", func(ctx SpecContext) {
		pod := applied(plan, probed().Obj())
		Eventually(func() error { return client.IgnoreAlreadyExists(admin.Create(ctx, pod)) }).Should(Succeed())
		was := pod.DeepCopy()
		proxyIn(pod).Image = "registry.example.org/mine:1"
		Expect(admin.Update(ctx, pod)).To(Succeed())
		Expect(sentences(CheckUpdate(was, pod))).To(ConsistOf("spec.initContainers[0].image is not what the operator gives the proxy"))
	})

	It("cannot have the roots changed that it trusts, whoever asks", func(ctx SpecContext) {
		pod := applied(plan, probed().Label(hipaav1.LabelWorkload, "api").With(func(p *corev1.Pod) { p.Name = "api-roots" }).Obj())
		Eventually(func() error { return client.IgnoreAlreadyExists(admin.Create(ctx, pod)) }).Should(Succeed())
		was := pod.DeepCopy()
		// The policy is in force some moments after it was written.
		Eventually(func() error {
			pod := was.DeepCopy()
			pod.Annotations[AnnotationRoots] = "mine"
			Expect(sentences(CheckUpdate(was, pod))).To(HaveLen(1))
			return admin.Patch(ctx, pod, client.MergeFrom(was), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("annotations of hipaa-operator.io on a pod are set at its admission")))
	})

	It("cannot have another container of its name", func(ctx SpecContext) {
		pod := applied(plan, probed().Obj())
		pod.Spec.Containers = append(pod.Spec.Containers, *phitest.Pod(Name).Container(Name).Obj().Spec.Containers[1].DeepCopy())
		Expect(admin.Create(ctx, pod, client.DryRunAll)).To(MatchError(ContainSubstring("Duplicate value")))
	})
})
