package admission_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// redirecting is a namespace whose profiles let workloads ask for Redirect, and one that does.
func redirecting(ctx context.Context, allowed bool) *hipaav1.PHIWorkload {
	GinkgoHelper()
	ns := namespace(ctx, "enforce")
	if allowed {
		var found corev1.Namespace
		Expect(admin.Get(ctx, client.ObjectKey{Name: ns}, &found)).To(Succeed())
		found.Labels["capture"] = ns
		Expect(admin.Update(ctx, &found)).To(Succeed())
		profile := phitest.Profile("redirect-"+ns).Selecting("capture", ns).EncryptedClass(phitest.EncryptedClass).Obj()
		profile.Spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
	}
	workload := phitest.Workload("api").Namespace(ns).Port("http", 8080).Obj()
	workload.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	Expect(admin.Create(ctx, workload)).To(Succeed())
	return workload
}

func redirectedPod(w *hipaav1.PHIWorkload) *corev1.Pod {
	return phitest.Pod("api").Of(w).Namespace(w.Namespace).Listens("http", 8080).With(func(p *corev1.Pod) {
		p.Spec.SecurityContext.RunAsUser = ptr.To[int64](65532)
	}).Obj()
}

var _ = Describe("A pod whose traffic is to be redirected", func() {
	It("gets the rules first and then its proxy, and is stored as it was made", func(ctx SpecContext) {
		workload := redirecting(ctx, true)
		pod := redirectedPod(workload)
		Eventually(func() error { return as("tess@example.org").Create(ctx, pod) }).Should(Succeed())
		Expect(pod.Spec.InitContainers).To(HaveLen(2))
		rules, proxy := pod.Spec.InitContainers[0], pod.Spec.InitContainers[1]
		Expect([]string{rules.Name, proxy.Name}).To(Equal([]string{injection.RulesName, injection.Name}))
		Expect(rules.SecurityContext.Capabilities.Add).To(ConsistOf(corev1.Capability("NET_ADMIN")))
		Expect(proxy.SecurityContext.Capabilities.Add).To(BeEmpty())
		Expect(proxy.Args).To(ContainElement("--capture=Redirect"))
		for _, mount := range rules.VolumeMounts {
			Expect(mount.Name).NotTo(HavePrefix("kube-api-access"))
		}

		By("keeping both while it runs")
		for i := range pod.Spec.InitContainers {
			swapped := pod.DeepCopy()
			swapped.Spec.InitContainers[i].Image = "registry.example.org/app:1.0.0"
			Expect(as("tess@example.org").Update(ctx, swapped)).To(MatchError(ContainSubstring("image is not what the operator gives the proxy")))
		}
	})

	DescribeTable("is refused", func(ctx SpecContext, change func(*corev1.PodSpec, int64), says string) {
		workload := redirecting(ctx, true)
		good := redirectedPod(workload)
		Eventually(func() error { return admin.Create(ctx, good, client.DryRunAll) }).Should(Succeed())
		pod := redirectedPod(workload)
		change(&pod.Spec, *good.Spec.InitContainers[1].SecurityContext.RunAsUser)
		Expect(as("tess@example.org").Create(ctx, pod)).To(MatchError(And(ContainSubstring("\n  mutual-tls "), ContainSubstring(says))))
	},
		Entry("that borrows the proxy's user", func(p *corev1.PodSpec, user int64) { p.Containers[0].SecurityContext.RunAsUser = &user }, "which only the proxy runs under"),
		Entry("whose image chooses a user", func(p *corev1.PodSpec, _ int64) { p.SecurityContext.RunAsUser = nil }, "its image may choose the proxy's user"),
		Entry("that changes the rules", func(p *corev1.PodSpec, _ int64) {
			p.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
		}, "by which the rules can be changed"),
		Entry("that becomes somebody else", func(p *corev1.PodSpec, _ int64) {
			p.Containers[0].SecurityContext.AllowPrivilegeEscalation = ptr.To(true)
		}, "lets it become the proxy's user"),
		Entry("with a second set of rules among its containers", func(p *corev1.PodSpec, _ int64) {
			c := *p.Containers[0].DeepCopy()
			c.Name, c.Ports = injection.RulesName, nil
			p.Containers = append(p.Containers, c)
		}, "is named phi-proxy-rules"),
	)

	It("is refused where no profile lets its workload ask", func(ctx SpecContext) {
		Expect(as("tess@example.org").Create(ctx, redirectedPod(redirecting(ctx, false)))).To(MatchError(ContainSubstring("which its profile does not allow")))
	})

	It("leaves Services free to lead to a number", func(ctx SpecContext) {
		workload := redirecting(ctx, true)
		byNumber := phitest.Service("api").Namespace(workload.Namespace).Selecting("app", "api").Obj()
		byNumber.Spec.Ports = []corev1.ServicePort{{Port: 80}}
		byNumber.Spec.Ports[0].TargetPort.IntVal = 8080
		Eventually(func() error { return as("tess@example.org").Create(ctx, byNumber, client.DryRunAll) }).Should(Succeed())
	})
})
