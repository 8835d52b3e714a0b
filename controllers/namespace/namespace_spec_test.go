package namespace_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A PHI namespace", func() {
	It("is closed by default before anybody declares a workload, and says nothing of it", func(ctx context.Context) {
		n := newNamespace(ctx)
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		policy := defaultDeny(n)
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
		Expect(policy.Spec.PodSelector).To(Equal(metav1.LabelSelector{}))
		Expect(policy.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
		Expect(policy.Spec.Ingress).To(BeEmpty())
		Expect(policy.Spec.Egress).To(BeEmpty())
		Expect(policy.Labels).To(HaveKeyWithValue(hipaav1.LabelManagedBy, hipaav1.ManagedByValue))
		Expect(told(ctx, n)()).NotTo(ContainElement(hipaav1.EventDriftDetected))
	})

	It("gets back what was taken or changed, and people hear of it", func(ctx context.Context) {
		n := newNamespace(ctx)
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		widen(ctx, n)
		Eventually(told(ctx, n), patience, interval).Should(ContainElements(hipaav1.EventDriftDetected, hipaav1.EventDriftCorrected))
		policy := defaultDeny(n)
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
		Expect(policy.Spec.Ingress).To(BeEmpty())
		Expect(cluster.Admin.Delete(ctx, policy)).To(Succeed())
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
	})

	It("is left as it is where the profile only audits, and what departs is told once", func(ctx context.Context) {
		n := newNamespace(ctx)
		profile := govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		change(ctx, profile, func(p *hipaav1.ComplianceProfile) { p.Spec.DefaultMode = hipaav1.ModeAudit })
		widen(ctx, n)
		once := func() int {
			return len(slices.DeleteFunc(told(ctx, n)(), func(reason string) bool { return reason != hipaav1.EventDriftDetected }))
		}
		Eventually(once, patience, interval).Should(Equal(1))
		relabel(ctx, n) // makes the operator look again
		Consistently(once, awhile, interval).Should(Equal(1))
		policy := defaultDeny(n)
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
		Expect(policy.Spec.Ingress).To(HaveLen(1))
	})

	It("that nobody governs says so, and is closed as soon as somebody does", func(ctx context.Context) {
		n := newNamespace(ctx)
		Eventually(told(ctx, n), patience, interval).Should(ConsistOf(hipaav1.ReasonNoProfile))
		Expect(owned(ctx, n)()).To(BeEmpty())
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
	})

	It("whose pods ran before it was declared is closed once they are claimed and that is agreed", func(ctx context.Context) {
		n := newNamespace(ctx)
		unlabel(ctx, n)
		old := phitest.Pod("api").Namespace(n.Name).Obj()
		Expect(cluster.Admin.Create(ctx, old)).To(Succeed())
		controllerstest.Age(old)
		profile := govern(ctx, n, hipaav1.ModeEnforce)
		declare(ctx, n)
		Eventually(told(ctx, n), patience, interval).Should(ContainElement(hipaav1.EventPodsUnclaimed))
		Consistently(owned(ctx, n), awhile, interval).Should(BeEmpty())
		w := phitest.Workload("api").Namespace(n.Name).Obj()
		Expect(cluster.Admin.Create(ctx, w)).To(Succeed())
		Eventually(ready(ctx, n, "api"), patience, interval).Should(Equal(metav1.ConditionTrue))
		Consistently(owned(ctx, n), awhile, interval).Should(BeEmpty())
		change(ctx, profile, func(p *hipaav1.ComplianceProfile) {
			p.Spec.Rollout = &hipaav1.RolloutParameters{EnforceBy: &metav1.Time{Time: time.Now().Add(-time.Minute)}}
		})
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny, "hipaa-api"))
		Expect(told(ctx, n)()).NotTo(ContainElement(hipaav1.EventDriftDetected), "nobody had taken anything away")
	})

	It("keeps what protects pods whose workload was taken away by force, until they have gone", func(ctx context.Context) {
		n := newNamespace(ctx)
		profile := govern(ctx, n, hipaav1.ModeEnforce)
		w := phitest.Workload("api").Namespace(n.Name).Obj()
		Expect(cluster.Admin.Create(ctx, w)).To(Succeed())
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny, "hipaa-api"))
		pod := phitest.Pod("api-1").Of(w).Obj()
		Expect(cluster.Admin.Create(ctx, pod)).To(Succeed())
		force(ctx, w)
		relabel(ctx, n)
		Consistently(owned(ctx, n), awhile, interval).Should(ConsistOf(deny, "hipaa-api"))
		pause(ctx, profile, time.Now().Add(time.Hour))
		Expect(cluster.Admin.Delete(ctx, pod)).To(Succeed())
		relabel(ctx, n)
		Consistently(owned(ctx, n), awhile, interval).Should(ConsistOf(deny, "hipaa-api"), "paused")
		pause(ctx, profile, time.Now().Add(-time.Hour))
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
	})

	It("keeps nothing for a workload that does not exist", func(ctx context.Context) {
		n := newNamespace(ctx)
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		stray := phitest.Policy("hipaa-gone").Namespace(n.Name).Selecting("app", "gone").Obj()
		stray.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue, hipaav1.LabelWorkload: "gone"}
		Expect(cluster.Admin.Create(ctx, stray)).To(Succeed())
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
	})

	It("does not touch what is not its own", func(ctx context.Context) {
		n := newNamespace(ctx)
		theirs := phitest.Policy("theirs").Namespace(n.Name).Selecting("app", "x").Obj()
		Expect(cluster.Admin.Create(ctx, theirs)).To(Succeed())
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny, "theirs"))
		unlabel(ctx, n)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf("theirs"))
	})
})

var _ = Describe("A namespace that no longer holds PHI", func() {
	It("is left clean", func(ctx context.Context) {
		n := newNamespace(ctx)
		govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		unlabel(ctx, n)
		Eventually(owned(ctx, n), patience, interval).Should(BeEmpty())
	})

	It("stays closed until the last of its workloads has gone", func(ctx context.Context) {
		n := newNamespace(ctx)
		govern(ctx, n, hipaav1.ModeEnforce)
		w := phitest.Workload("api").Namespace(n.Name).Obj()
		Expect(cluster.Admin.Create(ctx, w)).To(Succeed())
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny, "hipaa-api"))
		pod := phitest.Pod("api-1").Of(w).Obj()
		Expect(cluster.Admin.Create(ctx, pod)).To(Succeed())
		unlabel(ctx, n)
		Eventually(ready(ctx, n, "api"), patience, interval).Should(Equal(metav1.ConditionFalse))
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		Consistently(owned(ctx, n), awhile, interval).Should(ConsistOf(deny, "hipaa-api"))
		Expect(cluster.Admin.Delete(ctx, pod)).To(Succeed())
		Eventually(owned(ctx, n), patience, interval).Should(BeEmpty())
	})
})
