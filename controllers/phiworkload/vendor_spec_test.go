package phiworkload_test

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

var _ = Describe("A workload that calls a vendor", func() {
	result := func(ctx context.Context, p place) func() hipaav1.ControlResult {
		return func() hipaav1.ControlResult {
			for _, c := range p.status(ctx, "api").Controls {
				if c.ID == "business-associate-agreement" {
					return c
				}
			}
			return hipaav1.ControlResult{}
		}
	}
	verdict := func(ctx context.Context, p place) func() hipaav1.Verdict {
		of := result(ctx, p)
		return func() hipaav1.Verdict { return of().Verdict }
	}
	ending := func(left time.Duration) func(*hipaav1.Vendor) {
		return func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = metav1.NewTime(time.Now().Add(left)) }
	}

	It("fails from the very end of the agreement, and nothing of it is cut", func(ctx context.Context) {
		p := newPlace(ctx, phitest.Profile(""))
		create(ctx, p.workload("api").To(phitest.ToVendor("ends")).Obj())
		Eventually(verdict(ctx, p), patience, interval).Should(Equal(hipaav1.VerdictFail), "nobody declares it")

		vendor := phitest.Vendor("ends").Obj()
		a := vendor.Spec.Agreement
		a.Signed, a.Effective = metav1.NewTime(time.Now().Add(-2*time.Hour)), metav1.NewTime(time.Now().Add(-time.Hour))
		ending(1000 * 24 * time.Hour)(vendor)
		create(ctx, vendor)
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(cluster.Admin.Delete(ctx, vendor))).To(Succeed())
		})
		Eventually(verdict(ctx, p), patience, interval).Should(Equal(hipaav1.VerdictPass))
		Expect(result(ctx, p)().Class).To(Equal(hipaav1.EvidenceAttested))
		Expect(result(ctx, p)().Warning).To(BeEmpty())

		controllerstest.Update(ctx, cluster, vendor, ending(5*time.Second))
		end := vendor.Spec.Agreement.Expires.Truncate(time.Second)
		Eventually(func() string { return result(ctx, p)().Warning }, patience, interval).Should(ContainSubstring("is in force until"))
		before := p.policy(ctx, "hipaa-api").Spec
		Eventually(verdict(ctx, p), patience, interval).Should(Equal(hipaav1.VerdictFail))
		Expect(time.Since(end)).To(BeNumerically("<", 2*time.Second), "nothing but time has passed, and not more than needed")
		Expect(result(ctx, p)().Message).To(ContainSubstring("whose agreement ended on"))
		Expect(p.policy(ctx, "hipaa-api").Spec).To(Equal(before))
		p.lawful(ctx, "api")

		Expect(cluster.Admin.Delete(ctx, vendor)).To(Succeed())
		Eventually(func() string { return result(ctx, p)().Message }, patience, interval).Should(ContainSubstring("which no Vendor declares"))
	})
})
