package admission_test

import (
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// Vendors are the whole cluster's, so that one break after the other is staged here.
var _ = Describe("A violation of what vendors are asked", Ordered, func() {
	var (
		ns     string
		vendor *hipaav1.Vendor
	)
	BeforeAll(func(ctx SpecContext) {
		profile := phitest.Profile("regional").Selecting("residency", "bounded").EncryptedClass(phitest.EncryptedClass).Regions(phitest.Region).Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		ns = namespace(ctx, "enforce")
		relabel(ctx, ns, "residency", "bounded")
		vendor = phitest.Vendor("eprescribe").Obj()
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, vendor))).To(Succeed()) })
	})
	// set makes the one Vendor what a break asks for, or takes it away, and waits until the gate knows.
	set := func(ctx SpecContext, want *hipaav1.Vendor) {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, phitest.Vendor("eprescribe").Obj()))).To(Succeed())
		if want != nil {
			vendor = phitest.Vendor("eprescribe").Obj()
			vendor.Generation, vendor.Spec = 0, want.Spec
			Expect(admin.Create(ctx, vendor)).To(Succeed())
		}
		Eventually(func() bool {
			seen := &hipaav1.Vendor{}
			err := gate.Loader.Cache.Get(ctx, client.ObjectKey{Name: "eprescribe"}, seen)
			if want == nil {
				return client.IgnoreNotFound(err) == nil && err != nil
			}
			return err == nil && seen.UID == vendor.UID && equality.Semantic.DeepEqual(seen.Spec, vendor.Spec)
		}, "30s", "5ms").Should(BeTrue())
	}
	calls := func(classes []hipaav1.DataClass) *hipaav1.PHIWorkload {
		return phitest.Workload("caller").Namespace(ns).DataClasses(classes...).To(phitest.ToVendor("eprescribe")).Obj()
	}
	for _, c := range catalog.All() {
		if !c.AtDeclaration || !c.Needs.Has(control.Vendors) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(c.Breaks)) {
			violation := c.Breaks[name]
			if violation.Reported {
				continue // controllers/phiworkload and the laws have these
			}
			It("of "+c.ID+" is refused: "+name, func(ctx SpecContext) {
				s := controltest.Baseline(violation.Kind)
				set(ctx, s.World.Vendors["eprescribe"])
				tess := as("tess@example.org")
				Eventually(func() error { return tess.Create(ctx, calls(s.Workload.Spec.DataClasses), client.DryRunAll) }, soon, "20ms").Should(Succeed(), "before the break")
				violation.Apply(&s)
				set(ctx, s.World.Vendors["eprescribe"])
				Expect(tess.Create(ctx, calls(s.Workload.Spec.DataClasses), client.DryRunAll)).To(MatchError(ContainSubstring(c.ID)))
			})
		}
	}
})
