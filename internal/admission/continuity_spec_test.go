package admission_test

import (
	"context"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/inject"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	streams "github.com/hipaa-operator/hipaa-operator/internal/manifest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const patientCare = string(hipaav1.ContinuityPatientCare)

var _ = Describe("The label of patient care on a namespace", func() {
	var tenant, security *person
	BeforeEach(func() { tenant, security = as("tess@example.org"), as("sam@example.org", "security") })
	get := func(ctx context.Context, name string) *corev1.Namespace {
		ns := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: name}, ns)).To(Succeed())
		return ns
	}
	refusal := MatchError(And(ContainSubstring("pods start while hipaa-operator is down"), ContainSubstring(`verb "release"`)))

	It("is not set by whoever may edit the namespace, by no way, whether it holds PHI yet or not", func(ctx SpecContext) {
		for _, name := range []string{namespace(ctx, "enforce"), namespaceWithoutPHI(ctx)} {
			ns := get(ctx, name)
			metav1.SetMetaDataLabel(&ns.ObjectMeta, hipaav1.LabelContinuity, patientCare)
			Expect(tenant.Update(ctx, ns.DeepCopy())).To(refusal)
			Expect(tenant.Status().Update(ctx, ns.DeepCopy())).To(refusal)
			Expect(tenant.SubResource("finalize").Update(ctx, ns.DeepCopy())).To(refusal)
		}
		Expect(tenant.Create(ctx, phitest.Namespace("care-by-tess").Label(hipaav1.LabelContinuity, patientCare).Obj())).To(refusal)
	})

	It("is set by the security team, stays through other changes, and comes off by whoever may edit", func(ctx SpecContext) {
		ns := get(ctx, namespace(ctx, "enforce"))
		ns.Labels[hipaav1.LabelContinuity] = patientCare
		Expect(security.Update(ctx, ns)).To(Succeed())
		ns.Labels["team"] = "blue"
		Expect(tenant.Update(ctx, ns)).To(Succeed())
		delete(ns.Labels, hipaav1.LabelContinuity)
		Expect(tenant.Update(ctx, ns)).To(Succeed())
	})

	It("has one value", func(ctx SpecContext) {
		ns := get(ctx, namespace(ctx, "enforce"))
		ns.Labels[hipaav1.LabelContinuity] = "patientcare"
		Expect(security.Update(ctx, ns)).To(MatchError(ContainSubstring("has only one value, PatientCare")))
	})
})

var _ = Describe("In a namespace of patient care", Serial, Ordered, func() {
	var (
		ns         string
		tenant     *person
		deployment *appsv1.Deployment
		injected   *appsv1.Deployment
	)
	podOf := func(of *appsv1.Deployment, name string) *corev1.Pod {
		template := of.Spec.Template.DeepCopy()
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = ns, name
		return pod
	}
	BeforeAll(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = namespace(ctx, "enforce")
		labelled := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: ns}, labelled)).To(Succeed())
		labelled.Labels[hipaav1.LabelContinuity] = patientCare
		Expect(admin.Update(ctx, labelled)).To(Succeed())
		Expect(admin.Create(ctx, phitest.Workload("vitals").Namespace(ns).Continuity(hipaav1.ContinuityPatientCare).Obj())).To(Succeed())
		deployment = &appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vitals"}, Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "vitals"}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "vitals"}}, Spec: phitest.Pod("x").Obj().Spec},
			},
		}
		injected = injectedBy(ctx, deployment)
	})

	It("admission adds nothing to what was injected, and accepts it", func(ctx SpecContext) {
		sent := podOf(injected, "as-injected")
		got := sent.DeepCopy()
		Expect(tenant.Create(ctx, got, client.DryRunAll)).To(Succeed())
		Expect(tenant.warned.texts).To(BeEmpty())
		Expect(got.Labels).To(Equal(sent.Labels))
		Expect(slices.Collect(maps.Keys(got.Annotations))).To(ConsistOf(injection.AnnotationRoots), "what its proxy trusts is the cluster's to say")

		bare := podOf(deployment, "bare")
		Expect(tenant.Create(ctx, bare, client.DryRunAll)).To(Succeed())
		Expect(bare.Labels).To(Equal(sent.Labels), "what admission adds to a bare pod is what was injected")
		Expect(bare.Spec).To(Equal(got.Spec))
	})

	It("the operator judges as everywhere while it runs", func(ctx SpecContext) {
		Expect(tenant.Create(ctx, phitest.Pod("stranger").Namespace(ns).Obj())).To(MatchError(ContainSubstring("undeclared-pod")))
	})

	It("pods of injected templates start while it is stopped, and nobody reaches into them", func(ctx SpecContext) {
		operator.stop()
		DeferCleanup(func() { operator.start() })
		Expect(tenant.Create(ctx, injected)).To(Succeed())
		Expect(tenant.Create(ctx, podOf(injected, "vitals-1"))).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Claim("data").Namespace(ns).Class(phitest.EncryptedClass).Obj())).To(Succeed())
		Expect(ways["attach"].ask(ctx, callerAs("tess@example.org"), ns, "vitals-1")).To(
			MatchError(ContainSubstring(`failed calling webhook "connections.hipaa-operator.io"`)))
		Expect(tenant.Create(ctx, opening(ns, "open"))).To(MatchError(ContainSubstring(`failed calling webhook "policies.hipaa-operator.io"`)))

		elsewhere := namespace(ctx, "enforce")
		declare(ctx, elsewhere, "vitals")
		waiting := podOf(injected, "vitals-1")
		waiting.Namespace = elsewhere
		Expect(tenant.Create(ctx, waiting)).To(MatchError(ContainSubstring(`failed calling webhook "pods.hipaa-operator.io"`)))
	})
})

// injectedBy is a Deployment as kubectl hipaa inject writes it with what the cluster
// has.
func injectedBy(ctx context.Context, deployment *appsv1.Deployment) *appsv1.Deployment {
	GinkgoHelper()
	text, err := yaml.Marshal(deployment)
	Expect(err).NotTo(HaveOccurred())
	stream, err := streams.Read("deployment.yaml", text)
	Expect(err).NotTo(HaveOccurred())
	injector := &inject.Injector{Engine: gate.Engine, Scheme: scheme, Clock: clock.RealClock{}, Cluster: admin}
	report, err := injector.Inject(ctx, stream)
	Expect(err).NotTo(HaveOccurred())
	Expect(report.Changed).To(HaveLen(1))
	text, err = stream.YAML()
	Expect(err).NotTo(HaveOccurred())
	into := &appsv1.Deployment{}
	Expect(yaml.UnmarshalStrict(text, into)).To(Succeed())
	return into
}
