package vendor_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// agreed is a Vendor with an agreement that ends so long from now.
func agreed(name string, left time.Duration) *hipaav1.Vendor {
	v := phitest.Vendor(name).Obj()
	a := v.Spec.Agreement
	a.Signed, a.Effective = metav1.NewTime(time.Now().Add(-48*time.Hour)), metav1.NewTime(time.Now().Add(-24*time.Hour))
	a.Expires = metav1.NewTime(time.Now().Add(left))
	return v
}

var _ = Describe("A Vendor", func() {
	It("says that its agreement is in force, to its very end", func(ctx context.Context) {
		v := controllerstest.Create(ctx, cluster, agreed("short", 4*time.Second))
		end := v.Spec.Agreement.Expires.Truncate(time.Second)
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionAgreementInForce), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Condition(ctx, v, hipaav1.ConditionExpiring)()).To(Equal("True AgreementEnding"))
		Expect(cluster.Columns(ctx, "vendors", "", v.Name)()).To(And(HaveKeyWithValue("Agreement", "InForce"), HaveKeyWithValue("Owner", "privacy")))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionAgreementInForce), patience, interval).Should(Equal("False Expired"))
		Expect(time.Since(end)).To(BeNumerically("<", 2*time.Second), "nothing but time has passed, and not more than needed")
		Expect(cluster.Condition(ctx, v, hipaav1.ConditionExpiring)()).To(Equal("none"))
		Eventually(cluster.Events(ctx, v), patience, interval).Should(ContainElements(hipaav1.ReasonInForce, hipaav1.EventAgreementEnding, hipaav1.ReasonExpired))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
	})

	It("tells what its agreement lacks, and is in order once it is amended", func(ctx context.Context) {
		v := agreed("incomplete", 365*24*time.Hour)
		v.Spec.Agreement.Clauses = v.Spec.Agreement.Clauses[2:]
		controllerstest.Create(ctx, cluster, v)
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionReady), patience, interval).Should(Equal("False ClausesMissing"))
		Expect(v.Status.Conditions[0].Message).To(ContainSubstring("PermittedUses, NoOtherUse;"))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
		controllerstest.Update(ctx, cluster, v, func(v *hipaav1.Vendor) { v.Spec.Agreement.Clauses = hipaav1.AllAgreementClauses })
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Condition(ctx, v, hipaav1.ConditionExpiring)()).To(Equal("none"))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
	})

	It("warns when sixty days are left, without anybody touching it", func(ctx context.Context) {
		v := controllerstest.Create(ctx, cluster, agreed("sixty", 60*24*time.Hour+3*time.Second))
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionReady), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Events(ctx, v)()).NotTo(ContainElement(hipaav1.EventAgreementEnding))
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionExpiring), patience, interval).Should(Equal("True AgreementEnding"))
		Eventually(cluster.Events(ctx, v), patience, interval).Should(ContainElement(hipaav1.EventAgreementEnding))
	})

	It("may have no agreement, and then says so", func(ctx context.Context) {
		v := controllerstest.Create(ctx, cluster, phitest.Vendor("without").Agreed(nil).Obj())
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionReady), patience, interval).Should(Equal("False NoAgreement"))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
	})

	It("tells whom it concerns when calls are closed, and that two people closed them", func(ctx context.Context) {
		controllerstest.Create(ctx, cluster, phitest.Namespace("clinic").Obj())
		v := controllerstest.Create(ctx, cluster, agreed("called", 365*24*time.Hour))
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True InForce"))
		controllerstest.Create(ctx, cluster, phitest.Workload("jobs").Namespace("clinic").Continuity(hipaav1.ContinuityDeferrable).To(phitest.ToVendor("called")).Obj())
		w := controllerstest.Create(ctx, cluster, phitest.Workload("api").Namespace("clinic").Continuity(hipaav1.ContinuityPatientCare).To(phitest.ToVendor("called")).Obj())
		impact := func() (hipaav1.VendorStatus, error) {
			err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(v), v)
			return v.Status, err
		}
		Eventually(impact, patience, interval).Should(And(
			HaveField("Impact", HaveValue(Equal(hipaav1.VendorImpact{Workloads: ptr.To[int32](2), PatientCare: ptr.To[int32](1)}))),
			HaveField("Callers", Equal([]hipaav1.VendorCaller{
				{Namespace: "clinic", Name: "api", Continuity: hipaav1.ContinuityPatientCare}, {Namespace: "clinic", Name: "jobs", Continuity: hipaav1.ContinuityDeferrable},
			})),
		))
		word := func(person string) *hipaav1.ClosureWord {
			return &hipaav1.ClosureWord{Person: person, AgreementDigest: v.Status.AgreementDigest}
		}
		v.Status.Closure = &hipaav1.VendorClosure{Proposal: word("ana@example.org"), Approval: word("ben@example.org")}
		Expect(cluster.Admin.Status().Update(ctx, v)).To(Succeed())
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("False ClosedByPeople"))
		Expect(v.Status.Closure.Approval.Person).To(Equal("ben@example.org"), "the operator leaves it alone")
		controllerstest.Update(ctx, cluster, v, func(v *hipaav1.Vendor) { v.Spec.Agreement.Document = "BAA-18" })
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True InForce"), "another agreement opens calls")
		Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
		phitest.ExpectLawfulConditions(GinkgoT(), v)
	})

	It("does not say that calls get out where nothing decides that", func(ctx context.Context) {
		v := controllerstest.Create(ctx, cluster, agreed("ungated", 365*24*time.Hour))
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True InForce"))
		Expect(cluster.Admin.Delete(ctx, controllerstest.EgressService())).To(Succeed())
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("Unknown EgressMissing"))
		Expect(cluster.Condition(ctx, v, hipaav1.ConditionAgreementInForce)()).To(Equal("True InForce"))
		phitest.ExpectLawfulConditions(GinkgoT(), v)
		controllerstest.Create(ctx, cluster, controllerstest.EgressService())
		Eventually(cluster.Condition(ctx, v, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True InForce"))
	})

	It("is closed at its end where that was chosen beforehand, and goes on where it was not", func(ctx context.Context) {
		closes := agreed("closes", 4*time.Second)
		closes.Spec.OnEnd, closes.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityBusiness
		controllerstest.Create(ctx, cluster, closes)
		goesOn := controllerstest.Create(ctx, cluster, agreed("goes-on", 4*time.Second))
		Eventually(cluster.Condition(ctx, closes, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True InForce"))
		Eventually(cluster.Condition(ctx, closes, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("False ClosedAtEnd"))
		Eventually(cluster.Condition(ctx, goesOn, hipaav1.ConditionCallsOpen), patience, interval).Should(Equal("True PastEnd"))
		Eventually(cluster.Events(ctx, closes), patience, interval).Should(ContainElement(hipaav1.ReasonClosedAtEnd))
	})

	DescribeTable("is refused by the API server", func(ctx context.Context, change func(*hipaav1.Vendor), want string) {
		v := agreed("senseless", time.Hour)
		change(v)
		Expect(cluster.Admin.Create(ctx, v)).To(MatchError(ContainSubstring(want)))
	},
		Entry("with an address for a host", func(v *hipaav1.Vendor) { v.Spec.Hosts[0].Name = "192.0.2.7" }, "no exact DNS name"),
		Entry("that would cut patients off by itself", func(v *hipaav1.Vendor) {
			v.Spec.OnEnd, v.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityPatientCare
		}, "closed by people alone"),
		Entry("that would close calls of which nobody says what they are for", func(v *hipaav1.Vendor) { v.Spec.OnEnd = hipaav1.OnEndClose }, "closed by people alone"),
		Entry("with a wildcard", func(v *hipaav1.Vendor) { v.Spec.Hosts[0].Name = "*.vendor.example" }, "no exact DNS name"),
		Entry("with a host of one word", func(v *hipaav1.Vendor) { v.Spec.Hosts[0].Name = "localhost" }, "no exact DNS name"),
		Entry("with a host in capitals", func(v *hipaav1.Vendor) { v.Spec.Hosts[0].Name = "API.vendor.example" }, "no exact DNS name"),
		Entry("with one host twice", func(v *hipaav1.Vendor) { v.Spec.Hosts = append(v.Spec.Hosts, v.Spec.Hosts[0]) }, "Duplicate value"),
		Entry("without a host", func(v *hipaav1.Vendor) { v.Spec.Hosts = nil }, "spec.hosts"),
		Entry("with an agreement that is never in force", func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = v.Spec.Agreement.Effective }, "is not after effective"),
		Entry("with an agreement that is signed after its end", func(v *hipaav1.Vendor) {
			v.Spec.Agreement.Signed = metav1.NewTime(v.Spec.Agreement.Expires.Add(time.Second))
		}, "is after expires"),
		Entry("with a digest of nothing", func(v *hipaav1.Vendor) { v.Spec.Agreement.Digest = "sha256:" }, "spec.agreement.digest"),
		Entry("with a clause that the law does not know", func(v *hipaav1.Vendor) {
			v.Spec.Agreement.Clauses = []hipaav1.AgreementClause{"Indemnity"}
		}, "Unsupported value"),
	)
})
