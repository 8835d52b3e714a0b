package phiworkload_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("What the operator owns", func() {
	var (
		p place
		w *hipaav1.PHIWorkload
	)

	BeforeEach(func(ctx context.Context) {
		p = newPlace(ctx, base())
		w = create(ctx, p.workload("api").Port("http", 8080).From(phitest.FromWorkload("portal")).Obj())
		p.settled(ctx, "api")
	})

	It("is there from the start, and that is no drift", func(ctx context.Context) {
		Expect(p.drift(ctx, "api")()).To(BeEmpty())
		Expect(p.condition(ctx, "api", hipaav1.ConditionDriftFree)()).To(Equal("True NoDrift"))
		policy := p.policy(ctx, "hipaa-api")
		Expect(policy.Labels).To(HaveKeyWithValue(hipaav1.LabelManagedBy, hipaav1.ManagedByValue))
		Expect(policy.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "api"))
		Expect(policy.OwnerReferences).To(BeEmpty())
		Expect(get(ctx, &hipaav1.PHIWorkload{}, p.key("api")).Finalizers).To(ContainElement(hipaav1.FinalizerRelease))
		p.lawful(ctx, "api")
	})

	DescribeTable("comes back as it was", func(ctx context.Context, change func(*networkingv1.NetworkPolicy), path string) {
		before := p.policy(ctx, "hipaa-api")
		update(ctx, p.policy(ctx, "hipaa-api"), change)
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ContainElement("NetworkPolicy/hipaa-api " + path + " by field manager kubectl-edit, user unknown: Corrected"))
		after := p.policy(ctx, "hipaa-api")
		Expect(after.Spec).To(Equal(before.Spec))
		Expect(after.Labels).To(Equal(before.Labels))
		Expect(after.UID).To(Equal(before.UID), "it must never be gone, not for a moment")
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True Corrected")
		Eventually(events(ctx, w), patience, interval).Should(ContainElements(hipaav1.EventDriftDetected, hipaav1.EventDriftCorrected))
		p.lawful(ctx, "api")
	},
		Entry("after everybody was let in", func(n *networkingv1.NetworkPolicy) { n.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} }, "spec.ingress"),
		Entry("after a way out was added", func(n *networkingv1.NetworkPolicy) {
			n.Spec.Egress = append(n.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		}, "spec.egress"),
		Entry("after one direction was taken away", func(n *networkingv1.NetworkPolicy) { n.Spec.PolicyTypes = n.Spec.PolicyTypes[:1] }, "spec.policyTypes"),
		Entry("after it was pointed at other pods", func(n *networkingv1.NetworkPolicy) {
			n.Spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "nobody"}}
		}, "spec.podSelector.matchLabels.app"),
		Entry("after its label was changed", func(n *networkingv1.NetworkPolicy) { n.Labels[hipaav1.LabelManagedBy] = "me" }, "metadata.labels[app.kubernetes.io/managed-by]"),
	)

	It("comes back after it was deleted, and says who did it", func(ctx context.Context) {
		seen.saw("DELETE", "mallory@example.org", "NetworkPolicy", p.name, "hipaa-api")
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-api"))).To(Succeed())
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf("NetworkPolicy/hipaa-api . by mallory@example.org: Corrected"))
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-api"))).To(BeTrue())
		p.lawful(ctx, "api")
	})

	It("is not put back again and again", func(ctx context.Context) {
		update(ctx, p.policy(ctx, "hipaa-api"), func(n *networkingv1.NetworkPolicy) { n.Spec.PolicyTypes = n.Spec.PolicyTypes[:1] })
		Eventually(p.drift(ctx, "api"), patience, interval).Should(HaveLen(1))
		p.calm(ctx, "api")
		Expect(p.drift(ctx, "api")()).To(HaveLen(1))
		p.lawful(ctx, "api")
	})

	It("follows the spec, and that is no drift", func(ctx context.Context) {
		create(ctx, p.workload("portal").Obj())
		p.settled(ctx, "portal")
		Eventually(func() []networkingv1.NetworkPolicyIngressRule { return p.policy(ctx, "hipaa-api").Spec.Ingress }, patience, interval).Should(HaveLen(1))
		update(ctx, w, func(w *hipaav1.PHIWorkload) {
			w.Spec.Ports = append(w.Spec.Ports, hipaav1.WorkloadPort{Name: "admin", Port: 9090, Protocol: hipaav1.PortProtocolHTTP})
		})
		Eventually(func() int { return len(p.policy(ctx, "hipaa-api").Spec.Ingress[0].Ports) }, patience, interval).Should(Equal(2))
		p.settled(ctx, "api")
		Expect(p.drift(ctx, "api")()).To(BeEmpty())
		p.lawful(ctx, "api", "portal")
	})

	It("comes back although it was taken while the operator was away", func(ctx context.Context) {
		Expect(operator.Stop()).To(Succeed())
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-api"))).To(Succeed())
		seen.saw("DELETE", "mallory@example.org", "NetworkPolicy", p.name, "hipaa-api")
		startOperator()
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf("NetworkPolicy/hipaa-api . by mallory@example.org: Corrected"))
		p.lawful(ctx, "api")
	})

	It("is left alone where others add what is theirs", func(ctx context.Context) {
		update(ctx, p.policy(ctx, "hipaa-api"), func(n *networkingv1.NetworkPolicy) {
			n.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x"}
			n.Labels["team"] = "y"
		})
		Consistently(p.drift(ctx, "api"), awhile, interval).Should(BeEmpty())
		Expect(p.policy(ctx, "hipaa-api").Labels).To(HaveKeyWithValue("team", "y"))
		p.lawful(ctx, "api")
	})

	It("of the namespace comes back as well", func(ctx context.Context) {
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-default-deny"))).To(Succeed())
		Eventually(func() bool { return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-default-deny")) }, patience, interval).Should(BeTrue())
		p.calm(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("is put right within a second", func(ctx context.Context) {
		// The design's budget is for a thousand workloads; here it is a floor under it.
		for range 5 {
			update(ctx, p.policy(ctx, "hipaa-api"), func(n *networkingv1.NetworkPolicy) { n.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} })
			Eventually(func() []networkingv1.NetworkPolicyIngressRule { return p.policy(ctx, "hipaa-api").Spec.Ingress }, time.Second, 5*time.Millisecond).Should(BeEmpty())
		}
		p.calm(ctx, "api")
		p.lawful(ctx, "api")
	})
})

var _ = Describe("A policy of somebody else that opens a workload", func() {
	var (
		p place
		w *hipaav1.PHIWorkload
	)

	declare := func(ctx context.Context, continuity hipaav1.Continuity) {
		GinkgoHelper()
		p = newPlace(ctx, base())
		w = create(ctx, p.workload("api").Continuity(continuity).Port("http", 8080).Obj())
		p.settled(ctx, "api")
	}

	It("is taken away", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityBusiness)
		create(ctx, p.open("open", "api"))
		Eventually(func() bool { return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open")) }, patience, interval).Should(BeFalse())
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf(HavePrefix("NetworkPolicy/open spec.ingress[0]")))
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True Corrected")
		Eventually(events(ctx, w), patience, interval).Should(ContainElements(hipaav1.EventDriftDetected, hipaav1.EventDriftCorrected))
		p.lawful(ctx, "api")
	})

	It("stays and is reported where care depends on the workload", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityPatientCare)
		create(ctx, phitest.Pod("api-1").Of(w).Obj())
		foreign := create(ctx, p.open("open", "api"))
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		p.stays(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open"))).To(BeTrue())
		Expect(p.condition(ctx, "api", hipaav1.ConditionReady)()).To(Equal("True SafeguardsInForce"))
		noticed := p.status(ctx, "api").Drift
		seen.saw("DELETE", "rob@example.org", "NetworkPolicy", p.name, "open")
		Expect(cluster.Admin.Delete(ctx, foreign)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True DriftResolved")
		Expect(p.status(ctx, "api").Drift).To(ConsistOf(And(
			HaveField("Object", "NetworkPolicy/open"), HaveField("Who", noticed[0].Who), HaveField("Time", noticed[0].Time),
			HaveField("State", hipaav1.DriftResolved), HaveField("ResolvedBy", "rob@example.org"), HaveField("ResolvedTime", Not(BeNil())),
		)), "what was there, and for how long, is what an incident asks about")
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.ReasonDriftResolved))
		p.calm(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("is resolved without a name where somebody narrows it instead of deleting it", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityPatientCare)
		create(ctx, phitest.Pod("api-1").Of(w).Obj())
		foreign := create(ctx, p.open("open", "api"))
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		seen.saw("UPDATE", "rob@example.org", "NetworkPolicy", p.name, "open")
		update(ctx, foreign, func(n *networkingv1.NetworkPolicy) { n.Spec.Ingress = nil })
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True DriftResolved")
		Expect(p.status(ctx, "api").Drift).To(ConsistOf(And(HaveField("State", hipaav1.DriftResolved), HaveField("ResolvedBy", ""))))
		p.lawful(ctx, "api")
	})

	It("is taken away where care depends on the workload but none of its pods lives yet", func(ctx context.Context) {
		p = newPlace(ctx, base())
		create(ctx, p.open("open", "api"))
		create(ctx, p.workload("api").Continuity(hipaav1.ContinuityPatientCare).Port("http", 8080).Obj())
		Eventually(func() bool { return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open")) }, patience, interval).Should(BeFalse())
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True Corrected")
		p.lawful(ctx, "api")
	})

	It("stays where it also opens one on which care depends", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityBusiness)
		ward := create(ctx, p.workload("ward").Continuity(hipaav1.ContinuityPatientCare).Port("http", 8080).Obj())
		create(ctx, phitest.Pod("ward-1").Of(ward).Obj())
		p.settled(ctx, "ward")
		create(ctx, phitest.Policy("open").Namespace(p.name).Ingress(nil).Obj())
		p.becomes(ctx, "ward", hipaav1.ConditionDriftFree, "False Drifted")
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		p.stays(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open"))).To(BeTrue())
		p.lawful(ctx, "api", "ward")
	})

	It("stays where a neighbour on which care depends may live on it, though it opens nothing that the neighbour did not declare", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityBusiness)
		monitors := phitest.Labels("app", "monitor")
		ward := create(ctx, p.workload("ward").Continuity(hipaav1.ContinuityPatientCare).Port("http", 8080).
			From(phitest.FromPods(nil, monitors)).Obj())
		create(ctx, phitest.Pod("ward-1").Of(ward).Obj())
		p.settled(ctx, "ward")
		create(ctx, phitest.Policy("monitors").Namespace(p.name).Ingress(phitest.Peer(nil, monitors), phitest.TCP(8080)).Obj())
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		p.stays(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("monitors"))).To(BeTrue())
		p.lawful(ctx, "api", "ward")
	})

	It("is taken away although it borrows the operator's labels", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityBusiness)
		borrowed := p.open("open", "api")
		borrowed.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue, hipaav1.LabelWorkload: "api"}
		create(ctx, borrowed)
		Eventually(func() bool { return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open")) }, patience, interval).Should(BeFalse())
		Eventually(p.drift(ctx, "api"), patience, interval).Should(HaveLen(1))
		p.lawful(ctx, "api")
	})

	It("is left alone where it opens nothing that is not declared", func(ctx context.Context) {
		declare(ctx, hipaav1.ContinuityBusiness)
		create(ctx, phitest.Policy("closed").Namespace(p.name).Selecting("app", "api").Obj())
		create(ctx, p.open("elsewhere", "other"))
		Consistently(p.drift(ctx, "api"), awhile, interval).Should(BeEmpty())
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("closed"))).To(BeTrue())
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("elsewhere"))).To(BeTrue())
		p.lawful(ctx, "api")
	})
})
