package admission_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// soon is how long after a change the next answer may still go by what was.
const soon = "2s"

var _ = Describe("A namespace that pods come to all the time", func() {
	var (
		ns     string
		tenant *person
	)
	attempt := func(ctx context.Context, change func(*corev1.Pod)) error {
		pod := phitest.Pod("patient-api").Namespace(ns).With(change).Obj()
		return tenant.Create(ctx, pod, client.DryRunAll)
	}
	asItIs := func(*corev1.Pod) {}
	hardly := func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }
	BeforeEach(func(ctx SpecContext) {
		tenant, ns = as("tess@example.org"), namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		for range 3 {
			Expect(attempt(ctx, asItIs)).To(Succeed())
		}
	})

	It("is answered by a workload that was declared since", func(ctx SpecContext) {
		seconds := func(pod *corev1.Pod) { pod.Labels[hipaav1.LabelWorkload] = "second" }
		Expect(attempt(ctx, seconds)).To(MatchError(ContainSubstring("contradicts PHIWorkload patient-api")))
		second := phitest.Workload("second").Namespace(ns).Obj()
		second.Spec.Selector.MatchLabels = map[string]string{"app": "patient-api"}
		Expect(admin.Create(ctx, second)).To(Succeed())
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(seconds).
			Should(MatchError(ContainSubstring("has the proxy of another PHIWorkload")))
	})

	It("is answered without a workload that went", func(ctx SpecContext) {
		Expect(admin.Delete(ctx, phitest.Workload("patient-api").Namespace(ns).Obj())).To(Succeed())
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(asItIs).Should(MatchError(ContainSubstring("selected by no PHIWorkload")))
	})

	It("is answered by a profile as it was changed", func(ctx SpecContext) {
		profile := phitest.Profile("changing").Selecting("mode", ns).EncryptedClass(phitest.EncryptedClass).Mode(hipaav1.ModeWarn).Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		relabel(ctx, ns, "mode", ns)
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(hardly).Should(Succeed())
		profile.Spec.DefaultMode = hipaav1.ModeEnforce
		Expect(admin.Update(ctx, profile)).To(Succeed())
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(hardly).ShouldNot(Succeed())
	})

	It("is answered by its labels as they were changed", func(ctx SpecContext) {
		Expect(attempt(ctx, hardly)).NotTo(Succeed())
		relabel(ctx, ns, "mode", "warn")
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(hardly).Should(Succeed())
		relabel(ctx, ns, "mode", "enforce")
		Eventually(attempt, soon, "10ms").WithContext(ctx).WithArguments(hardly).ShouldNot(Succeed())
	})
})

func relabel(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	ns := &corev1.Namespace{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, ns)).To(Succeed())
	ns.Labels[key] = value
	Expect(admin.Update(ctx, ns)).To(Succeed())
}
