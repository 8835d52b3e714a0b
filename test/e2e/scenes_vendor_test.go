package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// vendorScenes stage what is reported of calls to vendors.
var vendorScenes = map[string]scene{
	"calls to vendors and no proxy to make them": {
		callingVendor(func(*phitest.VendorBuilder) {}), hipaav1.VerdictUnknown, "the operator was installed without a proxy, so that nothing says how calls to vendors leave",
	},
	"a subprocessor whose agreement is unknown": {
		callingVendor(func(b *phitest.VendorBuilder) { b.Passes("mail", "") }), hipaav1.VerdictUnknown, "passes data on to its subprocessor 0 under no agreement that is known",
	},
}

// callingVendor is a workload that names a Vendor of its own, because Vendors are the
// whole cluster's.
func callingVendor(change func(*phitest.VendorBuilder)) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		b := phitest.Vendor(namespace).Expires(metav1.NewTime(time.Now().Add(1000 * 24 * time.Hour)))
		change(b)
		vendor := b.Obj()
		begins := metav1.NewTime(time.Now().Add(-time.Hour))
		vendor.Spec.Agreement.Signed, vendor.Spec.Agreement.Effective = begins, begins
		Expect(admin.Create(ctx, vendor)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, vendor))).To(Succeed()) })
		return later(namespace, phitest.Workload("api").Namespace(namespace).To(phitest.ToVendor(vendor.Name)).Obj())
	}
}
