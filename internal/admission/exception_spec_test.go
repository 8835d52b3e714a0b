package admission_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func merge(text string) client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(text))
}

// decide is a decision on what somebody has read.
func decide(decision hipaav1.Decision, read *hipaav1.ControlException) client.Patch {
	GinkgoHelper()
	digest, err := read.Spec.Digest()
	Expect(err).NotTo(HaveOccurred())
	return merge(fmt.Sprintf(`{"status":{"approval":{"decision":%q,"specDigest":%q}}}`, decision, digest))
}

func approve(read *hipaav1.ControlException) client.Patch {
	return decide(hipaav1.DecisionApproved, read)
}

var _ = Describe("An exception", func() {
	var (
		exception       *hipaav1.ControlException
		workload        *hipaav1.PHIWorkload
		requester, anna *person
		ns              string
		withdraw        client.Patch
	)
	state := func(ctx SpecContext) engine.ExceptionState {
		GinkgoHelper()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(exception), exception)).To(Succeed())
		return engine.StateOf(exception, workload.UID, time.Now())
	}
	BeforeEach(func(ctx SpecContext) {
		requester, anna = as("rob@example.org", "approvers"), officer("anna@example.org")
		ns = namespace(ctx, "enforce")
		workload = declare(ctx, ns, "patient-api")
		exception = phitest.Exception("legacy", "patient-api", "pod-hardening").Namespace(ns).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(requester.Create(ctx, exception)).To(Succeed())
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
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		approval := exception.Status.Approval
		Expect(approval.Approver).To(Equal("anna@example.org"))
		Expect(approval.WorkloadUID).To(BeEquivalentTo(workload.UID))
		Expect(approval.Time.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
		Eventually(func() error {
			return as("tess@example.org").Create(ctx, phitest.Pod("patient-api").Namespace(ns).Unhardened().Obj(), client.DryRunAll)
		}).Should(Succeed())
	})

	DescribeTable("is not approved by",
		func(ctx SpecContext, config func() *rest.Config, want string) {
			Expect(personWith(config()).Status().Patch(ctx, exception, approve(exception))).To(MatchError(ContainSubstring(want)))
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
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(as("tess@example.org").Patch(ctx, exception, merge(`{"spec":{"reason":"another reason, longer than before"}}`))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionVoid))
		Expect(exception.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "tess@example.org"))
		Expect(requester.Status().Patch(ctx, exception, approve(exception))).To(Succeed(), "now tess wrote it, and rob may decide")
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	It("stays without its approval when its content is changed back", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(exception.Status.Approval.Generation).To(Equal(exception.Generation))
		read, reason := exception.DeepCopy(), exception.Spec.Reason
		Expect(requester.Patch(ctx, exception, merge(`{"spec":{"reason":"another reason, longer than before"}}`))).To(Succeed())
		Expect(requester.Patch(ctx, exception, merge(`{"spec":{"reason":"`+reason+`"}}`))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionVoid))
		Expect(requester.Patch(ctx, exception, merge(`{"metadata":{"generation":`+fmt.Sprint(read.Generation)+`}}`))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionVoid), "nobody writes a generation")
		forged := merge(fmt.Sprintf(`{"status":{"approval":{"generation":%d}}}`, exception.Generation))
		Expect(requester.Status().Patch(ctx, exception, forged)).To(MatchError(ContainSubstring("somebody else must")))
		Expect(anna.Status().Patch(ctx, exception, withdraw)).To(Succeed())
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	It("asks for what can count, and what stands there already is left alone", func(ctx SpecContext) {
		ask := func(control string, left time.Duration) *hipaav1.ControlException {
			x := phitest.Exception("asked", "patient-api", control).Namespace(ns).Expires(metav1.NewTime(time.Now().Add(left))).Obj()
			x.GetObjectKind().SetGroupVersionKind(hipaav1.GroupVersion.WithKind("ControlException"))
			return x
		}
		Expect(requester.Create(ctx, ask("pod-hardenning", time.Hour))).To(MatchError(And(
			ContainSubstring(`spec.controlID: "pod-hardenning" is no control`), ContainSubstring("write one of:"), ContainSubstring(", pod-hardening,"))))
		Expect(requester.Create(ctx, ask("pod-hardening", -time.Minute))).To(MatchError(And(
			ContainSubstring("spec.expires: "), ContainSubstring("has passed; write an instant that is to come"))))

		short := ask("pod-hardening", 2*time.Second)
		manifest := short.DeepCopy()
		apply := func() error {
			return requester.Patch(ctx, manifest.DeepCopy(), client.Apply, client.FieldOwner("pipeline")) //nolint:staticcheck // the form that takes a typed object
		}
		Expect(apply()).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(short), short)).To(Succeed())
		Eventually(func() time.Duration { return time.Until(short.Spec.Expires.Time) }, "10s").Should(BeNumerically("<", 0))
		Expect(apply()).To(Succeed(), "a pipeline applies what stands in Git")
		Expect(requester.Patch(ctx, short, merge(`{"metadata":{"labels":{"seen":"true"},"finalizers":["example.org/archive"]}}`))).To(Succeed())
		Expect(as(manager).Status().Patch(ctx, short, merge(`{"status":{"observedGeneration":1}}`))).To(Succeed())
		Expect(requester.Patch(ctx, short, merge(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		Expect(requester.Patch(ctx, short, merge(`{"spec":{"reason":"another reason, longer than before"}}`))).To(MatchError(ContainSubstring("spec.expires: ")))
		later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		Expect(requester.Patch(ctx, short, merge(`{"spec":{"expires":"`+later+`"}}`))).To(Succeed())
	})

	It("ends within what the profiles allow, by the API server's clock", func(ctx SpecContext) {
		allowed := hipaav1.DefaultExceptionLength
		long := phitest.Exception("long", "patient-api", "pod-hardening").Namespace(ns).Expires(metav1.NewTime(time.Now().Add(allowed + time.Minute))).Obj()
		Expect(requester.Create(ctx, long)).To(MatchError(And(
			ContainSubstring("spec.expires: "), ContainSubstring("spec.exceptions.maximumLength"), ContainSubstring("write no later than "), ContainSubstring("by another exception"))))

		profile := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).OnlyExceptions(24 * time.Hour).Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		ask := func(left time.Duration) error {
			x := phitest.Exception("asked", "patient-api", "pod-hardening").Namespace(ns).Expires(metav1.NewTime(time.Now().Add(left))).Obj()
			return requester.Create(ctx, x, client.DryRunAll)
		}
		Eventually(func() error { return ask(25 * time.Hour) }).Should(MatchError(ContainSubstring("allows 24h0m0s from the creation")))
		Expect(ask(23 * time.Hour)).To(Succeed())
		forged := merge(`{"metadata":{"creationTimestamp":"` + time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339) + `"},"spec":{"expires":"` + time.Now().Add(49*time.Hour).UTC().Format(time.RFC3339) + `"}}`)
		Expect(requester.Patch(ctx, exception, forged)).To(MatchError(ContainSubstring("allows 24h0m0s from the creation")), "nobody writes a creation")
		Expect(requester.Patch(ctx, exception, merge(`{"metadata":{"labels":{"seen":"true"}}}`))).To(Succeed())
	})

	It("counts no more where a profile has become stricter, and again when it is as before", func(ctx SpecContext) {
		Expect(requester.Patch(ctx, exception, merge(`{"spec":{"expires":"`+time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339)+`"}}`))).To(Succeed())
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		pod := func() error {
			return as("tess@example.org").Create(ctx, phitest.Pod("patient-api").Namespace(ns).Unhardened().Obj(), client.DryRunAll)
		}
		Eventually(pod).Should(Succeed())
		profile := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).OnlyExceptions(24 * time.Hour).Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		Eventually(pod).Should(MatchError(ContainSubstring("pod-hardening")))
		Expect(admin.Delete(ctx, profile)).To(Succeed())
		Eventually(pod).Should(Succeed())
	})

	It("is not taken from a control that a profile names, nor counted", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		pod := func() error {
			return as("tess@example.org").Create(ctx, phitest.Pod("patient-api").Namespace(ns).Unhardened().Obj(), client.DryRunAll)
		}
		Eventually(pod).Should(Succeed())
		profile := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).OnlyExceptions(24 * time.Hour).NoExceptions("pod-hardening").Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, profile))).To(Succeed()) })
		Eventually(pod).Should(MatchError(ContainSubstring("pod-hardening")), "what was approved before does not count")
		another := func(control string) error {
			x := phitest.Exception("another", "patient-api", control).Namespace(ns).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
			return requester.Create(ctx, x, client.DryRunAll)
		}
		Expect(another("pod-hardening")).To(MatchError(ContainSubstring("spec.controlID: pod-hardening takes no exception here: spec.exceptions.neverFor of ComplianceProfile " +
			ns + " names it; bring the workload in order, or ask those who may change that profile")))
		Expect(another("privileged-access")).To(Succeed(), "nobody has named it")
		Expect(admin.Delete(ctx, profile)).To(Succeed())
		Eventually(pod).Should(Succeed())
	})

	It("takes no profile that muddles what it takes no exception from", func(ctx SpecContext) {
		create := func(b *phitest.ProfileBuilder) error {
			return admin.Create(ctx, b.OnlyByName().Obj(), client.DryRunAll)
		}
		Expect(create(phitest.Profile("muddled").Control("pod-hardening", hipaav1.ModeOff).NoExceptions("volume-encryption", "pod-hardening"))).To(
			MatchError(ContainSubstring("names a control that this profile sets to Off")))
		Expect(create(phitest.Profile("misspelt").NoExceptions("Pod Hardening"))).To(MatchError(ContainSubstring("is not the ID of a control")))
		Expect(create(phitest.Profile("clear").Control("pod-hardening", hipaav1.ModeWarn).NoExceptions("pod-hardening"))).To(Succeed())
	})

	It("brings the record that an addressable specification asks for", func(ctx SpecContext) {
		ask := func(control string) *phitest.ExceptionBuilder {
			return phitest.Exception("asked", "patient-api", control).Namespace(ns).Expires(metav1.NewTime(time.Now().Add(time.Hour)))
		}
		Expect(requester.Create(ctx, ask("volume-encryption").Unrecorded().Obj())).To(MatchError(And(
			ContainSubstring("spec.record: volume-encryption stands for an addressable specification (45 CFR 164.312(a)(2)(iv))"), ContainSubstring("164.306(d)(3)"))))
		Expect(requester.Create(ctx, ask("ephemeral-storage").Unrecorded().Obj())).To(MatchError(ContainSubstring("(45 CFR 164.312(a)(2)(iv))")), "one of each")
		Expect(requester.Create(ctx, ask("pod-hardening").Unrecorded().Obj(), client.DryRunAll)).To(Succeed(), "no addressable one")
		Expect(requester.Create(ctx, ask("volume-encryption").Obj())).To(Succeed())
		thin := ask("volume-encryption").Obj()
		thin.Spec.Record.EquivalentMeasure = "none"
		Expect(requester.Create(ctx, thin)).To(MatchError(ContainSubstring("spec.record.equivalentMeasure")))
	})

	It("is what a profile needs as well that takes an addressable specification away", func(ctx SpecContext) {
		profile := phitest.Profile(ns).OnlyByName().Control("volume-encryption", hipaav1.ModeOff).Control("pod-hardening", hipaav1.ModeOff).Obj()
		recorded := profile.DeepCopy()
		for i := range profile.Spec.Controls {
			profile.Spec.Controls[i].Record = nil
		}
		Expect(admin.Create(ctx, profile.DeepCopy())).To(MatchError(And(
			ContainSubstring("spec.controls[0].record: volume-encryption stands for an addressable specification"), Not(ContainSubstring("controls[1]")))))
		Expect(admin.Create(ctx, recorded)).To(Succeed())
		Expect(admin.Patch(ctx, recorded, merge(`{"spec":{"controls":[{"id":"volume-encryption","mode":"Off","reason":"a reason that is long enough"}]}}`))).To(
			MatchError(ContainSubstring("spec.controls[0].record")))
		Expect(admin.Patch(ctx, recorded, merge(`{"spec":{"controls":[{"id":"volume-encryption","mode":"Audit"}]}}`))).To(Succeed())
	})

	It("says how often it was used, by whatever replica, and nobody else writes that", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		tess, lax := as("tess@example.org"), func() *phitest.PodBuilder { return phitest.Pod("patient-api").Namespace(ns).Unhardened() }
		Eventually(func() error { return tess.Create(ctx, lax().Obj(), client.DryRunAll) }).Should(Succeed())
		writeUses(ctx)
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
		Expect(exception.Status.Uses).To(BeNil(), "nothing comes of a dry run")
		Expect(tess.Create(ctx, lax().With(func(p *corev1.Pod) {
			p.Spec.HostNetwork, p.Spec.Volumes = false, []corev1.Volume{{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		}).Obj())).
			NotTo(Succeed(), "refused for something else")
		Expect(tess.Create(ctx, lax().Obj())).To(Succeed())
		Expect(tess.Create(ctx, lax().With(func(p *corev1.Pod) { p.Name = "patient-api-2" }).Obj())).To(Succeed())
		writeUses(ctx)
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce), "the approval stands")
		Expect(exception.Status.Uses).To(HaveValue(HaveField("Count", BeEquivalentTo(2))))
		Expect(exception.Status.Uses.Last.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(as(manager).Status().Patch(ctx, exception, client.RawPatch(types.ApplyPatchType, []byte(`{"apiVersion":"hipaa-operator.io/v1alpha1","kind":"ControlException","status":{"observedGeneration":1}}`)),
			client.FieldOwner(hipaav1.FieldOwner), client.ForceOwnership)).To(Succeed())
		Expect(exception.Status.Uses).NotTo(BeNil(), "the controller's status leaves it alone")
		Expect(anna.Status().Patch(ctx, exception, merge(`{"status":{"uses":null}}`))).To(MatchError(ContainSubstring("people write the approval only")))
	})

	It("is not approved unread", func(ctx SpecContext) {
		for _, unread := range []string{`{"decision":"Approved"}`, `{"decision":"Approved","specDigest":null}`, `{"decision":"Denied"}`} {
			Expect(anna.Status().Patch(ctx, exception, merge(`{"status":{"approval":`+unread+`}}`))).To(
				MatchError(ContainSubstring("a decision says what was read")))
		}
		read := exception.DeepCopy()
		Expect(requester.Patch(ctx, exception, merge(`{"spec":{"reason":"something that anna has not seen"}}`))).To(Succeed())
		Expect(anna.Status().Patch(ctx, exception, approve(read))).To(MatchError(ContainSubstring("the decision is about another content")))
		smuggled := exception.DeepCopy()
		smuggled.Spec.ControlID = "volume-encryption"
		digest, err := smuggled.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		smuggled.Status.Approval = &hipaav1.Approval{Decision: hipaav1.DecisionApproved, SpecDigest: digest}
		Expect(anna.Status().Update(ctx, smuggled)).To(MatchError(ContainSubstring("the decision is about another content")))
		smuggled.Status.Approval.SpecDigest, err = exception.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		Expect(anna.Status().Update(ctx, smuggled)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce), "what counts is what is stored")
		Expect(exception.Spec.ControlID).To(Equal("pod-hardening"))
	})

	It("is not approved in somebody else's name", func(ctx SpecContext) {
		forged := exception.DeepCopy()
		digest, err := exception.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		long := metav1.NewTime(time.Now().Add(-1000 * time.Hour))
		forged.Status.Approval = &hipaav1.Approval{
			Decision: hipaav1.DecisionApproved, SpecDigest: digest, Approver: "boss@example.org", Time: &long, WorkloadUID: "another",
		}
		Expect(anna.Status().Patch(ctx, forged, client.MergeFrom(exception))).To(Succeed())
		exception = forged
		Expect(exception.Status.Approval.Approver).To(Equal("anna@example.org"))
		Expect(exception.Status.Approval.Time.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(exception.Status.Approval.WorkloadUID).To(BeEquivalentTo(workload.UID))
	})

	It("is decided for a workload, not for a name", func(ctx SpecContext) {
		early := phitest.Exception("early", "later", "pod-hardening").Namespace(ns).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(requester.Create(ctx, early)).To(Succeed())
		Expect(anna.Status().Patch(ctx, early, approve(early))).To(MatchError(ContainSubstring(`PHIWorkload "later" does not exist`)))
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(admin.Delete(ctx, workload)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(workload), &hipaav1.PHIWorkload{}) }).ShouldNot(Succeed())
		workload = declare(ctx, ns, "patient-api")
		Expect(state(ctx)).To(Equal(engine.ExceptionVoid))
		Eventually(func() error {
			return as("tess@example.org").Create(ctx, phitest.Pod("patient-api").Namespace(ns).Unhardened().Obj(), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("pod-hardening")))
		Expect(anna.Status().Patch(ctx, exception, withdraw)).To(Succeed())
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	DescribeTable("is not approved by one who may act as its requester",
		func(ctx SpecContext, asks string, rules ...rbacv1.PolicyRule) {
			asked := phitest.Exception("puppet", "patient-api", "pod-hardening").Namespace(ns).
				Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
			Expect(as(asks).Create(ctx, asked)).To(Succeed())
			role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "puppeteer-"}, Rules: rules}
			Expect(admin.Create(ctx, role)).To(Succeed())
			Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: role.Name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role.Name}},
			})).To(Succeed())
			puppeteer := officer(role.Name)
			Eventually(func() error {
				return puppeteer.Status().Patch(ctx, asked.DeepCopy(), approve(asked), client.DryRunAll)
			}).Should(MatchError(ContainSubstring("one person could play both parts")))
			Expect(anna.Status().Patch(ctx, asked, approve(asked))).To(Succeed(), "anna may not")
		},
		Entry("impersonating users", "rob@example.org",
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}}),
		Entry("impersonating this user, constrained", "rob@example.org",
			rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"users"}, ResourceNames: []string{"rob@example.org"}, Verbs: []string{"impersonate:user-info"}}),
		Entry("impersonating ServiceAccounts", "system:serviceaccount:argocd:deployer",
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}}),
		Entry("impersonating ServiceAccounts, constrained", "system:serviceaccount:argocd:deployer",
			rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate:serviceaccount"}}),
		Entry("making its tokens", "system:serviceaccount:argocd:deployer",
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}}),
		Entry("by every right there is", "system:serviceaccount:argocd:deployer",
			rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}),
	)

	It("is requested by a pipeline and approved by a person", func(ctx SpecContext) {
		asked := phitest.Exception("gitops", "patient-api", "pod-hardening").Namespace(ns).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(as("system:serviceaccount:argocd:deployer").Create(ctx, asked)).To(Succeed())
		Expect(anna.Status().Patch(ctx, asked, approve(asked))).To(Succeed())
		Expect(engine.StateOf(asked, workload.UID, time.Now())).To(Equal(engine.ExceptionInForce))
	})

	It("keeps its decision until somebody decides who may", func(ctx SpecContext) {
		Expect(anna.Status().Patch(ctx, exception, decide(hipaav1.DecisionDenied, exception))).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionDenied))
		Expect(requester.Status().Patch(ctx, exception, withdraw)).To(MatchError(ContainSubstring("somebody else must")))
		Expect(as("eve@example.org").Status().Patch(ctx, exception, withdraw)).To(MatchError(ContainSubstring("approve")))
		Expect(anna.Status().Patch(ctx, exception, withdraw)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionPending))
	})

	It("says otherwise only what the operator found", func(ctx SpecContext) {
		found := merge(`{"status":{"observedGeneration":7}}`)
		Expect(anna.Status().Patch(ctx, exception, found)).To(MatchError(ContainSubstring("people write the approval only")))
		Expect(anna.Status().Patch(ctx, exception, merge(`{"status":{"specDigest":"sha256:00"}}`))).To(MatchError(ContainSubstring("people write the approval only")))
		Expect(anna.Status().Patch(ctx, exception, approve(exception))).To(Succeed())
		Expect(as(manager).Status().Patch(ctx, exception, found)).To(Succeed())
		Expect(state(ctx)).To(Equal(engine.ExceptionInForce))
	})

	It("is stamped where no PHI was declared yet, too", func(ctx SpecContext) {
		early := phitest.Exception("early", "patient-api", "pod-hardening").Namespace(namespaceWithoutPHI(ctx)).
			Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(requester.Create(ctx, early)).To(Succeed())
		Expect(early.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationRequestedBy, "rob@example.org"))
		Expect(requester.Status().Patch(ctx, early, approve(early))).To(MatchError(ContainSubstring("somebody else must")))
	})
})
