package admission_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// pauseFor is a patch that pauses a profile.
func pauseFor(d time.Duration, reason string) client.Patch {
	return merge(fmt.Sprintf(`{"spec":{"pause":{"reason":%q,"until":%q}}}`, reason, time.Now().Add(d).UTC().Format(time.RFC3339)))
}

// pausedBy is a patch that says who paused.
func pausedBy(who string) client.Patch {
	return merge(fmt.Sprintf(`{"metadata":{"annotations":{"hipaa-operator.io/paused-by":%q}}}`, who))
}

// paused are all at once.
func paused(d time.Duration, who string) client.Patch {
	return merge(fmt.Sprintf(`{"metadata":{"annotations":{"hipaa-operator.io/paused-by":%q}},"spec":{"pause":{"reason":"a migration of the database","until":%q}}}`,
		who, time.Now().Add(d).UTC().Format(time.RFC3339)))
}

// securityTeam lets a user write profiles.
func securityTeam(ctx SpecContext, users ...string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "profiles-"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{hipaav1.GroupName}, Resources: []string{"complianceprofiles"}, Verbs: []string{"*"},
	}}}
	Expect(admin.Create(ctx, role)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}
	for _, user := range users {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: user})
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
}

var _ = Describe("A pause", func() {
	const week = hipaav1.LongestPause
	var (
		profile   *hipaav1.ComplianceProfile
		sue, eric *person
	)
	who := func() string { return profile.Annotations[hipaav1.AnnotationPausedBy] }
	BeforeEach(func(ctx SpecContext) {
		securityTeam(ctx, "sue@example.org", "eric@example.org")
		sue, eric = as("sue@example.org", "security"), as("eric@example.org", "security")
		profile = phitest.Profile("").OnlyByName().Obj()
		profile.Name, profile.GenerateName = "", "pausing-"
		Eventually(func() error { return sue.Create(ctx, profile) }).Should(Succeed())
		Expect(profile.Annotations).To(BeEmpty())
	})

	It("has on record who wrote it, whoever pretends otherwise, for as long as it stands", func(ctx SpecContext) {
		Expect(sue.Patch(ctx, profile, paused(time.Hour, "eric@example.org"))).To(Succeed())
		Expect(who()).To(Equal("sue@example.org"))
		Expect(eric.Patch(ctx, profile, merge(`{"spec":{"defaultMode":"Warn"}}`))).To(Succeed())
		Expect(eric.Patch(ctx, profile, pausedBy("eric@example.org"))).To(Succeed())
		Expect(eric.Patch(ctx, profile, merge(`{"metadata":{"annotations":null}}`))).To(Succeed())
		Expect(who()).To(Equal("sue@example.org"))
		Expect(eric.Patch(ctx, profile, pauseFor(2*time.Hour, "a migration of the database"))).To(Succeed())
		Expect(who()).To(Equal("eric@example.org"))
		Expect(sue.Patch(ctx, profile, merge(`{"spec":{"pause":null}}`))).To(Succeed())
		Expect(profile.Annotations).NotTo(HaveKey(hipaav1.AnnotationPausedBy))
		created := phitest.Profile(profile.Name + "-born").OnlyByName().Obj()
		created.Spec.Pause = &hipaav1.Pause{Reason: "a migration of the database", Until: metav1.NewTime(time.Now().Add(time.Hour))}
		Expect(sue.Create(ctx, created)).To(Succeed())
		Expect(created.Annotations).To(HaveKeyWithValue(hipaav1.AnnotationPausedBy, "sue@example.org"))
	})

	It("lasts a week at most", func(ctx SpecContext) {
		Expect(sue.Patch(ctx, profile, pauseFor(week+time.Hour, "a migration of the database"))).To(
			MatchError(And(ContainSubstring("spec.pause.until: a pause lasts seven days at most"), ContainSubstring("write no later than 20"))))
		created := phitest.Profile(profile.Name + "-born").OnlyByName().Obj()
		created.Spec.Pause = &hipaav1.Pause{Reason: "a migration of the database", Until: metav1.NewTime(time.Now().Add(week + time.Hour))}
		Expect(sue.Create(ctx, created)).To(MatchError(ContainSubstring("seven days at most")))
		Expect(sue.Patch(ctx, profile, pauseFor(week-time.Minute, "a migration of the database"))).To(Succeed())
		Expect(sue.Patch(ctx, profile, pauseFor(-time.Hour, "a migration of the database"))).To(Succeed(), "a file in Git whose pause is over")
	})

	Describe("while the webhooks are open and nobody answers", Serial, Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			operator.stop()
			DeferCleanup(func() { operator.start() })
			open(ctx, admissionregistrationv1.Ignore)
			DeferCleanup(open, admissionregistrationv1.Fail)
		})

		It("is written in nobody else's name", func(ctx SpecContext) {
			const sentence = "says who wrote the present pause"
			Eventually(func() error { return sue.Patch(ctx, profile, paused(time.Hour, "eric@example.org")) }).Should(MatchError(ContainSubstring(sentence)))
			Eventually(func() error { return sue.Patch(ctx, profile, pauseFor(time.Hour, "a migration of the database")) }).Should(Succeed())
			Expect(eric.Patch(ctx, profile, pausedBy("sue@example.org"))).To(MatchError(ContainSubstring(sentence)))
			Expect(sue.Patch(ctx, profile, paused(2*time.Hour, "sue@example.org"))).To(Succeed())
			Expect(eric.Patch(ctx, profile, pausedBy(""))).To(MatchError(ContainSubstring(sentence)))
			Expect(eric.Patch(ctx, profile, pauseFor(3*time.Hour, "a migration of the database"))).To(MatchError(ContainSubstring(sentence)))
			Expect(eric.Patch(ctx, profile, merge(`{"spec":{"defaultMode":"Warn"}}`))).To(Succeed())
			Expect(eric.Patch(ctx, profile, merge(`{"spec":{"pause":null}}`))).To(Succeed())
		})

		It("is not bounded, so it counts for its last week only", func(ctx SpecContext) {
			Eventually(func() error { return sue.Patch(ctx, profile, pauseFor(week+time.Hour, "a migration of the database")) }).Should(Succeed())
			Expect(profile.Spec.Pause.Holds(time.Now())).To(BeFalse())
			Expect(profile.Spec.Pause.Holds(time.Now().Add(time.Hour + time.Second))).To(BeTrue())
		})
	})
})

// open sets what the API server does while the webhooks on pauses do not answer.
func open(ctx SpecContext, policy admissionregistrationv1.FailurePolicyType) {
	GinkgoHelper()
	validating, mutating := &admissionregistrationv1.ValidatingWebhookConfiguration{}, &admissionregistrationv1.MutatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "hipaa-operator-validating"}, validating)).To(Succeed())
	for i := range validating.Webhooks {
		if validating.Webhooks[i].Name == "pauses.hipaa-operator.io" {
			validating.Webhooks[i].FailurePolicy = ptr.To(policy)
		}
	}
	Expect(admin.Update(ctx, validating)).To(Succeed())
	Expect(admin.Get(ctx, client.ObjectKey{Name: "hipaa-operator-mutating"}, mutating)).To(Succeed())
	for i := range mutating.Webhooks {
		if mutating.Webhooks[i].Name == "pauses.hipaa-operator.io" {
			mutating.Webhooks[i].FailurePolicy = ptr.To(policy)
		}
	}
	Expect(admin.Update(ctx, mutating)).To(Succeed())
}
