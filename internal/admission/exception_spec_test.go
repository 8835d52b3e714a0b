package admission_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("An exception", func() {
	var (
		exception         *hipaav1.ControlException
		requester, anna   *person
		ns                string
		approve, withdraw client.Patch
	)
	merge := func(text string) client.Patch { return client.RawPatch("application/merge-patch+json", []byte(text)) }
	state := func(ctx SpecContext) engine.ExceptionState {
		GinkgoHelper()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(exception), exception)).To(Succeed())
		return engine.StateOf(exception, time.Now())
	}
	BeforeEach(func(ctx SpecContext) {
		requester, anna = as("rob@example.org", "approvers"), as("anna@example.org", "approvers")
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		exception = phitest.Exception("legacy", "patient-api", "pod-hardening").Namespace(ns).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(requester.Create(ctx, exception)).To(Succeed())
		approve = merge(`{"status":{"approval":{"decision":"Approved","specDigest":null}}}`)
		withdraw = merge(`{"status":{"approval":null}}`)
	})

	It("has its requester on record, whoever pretends otherwise", func(ctx SpecContext) {
		Expect(exception.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "rob@example.org"))
		forged := phitest.Exception("forged", "patient-api", "pod-hardening").Namespace(ns).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		forged.Annotations = map[string]string{hipaav1.AnnotationRequestedBy: "anna@example.org"}
		Expect(requester.Create(ctx, forged)).To(Succeed())
		Expect(forged.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "rob@example.org"))
		Expect(requester.Patch(ctx, forged, merge(`{"metadata":{"annotations":{"hipaa-operator.io/requested-by":"anna@example.org","note":"x"}}}`))).To(Succeed())
		Expect(forged.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "rob@example.org"))
		Expect(forged.Annotations).To(HaveKeyWithValue("note", "x"))
	})

	It("counts once somebody else with the right has approved it", func(ctx SpecContext) {
		Expect(state(ctx)).To(Equal(engine.ExceptionPending))
		Expect(anna.Status().Patch(ctx, exception, approve)).To(Succeed())
		approval := exception.Status.Approval
		Expect(approval.Approver).To(Equal("anna@example.org"))
		Expect(approval.Time.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
		Eventually(func() error {
			return as("tess@example.org").Create(ctx, phitest.Pod("patient-api").Namespace(ns).Unhardened().Obj(), client.DryRunAll)
		}).Should(Succeed())
	})

	DescribeTable("is not approved by",
		func(ctx SpecContext, config func() *rest.Config, want string) {
			Expect(personWith(config()).Status().Patch(ctx, exception, approve)).To(MatchError(ContainSubstring(want)))
			Expect(state(ctx)).To(Equal(engine.ExceptionPending))
		},
		Entry("its requester", impersonating("rob@example.org", "approvers"), "somebody else must"),
		Entry("a ServiceAccount", impersonating("system:serviceaccount:argocd:argocd-controller", "approvers"), "not by a ServiceAccount"),
		Entry("the operator", impersonating(manager, "approvers"), "not by a ServiceAccount"),
		Entry("a component of the cluster", impersonating("system:kube-controller-manager", "approvers"), "a component of the cluster"),
		Entry("a member of system:masters", impersonating("carl@example.org", "approvers", "system:masters"), "system:masters"),
		Entry("the holder of a client certificate", func() *rest.Config {
			user, err := server.AddUser(envtestUser("dora@example.org", "tenants", "approvers"), nil)
			Expect(err).NotTo(HaveOccurred())
			return user.Config()
		}, "client certificate"),
		Entry("a user without the verb", impersonating("eve@example.org"), `the verb "approve" on controlexceptions`),
	)

	It("loses its approval with any change of its content", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, approve)).To(Succeed())
		Expect(as("tess@example.org").Patch(ctx, exception, merge(`{"spec":{"reason":"another reason, longer than before"}}`))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionVoid))
		Expect(exception.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "tess@example.org"))
		Expect(requester.Status().Patch(ctx, exception, approve)).To(Succeed(), "now tess wrote it, and rob may decide")
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	It("is not approved unread", func(ctx SpecContext) {
		read, err := exception.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		Expect(requester.Patch(ctx, exception, merge(`{"spec":{"reason":"something that anna has not seen"}}`))).To(Succeed())
		Expect(anna.Status().Patch(ctx, exception, merge(`{"status":{"approval":{"decision":"Approved","specDigest":"`+read+`"}}}`))).To(
			MatchError(ContainSubstring("the decision is about another content")))
		smuggled := exception.DeepCopy()
		smuggled.Spec.ControlID = "volume-encryption"
		smuggled.Status.Approval = &hipaav1.Approval{Decision: hipaav1.DecisionApproved}
		Expect(anna.Status().Update(ctx, smuggled)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce), "the digest is that of what is stored")
		Expect(exception.Spec.ControlID).To(Equal("pod-hardening"))
	})

	It("is not approved in somebody else's name", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, merge(
			`{"status":{"approval":{"decision":"Approved","approver":"boss@example.org","time":"2020-01-01T00:00:00Z"}}}`))).To(Succeed())
		Expect(exception.Status.Approval.Approver).To(Equal("anna@example.org"))
		Expect(exception.Status.Approval.Time.Time).To(BeTemporally("~", time.Now(), time.Minute))
	})

	It("keeps its decision until somebody decides who may", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, merge(`{"status":{"approval":{"decision":"Denied"}}}`))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionDenied))
		Expect(requester.Status().Patch(ctx, exception, withdraw)).To(MatchError(ContainSubstring("somebody else must")))
		Expect(as("eve@example.org").Status().Patch(ctx, exception, withdraw)).To(MatchError(ContainSubstring("approve")))
		Expect(anna.Status().Patch(ctx, exception, withdraw)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionPending))
	})

	It("says otherwise only what the operator found", func(ctx SpecContext) {
		found := merge(`{"status":{"observedGeneration":7}}`)
		Expect(anna.Status().Patch(ctx, exception, found)).To(MatchError(ContainSubstring("people write the approval only")))
		Expect(anna.Status().Patch(ctx, exception, approve)).To(Succeed())
		Expect(as(manager).Status().Patch(ctx, exception, found)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	It("is stamped where no PHI was declared yet, too", func(ctx SpecContext) {
		early := phitest.Exception("early", "patient-api", "pod-hardening").Namespace(namespaceWithoutPHI(ctx)).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(requester.Create(ctx, early)).To(Succeed())
		Expect(early.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "rob@example.org"))
		Expect(requester.Status().Patch(ctx, early, approve)).To(MatchError(ContainSubstring("somebody else must")))
	})
})
