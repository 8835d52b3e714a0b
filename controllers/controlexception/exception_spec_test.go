package controlexception_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A ControlException", func() {
	var workload *hipaav1.PHIWorkload
	BeforeEach(func(ctx context.Context) {
		w := phitest.Workload("api").Obj()
		workload = w
		Expect(cluster.Admin.Create(ctx, w)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
			Eventually(func() error { return cluster.Admin.Get(ctx, keyOf(w), w) }, patience, interval).ShouldNot(Succeed())
		})
	})

	It("counts from its approval to its very end, and the operator never owns the approval", func(ctx context.Context) {
		x := exception("short", "api", 4*time.Second)
		end := x.Spec.Expires.Truncate(time.Second)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False ApprovalPending"))
		Expect(x.Status.SpecDigest).To(Equal(digestOf(x)), "it is there to be read before anybody decides")
		Expect(cluster.Columns(ctx, "controlexceptions", x.Namespace, x.Name)()).To(And(HaveKeyWithValue("Decision", "ApprovalPending"), HaveKeyWithValue("In-Force", "False")))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionInForce), patience, interval).Should(Equal("True InForce"))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		Expect(x.Status.Approval.Approver).To(Equal("officer@example.org"))
		Expect(cluster.Columns(ctx, "controlexceptions", x.Namespace, x.Name)()).To(And(HaveKeyWithValue("Decision", "Approved"), HaveKeyWithValue("In-Force", "True")))
		for _, entry := range x.ManagedFields {
			if entry.Manager == hipaav1.FieldOwner {
				Expect(entry.FieldsV1.GetRawString()).NotTo(ContainSubstring("f:approval"))
			}
		}
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionInForce), patience, interval).Should(Equal("False Expired"))
		Expect(time.Since(end)).To(BeNumerically("<", 2*time.Second), "nothing but time has passed, and not more than needed")
		Expect(x.Status.Approval).NotTo(BeNil())
		Eventually(cluster.Events(ctx, x), patience, interval).Should(ContainElements(hipaav1.ReasonApproved, hipaav1.ReasonInForce, hipaav1.ReasonExpired, hipaav1.EventExceptionEnding))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
	})

	It("may be about a control that a profile brings, once it does", func(ctx context.Context) {
		x := phitest.Exception("own", "api", "custom-described-keys").Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False UnknownControl"))
		p := phitest.Profile("own").OnlyByName().Brings(hipaav1.CustomControl{
			ID: "custom-described-keys", Cites: []string{"164.312(b)"}, Remedy: "say what the key is for",
			Checks: []hipaav1.CustomCheck{{
				Match:      []hipaav1.MatchedType{{Group: "kms.services.k8s.aws", Version: "v1alpha1", Resource: "keys", Kind: "Key"}},
				Expression: "has(object.spec.description)", Path: "spec.description", Message: "is missing", Met: "is there",
			}},
		}).Obj()
		Expect(cluster.Admin.Create(ctx, p)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False ApprovalPending"))
		Expect(cluster.Admin.Delete(ctx, p)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False UnknownControl"))
	})

	It("warns a week before its end, without anybody touching it", func(ctx context.Context) {
		x := exception("week", "api", 7*24*time.Hour+3*time.Second)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionInForce), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Events(ctx, x)()).NotTo(ContainElement(hipaav1.EventExceptionEnding))
		Expect(cluster.Condition(ctx, x, hipaav1.ConditionExpiring)()).To(Equal("none"))
		Eventually(cluster.Events(ctx, x), patience, interval).Should(ContainElement(hipaav1.EventExceptionEnding))
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionExpiring), patience, interval).Should(Equal("True ExceptionEnding"))
		Eventually(cluster.Events(ctx, workload), patience, interval).Should(ContainElement(hipaav1.EventExceptionEnding), "whoever describes the workload hears of it")
		phitest.ExpectLawfulConditions(GinkgoT(), x)
	})

	It("counts no more where a profile has become stricter, and warns when profiles say", func(ctx context.Context) {
		x := exception("long", "api", 48*time.Hour)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionExpiring), patience, interval).Should(Equal("True ExceptionEnding"), "within a week, as nobody says otherwise")
		profile := controllerstest.Create(ctx, cluster, phitest.Profile("strict").LongestException(24*time.Hour).WarnsBefore(1).Obj())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(cluster.Admin.Delete(ctx, profile))).To(Succeed())
		})
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False TooLong"))
		Expect(cluster.Condition(ctx, x, hipaav1.ConditionInForce)()).To(Equal("False TooLong"))
		Expect(cluster.Condition(ctx, x, hipaav1.ConditionApproved)()).To(Equal("True Approved"), "people have decided as they have")
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		controllerstest.UpdateProfile(ctx, cluster, profile, func(p *hipaav1.ComplianceProfile) { p.Spec.Exceptions.MaximumLength = nil })
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Condition(ctx, x, hipaav1.ConditionExpiring)()).To(Equal("none"), "an hour before, now")
		phitest.ExpectLawfulConditions(GinkgoT(), x)
	})

	It("counts no more where a profile takes none from its control any more", func(ctx context.Context) {
		x := exception("barred", "api", time.Hour)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		profile := controllerstest.Create(ctx, cluster, phitest.Profile("barring").NoExceptions("pod-hardening").Obj())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(cluster.Admin.Delete(ctx, profile))).To(Succeed())
		})
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False NeverExcepted"))
		Expect(cluster.Condition(ctx, x, hipaav1.ConditionApproved)()).To(Equal("True Approved"), "people have decided as they have")
		Eventually(cluster.Events(ctx, x), patience, interval).Should(ContainElement(hipaav1.ReasonNeverExcepted))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		controllerstest.UpdateProfile(ctx, cluster, profile, func(p *hipaav1.ComplianceProfile) { p.Spec.Exceptions.NeverFor = nil })
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
	})

	It("is void when its spec changes after the approval", func(ctx context.Context) {
		x := exception("changed", "api", time.Hour)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		x.Spec.Expires = metav1.NewTime(time.Now().Add(2 * time.Hour))
		Expect(cluster.Admin.Update(ctx, x)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False ApprovalVoid"))
		Expect(x.Status.SpecDigest).To(And(Equal(digestOf(x)), Not(Equal(x.Status.Approval.SpecDigest))))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
	})

	It("may come before its workload, and its approval ends with it", func(ctx context.Context) {
		x := exception("early", "late", time.Hour)
		Expect(cluster.Admin.Create(ctx, x)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False WorkloadNotFound"))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		late := phitest.Workload("late").Obj()
		Expect(cluster.Admin.Create(ctx, late)).To(Succeed())
		cluster.Approve(ctx, x)
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Admin.Delete(ctx, late)).To(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False WorkloadNotFound"))
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		Eventually(func() error { return cluster.Admin.Create(ctx, phitest.Workload("late").Obj()) }, patience, interval).Should(Succeed())
		Eventually(cluster.Condition(ctx, x, hipaav1.ConditionReady), patience, interval).Should(Equal("False ApprovalVoid"),
			"nobody has approved anything for this workload")
		phitest.ExpectLawfulConditions(GinkgoT(), x)
		Expect(cluster.Admin.Delete(ctx, phitest.Workload("late").Obj())).To(Succeed())
	})
})

func digestOf(x *hipaav1.ControlException) string {
	GinkgoHelper()
	digest, err := x.Spec.Digest()
	Expect(err).NotTo(HaveOccurred())
	return digest
}
