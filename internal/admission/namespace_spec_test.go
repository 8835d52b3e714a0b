package admission_test

import (
	"time"

	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func namespaceWithoutPHI(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plain-"}}
	Expect(admin.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

var _ = Describe("The label of a PHI namespace", func() {
	var (
		ns     *corev1.Namespace
		tenant *person
	)
	BeforeEach(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: namespace(ctx, "enforce")}, ns)).To(Succeed())
	})

	It("is not removed by whoever may edit the namespace, by no way", func(ctx SpecContext) {
		delete(ns.Labels, hipaav1.LabelPHI)
		refusal := MatchError(ContainSubstring(`taking the label hipaa-operator.io/phi off it needs the verb "release"`))
		Expect(tenant.Update(ctx, ns.DeepCopy())).To(refusal)
		Expect(tenant.Status().Update(ctx, ns.DeepCopy())).To(refusal)
		Expect(tenant.SubResource("finalize").Update(ctx, ns.DeepCopy())).To(refusal)
		remove := client.RawPatch("application/json-patch+json", []byte(`[{"op":"remove","path":"/metadata/labels/hipaa-operator.io~1phi"}]`))
		Expect(tenant.Patch(ctx, ns.DeepCopy(), remove)).To(refusal)
		Expect(tenant.Status().Patch(ctx, ns.DeepCopy(), remove)).To(refusal)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(ns), ns)).To(Succeed())
		Expect(ns.Labels).To(HaveKeyWithValue(hipaav1.LabelPHI, "true"))
	})

	It("has one value", func(ctx SpecContext) {
		ns.Labels[hipaav1.LabelPHI] = "false"
		Expect(tenant.Update(ctx, ns)).To(MatchError(ContainSubstring(`has only one value, "true"`)))
		Expect(tenant.Create(ctx, phitest.Namespace("").Label(hipaav1.LabelPHI, "yes").Obj())).NotTo(Succeed())
	})

	It("is removed by the security team", func(ctx SpecContext) {
		delete(ns.Labels, hipaav1.LabelPHI)
		Expect(as("sam@example.org", "security").Update(ctx, ns)).To(Succeed())
	})

	It("leaves other labels alone", func(ctx SpecContext) {
		ns.Labels["team"] = "blue"
		Expect(tenant.Update(ctx, ns)).To(Succeed())
	})

	It("is not for the operator's own namespace", func(ctx SpecContext) {
		Expect(admin.Get(ctx, client.ObjectKey{Name: operatorNamespace}, ns)).To(Succeed())
		ns.Labels[hipaav1.LabelPHI] = "true"
		Expect(admin.Update(ctx, ns)).To(MatchError(ContainSubstring("cannot hold PHI")))
		Expect(admin.Get(ctx, client.ObjectKey{Name: "kube-system"}, ns)).To(Succeed())
		ns.Labels[hipaav1.LabelPHI] = "true"
		Expect(admin.Update(ctx, ns)).To(MatchError(ContainSubstring("control plane's own namespaces")))
	})
})

var _ = Describe("A PHIWorkload", func() {
	var tenant *person
	BeforeEach(func() { tenant = as("tess@example.org") })

	It("is refused where no PHI was declared", func(ctx SpecContext) {
		plain := namespaceWithoutPHI(ctx)
		Expect(tenant.Create(ctx, phitest.Workload("patient-api").Namespace(plain).Obj())).To(
			MatchError(ContainSubstring(`namespace "` + plain + `" is not declared to hold PHI: label it hipaa-operator.io/phi: "true" first`)))
	})

	It("says only what the operator found", func(ctx SpecContext) {
		w := declare(ctx, namespace(ctx, "enforce"), "patient-api")
		w.Status.Stage = hipaav1.StagePreviewing
		refusal := MatchError(ContainSubstring("is written by hipaa-operator alone"))
		Expect(tenant.Status().Update(ctx, w.DeepCopy())).To(refusal)
		Expect(admin.Status().Update(ctx, w.DeepCopy())).To(refusal)
		Expect(as(manager).Status().Update(ctx, w)).To(Succeed())
	})

	It("is let go by the operator alone", func(ctx SpecContext) {
		w := declare(ctx, namespace(ctx, "enforce"), "patient-api")
		controllerutil.AddFinalizer(w, hipaav1.FinalizerRelease)
		Expect(as(manager).Update(ctx, w)).To(Succeed())
		Expect(tenant.Delete(ctx, w)).To(Succeed())
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		controllerutil.RemoveFinalizer(w, hipaav1.FinalizerRelease)
		Expect(tenant.Update(ctx, w.DeepCopy())).To(MatchError(ContainSubstring("removed by hipaa-operator alone")))
		Expect(as(manager).Update(ctx, w)).To(Succeed())
	})
})

var _ = Describe("A namespace that people declare while pods run in it", func() {
	It("warns of undeclared pods until somebody says what runs there, and refuses them from then on", func(ctx SpecContext) {
		plain := namespaceWithoutPHI(ctx)
		tenant := as("tess@example.org")
		running := phitest.Pod("legacy").Namespace(plain).Obj()
		Expect(tenant.Create(ctx, running)).To(Succeed())
		ns := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: plain}, ns)).To(Succeed())
		ns.Labels[hipaav1.LabelPHI], ns.Labels["mode"] = hipaav1.LabelPHIValue, "enforce"
		Expect(admin.Update(ctx, ns)).To(Succeed())
		// The API server learns of the label after it has answered.
		Eventually(func() []string {
			Expect(tenant.Create(ctx, phitest.Pod("again").Namespace(plain).Obj(), client.DryRunAll)).To(Succeed())
			return tenant.warned.texts
		}).WithTimeout(10 * time.Second).Should(ContainElement(ContainSubstring("selected by no PHIWorkload")))
		Expect(tenant.Create(ctx, phitest.Pod("again").Namespace(plain).Obj())).To(Succeed())
		for _, pod := range []string{"legacy", "again"} {
			Expect(admin.Delete(ctx, phitest.Pod(pod).Namespace(plain).Obj(), client.GracePeriodSeconds(0))).To(Succeed())
		}
		Expect(tenant.Create(ctx, phitest.Pod("new").Namespace(plain).Obj())).To(MatchError(ContainSubstring("selected by no PHIWorkload")))
	})
})
