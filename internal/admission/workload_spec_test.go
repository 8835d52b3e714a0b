package admission_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A PHIWorkload that calls a vendor", func() {
	const refuses = "business-associate-agreement"
	var ns string
	var vendor *hipaav1.Vendor
	calls := func(name string, vendors ...string) *hipaav1.PHIWorkload {
		b := phitest.Workload(name).Namespace(ns)
		for _, v := range vendors {
			b.To(phitest.ToVendor(v))
		}
		return b.Obj()
	}
	// becomes changes the vendor, and waits until the gate's cache knows of it.
	becomes := func(ctx SpecContext, change func(*hipaav1.Vendor)) {
		change(vendor)
		Expect(admin.Update(ctx, vendor)).To(Succeed())
		Eventually(func() (int64, error) {
			seen := &hipaav1.Vendor{}
			err := gate.Loader.Cache.Get(ctx, client.ObjectKeyFromObject(vendor), seen)
			return seen.Generation, err
		}, "30s", "5ms").Should(Equal(vendor.Generation))
	}
	BeforeEach(func(ctx SpecContext) {
		ns = namespace(ctx, "enforce")
		vendor = phitest.Vendor("agreed").Receives(hipaav1.DataClassClinical).Obj()
		a := vendor.Spec.Agreement
		a.Signed, a.Effective = metav1.NewTime(time.Now().Add(-2*time.Hour)), metav1.NewTime(time.Now().Add(-time.Hour))
		a.Expires = metav1.NewTime(time.Now().Add(1000 * time.Hour))
		Expect(admin.Create(ctx, vendor)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, vendor))).To(Succeed()) })
		becomes(ctx, func(*hipaav1.Vendor) {})
	})

	It("is let in where the agreement covers it, and refused with what to do where it does not", func(ctx SpecContext) {
		tess := as("tess@example.org")
		Expect(tess.Create(ctx, calls("covered", "agreed"))).To(Succeed())
		Expect(tess.Create(ctx, calls("undeclared", "nobody"))).To(MatchError(And(
			ContainSubstring(refuses), ContainSubstring(`spec.egress.to[0].vendor is "nobody", which no Vendor declares`), ContainSubstring("ask the privacy officer"))))
		genetic := calls("genetic", "agreed")
		genetic.Spec.DataClasses = []hipaav1.DataClass{hipaav1.DataClassGenetic}
		Expect(tess.Create(ctx, genetic)).To(MatchError(ContainSubstring("may not receive Genetic")))
		becomes(ctx, func(v *hipaav1.Vendor) { v.Spec.Agreement = nil })
		Expect(tess.Create(ctx, calls("late", "agreed"))).To(MatchError(ContainSubstring("with which there is no agreement")))
		Expect(tess.Create(ctx, calls("quiet"))).To(Succeed(), "nothing flows")
	})

	It("keeps a flow whose agreement has ended, and gets no new one", func(ctx SpecContext) {
		tess := as("tess@example.org")
		w := calls("standing", "agreed")
		Expect(tess.Create(ctx, w)).To(Succeed())
		becomes(ctx, func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = metav1.NewTime(time.Now().Add(-time.Second)) })
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"egress":{"to":[{"kubernetesAPI":{}},{"vendor":{"name":"agreed"}}]}}}`))).To(Succeed(), "it stood before, in another place")
		Expect(tess.warned.texts).To(ContainElement(ContainSubstring("whose agreement ended on")), "and whoever touches it hears of it")
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"egress":{"to":[{"vendor":{"name":"agreed"}},{"vendor":{"name":"nobody"}}]}}}`))).To(MatchError(ContainSubstring(`is "nobody"`)))
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"owner":{"team":"others"}}}`))).To(Succeed())
		Expect(tess.Create(ctx, calls("new", "agreed"))).To(MatchError(ContainSubstring("whose agreement ended on")))
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"egress":{"to":[]}}}`))).To(Succeed())
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"egress":{"to":[{"vendor":{"name":"agreed"}}]}}}`))).To(MatchError(ContainSubstring(refuses)), "what was taken away is new")
	})

	It("handles no further data past the agreement", func(ctx SpecContext) {
		tess := as("tess@example.org")
		w := calls("grows", "agreed")
		Expect(tess.Create(ctx, w)).To(Succeed())
		Expect(tess.Patch(ctx, w, merge(`{"spec":{"dataClasses":["Clinical","HIV"]}}`))).To(MatchError(ContainSubstring("may not receive HIV")))
	})

	It("is only warned of where nothing is enforced", func(ctx SpecContext) {
		ns = namespace(ctx, "warn")
		tess := as("tess@example.org")
		Expect(tess.Create(ctx, calls("warned", "nobody"))).To(Succeed())
		Expect(tess.warned.texts).To(ContainElement(ContainSubstring("which no Vendor declares")))
	})
})
