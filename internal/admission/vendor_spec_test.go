package admission_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
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

	It("has its calls closed by two people together, each in their own name", func(ctx SpecContext) {
		const ana, ben, mallory, robot = "ana@example.org", "ben@example.org", "mallory@example.org", "system:serviceaccount:argocd:argocd"
		decide := rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"vendors", "vendors/status"}, Verbs: []string{"get", "patch", "approve"}}
		allow(ctx, ana, decide)
		allow(ctx, ben, decide)
		allow(ctx, robot, decide)
		allow(ctx, mallory, decide, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{ana}, Verbs: []string{"impersonate"}})
		digest, err := vendor.Spec.Agreement.Fingerprint()
		Expect(err).NotTo(HaveOccurred())
		Expect(as(manager).Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"observedGeneration":1,"agreementDigest":"`+digest+`"}}`))).To(Succeed())
		say := func(user, part, person, digest string) error {
			return as(user).Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"closure":{"`+part+`":{"person":"`+person+`","agreementDigest":"`+digest+`"}}}}`))
		}
		refusedFor := func(why string) OmegaMatcher { return MatchError(ContainSubstring(why)) }
		Expect(say(writer, "proposal", writer, digest)).To(refusedFor(`needs the verb "approve" on vendors`))
		Eventually(func() error { return say(ana, "proposal", ben, digest) }).Should(refusedFor("set person to your own user name"))
		Expect(say(ana, "proposal", ana, strings.Replace(digest, digest[7:9], "zz", 1))).To(refusedFor("about the agreement that stands"))
		Eventually(func() error { return say(robot, "proposal", robot, digest) }).Should(refusedFor("not by a ServiceAccount"))
		Expect(say(ana, "proposal", ana, digest)).To(Succeed())
		Expect(say(ana, "approval", ana, digest)).To(refusedFor("somebody else must decide as well"))
		Expect(say(ana, "approval", ben, digest)).To(refusedFor("set person to your own user name"))
		Eventually(func() error { return say(mallory, "approval", mallory, digest) }).Should(refusedFor("one person could play both parts"))
		Expect(as(ben).Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"agreementDigest":"`+digest[:70]+`z"}}`))).To(refusedFor("people write nothing there but status.closure"))
		Eventually(func() error { return say(ben, "approval", ben, digest) }).Should(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(vendor), vendor)).To(Succeed())
		Expect(agreement.IsClosed(vendor)).To(BeTrue())
		Expect(as(writer).Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"closure":null}}`))).To(refusedFor(`needs the verb "approve"`))
		Expect(as(ana).Status().Patch(ctx, vendor.DeepCopy(), merge(`{"status":{"closure":{"proposal":null}}}`))).To(Succeed(), "who decided may take it back")
	})
})
