package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("Patient care", Serial, Ordered, func() {
	const care, ordinary = "care", "not-care"
	var injected *appsv1.Deployment
	running := func() []corev1.Pod {
		var pods, live corev1.PodList
		if err := admin.List(ctx, &pods, client.InNamespace(care), client.MatchingLabels{"app": "vitals"}); err != nil {
			return nil
		}
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp.IsZero() {
				live.Items = append(live.Items, pod)
			}
		}
		return live.Items
	}

	BeforeAll(func() {
		for _, namespace := range []string{care, ordinary} {
			phiNamespace(namespace)
			Expect(admin.Create(ctx, phitest.Workload("vitals").Namespace(namespace).Continuity(hipaav1.ContinuityPatientCare).Obj())).To(Succeed())
			Eventually(owned(namespace, "hipaa-vitals")).Should(Succeed())
		}
		By("labelling one of the namespaces, and hearing of the other")
		labelled := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: care}}
		Expect(admin.Patch(ctx, labelled, client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"`+hipaav1.LabelContinuity+`":"PatientCare"}}}`)))).To(Succeed())
		Eventually(continuityKept(care)).Should(Equal(hipaav1.ReasonPodsStart))
		Eventually(continuityKept(ordinary)).Should(Equal(hipaav1.ReasonNamespaceNotPatientCare))

		By("injecting into a template what the cluster's profiles and workloads ask for")
		injected = injectFromCluster(&appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: metav1.ObjectMeta{Namespace: care, Name: "vitals"},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](2),
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "vitals"}},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "vitals"}},
					Spec:       phitest.Pod("vitals").Namespace(care).Obj().Spec,
				},
			},
		})
		Expect(injected.Spec.Template.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "vitals"))

		operator.Stop()
		DeferCleanup(func() { Expect(operator.Start(ctx)).To(Succeed()) })
	})

	It("starts and reschedules pods of injected templates while the operator is down", func() {
		Expect(admin.Create(ctx, injected)).To(Succeed())
		Eventually(running).Should(HaveLen(2))
		lost := running()[0]
		Expect(admin.Delete(ctx, &lost, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(func() []string {
			var names []string
			for _, pod := range running() {
				names = append(names, pod.Name)
			}
			return names
		}).Should(And(HaveLen(2), Not(ContainElement(lost.Name))))
	})

	It("refuses bare pods all the same, by the policy inside the API server", func() {
		bare := phitest.Pod("bare").Namespace(care).Label("app", "vitals")
		refused(admin.Create(ctx, bare.Obj()), backstop.PodPolicy, "data-classification (45 CFR")
		refused(admin.Create(ctx, bare.Unhardened().Obj()), backstop.PodPolicy, "pod-hardening (45 CFR")
		refused(admin.Create(ctx, phitest.Pod("stray").Namespace(care).Obj()), backstop.PodPolicy, "undeclared-pod")
	})

	It("keeps pods of other PHI namespaces waiting meanwhile", func() {
		pod := phitest.Pod("vitals").Namespace(ordinary).Obj()
		pod.Labels = injected.Spec.Template.Labels
		Expect(admin.Create(ctx, pod)).To(MatchError(ContainSubstring(`failed calling webhook "pods.hipaa-operator.io"`)))
	})

	It("finds nothing to mend in them when the operator is back", func() {
		Expect(operator.Start(ctx)).To(Succeed())
		Eventually(func() string {
			live := &hipaav1.PHIWorkload{}
			if err := admin.Get(ctx, client.ObjectKey{Namespace: care, Name: "vitals"}, live); err != nil {
				return err.Error()
			}
			c := meta.FindStatusCondition(live.Status.Conditions, hipaav1.ConditionPodsProtected)
			if c == nil {
				return ""
			}
			return c.Reason
		}).Should(Equal(hipaav1.ReasonPodsAdmitted))
		Expect(running()).To(HaveLen(2))
	})
})

// continuityKept is the reason of the condition on the PHIWorkload of a namespace.
func continuityKept(namespace string) func() string {
	return func() string {
		live := &hipaav1.PHIWorkload{}
		if err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "vitals"}, live); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(live.Status.Conditions, hipaav1.ConditionContinuityKept)
		if c == nil {
			return ""
		}
		return c.Reason
	}
}

// injectFromCluster runs kubectl hipaa inject as people do.
func injectFromCluster(deployment *appsv1.Deployment) *appsv1.Deployment {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	binary, file := filepath.Join(folder, "kubectl-hipaa"), filepath.Join(folder, "deployment.yaml")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, root+"/cmd/kubectl-hipaa").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	text, err := yaml.Marshal(deployment)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	out, err = exec.CommandContext(ctx, binary, "inject", "-f", file, "--in-place", "--from-cluster", "--kubeconfig", kube.Kubeconfig).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	Expect(out).To(BeEmpty())
	text, err = os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	into := &appsv1.Deployment{}
	Expect(yaml.UnmarshalStrict(text, into)).To(Succeed())
	return into
}
