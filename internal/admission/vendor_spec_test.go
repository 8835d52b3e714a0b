package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A Vendor", func() {
	const writer, officer = "wilma@example.org", "priya@example.org"
	vendors := func(verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"vendors", "vendors/status"}, Verbs: verbs}
	}
	needsTheVerb := MatchError(ContainSubstring(`takes the verb "weaken" on vendors.hipaa-operator.io`))
	var vendor *hipaav1.Vendor
	BeforeEach(func(ctx SpecContext) {
		allow(ctx, writer, vendors("get", "list", "create", "update", "patch", "delete", "deletecollection"))
		allow(ctx, officer, vendors("get", "list", "create", "update", "patch", "delete", "weaken"))
		vendor = phitest.Vendor("guarded").Obj()
		Eventually(func() error { return as(officer).Create(ctx, vendor.DeepCopy()) }).Should(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, vendor))).To(Succeed()) })
	})

	It("is not weakened by whoever may write Vendors, by no way", func(ctx SpecContext) {
		wilma := as(writer)
		Eventually(func() error { return wilma.Get(ctx, client.ObjectKeyFromObject(vendor), vendor.DeepCopy()) }).Should(Succeed())
		for name, change := range map[string]string{
			"another host":     `{"spec":{"hosts":[{"name":"drop.example.org","port":443}]}}`,
			"more data":        `{"spec":{"receives":["Genetic"]}}`,
			"another region":   `{"spec":{"regions":["elsewhere-1"]}}`,
			"a later end":      `{"spec":{"agreement":{"expires":"2099-01-01T00:00:00Z"}}}`,
			"another document": `{"spec":{"agreement":{"document":"BAA-18"}}}`,
		} {
			Expect(wilma.Patch(ctx, vendor.DeepCopy(), merge(change))).To(needsTheVerb, name)
		}
		Expect(wilma.Delete(ctx, vendor.DeepCopy())).To(needsTheVerb)
		Expect(wilma.DeleteAllOf(ctx, &hipaav1.Vendor{}, client.MatchingFields{"metadata.name": vendor.Name})).To(needsTheVerb)
		Expect(wilma.Create(ctx, phitest.Vendor("friendly").Obj())).To(needsTheVerb)
		Expect(wilma.Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"observedGeneration":1}}`))).To(MatchError(ContainSubstring("written by hipaa-operator alone")))
		Expect(wilma.Patch(ctx, vendor.DeepCopy(), merge(`{"metadata":{"labels":{"team":"clinical"}}}`))).To(Succeed(), "labels decide nothing")
	})

	It("is changed by the privacy officer, and its status by the operator", func(ctx SpecContext) {
		priya := as(officer)
		Expect(priya.Patch(ctx, vendor, merge(`{"spec":{"agreement":{"expires":"2099-01-01T00:00:00Z"}}}`))).To(Succeed())
		Expect(as(manager).Status().Patch(ctx, vendor, merge(`{"status":{"observedGeneration":1}}`))).To(Succeed())
		Expect(priya.Delete(ctx, vendor)).To(Succeed())
	})
})
