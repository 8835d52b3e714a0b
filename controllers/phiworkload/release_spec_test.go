package phiworkload_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A deleted workload", func() {
	It("waits for its last pod, keeps what protects it, and then takes that away", func(ctx context.Context) {
		p := newPlace(ctx, base())
		w := create(ctx, p.workload("api").Port("http", 8080).Obj())
		pod := create(ctx, phitest.Pod("api-1").Of(w).Obj())
		p.settled(ctx, "api")
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionReleased, "False PodsLive")
		p.lawful(ctx, "api")

		By("repairing as if nothing had happened")
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-api"))).To(Succeed())
		Eventually(func() bool { return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-api")) }, patience, interval).Should(BeTrue())
		p.calm(ctx, "api")
		p.lawful(ctx, "api")

		By("letting go")
		Expect(cluster.Admin.Delete(ctx, pod)).To(Succeed())
		Eventually(func() bool { return exists(ctx, &hipaav1.PHIWorkload{}, p.key("api")) }, patience, interval).Should(BeFalse())
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-api"))).To(BeFalse())
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-default-deny"))).To(BeTrue(), "the namespace stays closed")
		Eventually(events(ctx, w), patience, interval).Should(ContainElements(hipaav1.ReasonPodsLive, hipaav1.ReasonReleased))
	})

	It("does not wait for pods that have finished", func(ctx context.Context) {
		p := newPlace(ctx, base())
		w := create(ctx, p.workload("api").Obj())
		pod := create(ctx, phitest.Pod("api-1").Of(w).Obj())
		pod.Status.Phase = corev1.PodSucceeded
		Expect(cluster.Admin.Status().Update(ctx, pod)).To(Succeed())
		p.settled(ctx, "api")
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		Eventually(func() bool { return exists(ctx, &hipaav1.PHIWorkload{}, p.key("api")) }, patience, interval).Should(BeFalse())
	})

	It("goes although nobody governs it", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		w := create(ctx, p.workload("api").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False NoProfile")
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		Eventually(func() bool { return exists(ctx, &hipaav1.PHIWorkload{}, p.key("api")) }, patience, interval).Should(BeFalse())
	})

	It("starts over when it is declared again", func(ctx context.Context) {
		p := newPlace(ctx, base())
		w := create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		Eventually(func() bool { return exists(ctx, &hipaav1.PHIWorkload{}, p.key("api")) }, patience, interval).Should(BeFalse())
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		Expect(p.drift(ctx, "api")()).To(BeEmpty(), "what was released has not drifted")
		p.lawful(ctx, "api")
	})

	It("does not hold up a namespace that goes", func(ctx context.Context) {
		p := newPlace(ctx, base())
		w := create(ctx, p.workload("api").Obj())
		create(ctx, phitest.Pod("api-1").Of(w).Obj())
		p.settled(ctx, "api")
		namespace := get(ctx, &corev1.Namespace{}, types.NamespacedName{Name: p.name})
		Expect(cluster.Admin.Delete(ctx, namespace)).To(Succeed())
		Eventually(func() bool { return exists(ctx, namespace, types.NamespacedName{Name: p.name}) }, 2*patience, interval).Should(BeFalse())
	})
})
