package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("An outage of the operator", Serial, Ordered, func() {
	const namespace = "outage"
	var admitted *corev1.Pod

	BeforeAll(func() {
		phiNamespace(namespace)
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
		admitted = phitest.Pod("before").Namespace(namespace).Of(workload).With(func(p *corev1.Pod) {
			p.Finalizers = []string{"example.org/hold"}
		}).Obj()
		Expect(admin.Create(ctx, admitted)).To(Succeed())
		operator.Stop()
		DeferCleanup(func() { Expect(operator.Start(ctx)).To(Succeed()) })
	})

	It("refuses new PHI pods", func() {
		Expect(admin.Create(ctx, phitest.Pod("during").Namespace(namespace).Label("app", "api").Obj())).To(MatchError(ContainSubstring("hipaa-operator")))
	})

	It("lets nobody reach into PHI pods", func() {
		Expect(reach(config, control.Exec, namespace, admitted.Name)).To(MatchError(ContainSubstring(`failed calling webhook "connections.hipaa-operator.io"`)))
	})

	It("lets pods without PHI start", func() {
		elsewhere := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "no-phi"}}
		Expect(admin.Create(ctx, elsewhere)).To(Succeed())
		DeferCleanup(func() { deleteNamespace(elsewhere.Name) })
		run(phitest.Pod("free").Namespace(elsewhere.Name).Unhardened().Obj())
		Eventually(func() corev1.PodPhase {
			pod := &corev1.Pod{}
			if err := admin.Get(ctx, client.ObjectKey{Namespace: elsewhere.Name, Name: "free"}, pod); err != nil {
				return ""
			}
			return pod.Status.Phase
		}).Should(Equal(corev1.PodRunning))
	})

	It("lets status and finalizers of PHI pods move, so that nothing hangs", func() {
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(admitted), admitted)).To(Succeed())
			g.Expect(admitted.Status.Phase).To(Equal(corev1.PodRunning))
		}).Should(Succeed())
		Expect(admin.Delete(ctx, admitted, client.GracePeriodSeconds(0))).To(Succeed())
		before := admitted.DeepCopy()
		admitted.Finalizers = nil
		Expect(admin.Patch(ctx, admitted, client.MergeFrom(before))).To(Succeed())
	})

	It("lets the guards go on without it", func() {
		refused(as("tenant@example.org", "system:serviceaccounts").Delete(ctx, phitest.Policy("hipaa-api").Namespace(namespace).Obj()))
	})
})

var _ = Describe("The end of a namespace", func() {
	It("does not hang, with pods, a workload and its policies in it", func() {
		namespace := phiNamespace("ending")
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
		Expect(admin.Create(ctx, phitest.Pod("api-0").Namespace(namespace).Of(workload).Obj())).To(Succeed())
		start := time.Now()
		deleteNamespace(namespace)
		GinkgoWriter.Printf("the namespace was gone after %s\n", time.Since(start))
	})
})
