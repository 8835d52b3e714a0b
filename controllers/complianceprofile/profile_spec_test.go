package complianceprofile_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A ComplianceProfile", func() {
	It("counts whom it governs, and who of them previews", func(ctx context.Context) {
		p := create(ctx, phitest.Profile("counting").Selecting("place", "counting").Mode(hipaav1.ModeAudit).Obj())
		Eventually(counts(ctx, p), patience, interval).Should(Equal([]int32{0, 0, 0}))
		for _, name := range []string{"counted-a", "counted-b"} {
			create(ctx, phitest.Namespace(name).Label("place", "counting").Obj())
			create(ctx, phitest.Workload("api").Namespace(name).Obj())
		}
		create(ctx, phitest.Namespace("not-counted").Label("place", "counting").WithoutPHI().Obj())
		Eventually(counts(ctx, p), patience, interval).Should(Equal([]int32{2, 2, 2}))
		controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
			p.Spec.DefaultMode = hipaav1.ModeEnforce
			p.Spec.Rollout = &hipaav1.RolloutParameters{EnforceBy: &metav1.Time{Time: time.Now().Add(-time.Minute)}}
		})
		Eventually(counts(ctx, p), patience, interval).Should(Equal([]int32{2, 2, 0}))
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionReady)()).To(Equal("True Valid"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
	})

	It("says what it names that does not exist, until it does", func(ctx context.Context) {
		p := create(ctx, phitest.Profile("extending").OnlyByName().Extends("base").Obj())
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionValid), patience, interval).Should(Equal("False ProfileNotFound"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		create(ctx, phitest.Profile("base").OnlyByName().Obj())
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionValid), patience, interval).Should(Equal("True Valid"))
		controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
			p.Spec.Controls = []hipaav1.ControlSetting{{ID: "no-such-control", Mode: hipaav1.ModeWarn}}
		})
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionReady), patience, interval).Should(Equal("False UnknownControl"))
		Eventually(cluster.Events(ctx, p), patience, interval).Should(ContainElements(hipaav1.ReasonProfileNotFound, hipaav1.ReasonValid, hipaav1.ReasonUnknownControl))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
	})

	It("says that a pause holds it, and when it is over", func(ctx context.Context) {
		p := create(ctx, phitest.Profile("paused").OnlyByName().Obj())
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused), patience, interval).Should(Equal("True Running"))
		pause := func(d time.Duration, who string) {
			controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
				p.Annotations = map[string]string{hipaav1.AnnotationPausedBy: who}
				p.Spec.Pause = &hipaav1.Pause{Reason: "an outage of the laboratory system", Until: metav1.NewTime(time.Now().Add(d))}
			})
		}
		pause(time.Hour, "sue@example.org")
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused), patience, interval).Should(Equal("False Paused"))
		Expect(p.Status.Pause.By).To(Equal("sue@example.org"))
		pause(3*time.Second, "eric@example.org")
		Eventually(func() string {
			Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			return p.Status.Pause.By
		}, patience, interval).Should(Equal("eric@example.org"))
		Eventually(func() int {
			return len(slices.DeleteFunc(cluster.Events(ctx, p)(), func(reason string) bool { return reason != hipaav1.ReasonPaused }))
		}, patience, interval).Should(Equal(2), "people hear of a pause, and of an end that moves")
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused)()).To(Equal("False Paused"))
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionReady)()).To(Equal("True Valid"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		// Nothing but time passes.
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused), patience, interval).Should(Equal("True Running"))
		Eventually(cluster.Events(ctx, p), patience, interval).Should(ContainElements(hipaav1.ReasonPaused, hipaav1.ReasonRunning))
		Expect(p.Status.Pause).To(BeNil())
		phitest.ExpectLawfulConditions(GinkgoT(), p)
	})

	It("follows the guard of admission", func(ctx context.Context) {
		p := create(ctx, phitest.Profile("guarded").OnlyByName().Obj())
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionAdmissionGuarded), patience, interval).Should(Equal("True AsInstalled"))
		admission.becomes(metav1.ConditionFalse, hipaav1.ReasonInternalError)
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionReady), patience, interval).Should(Equal("Unknown InternalError"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		admission.becomes(metav1.ConditionTrue, hipaav1.ReasonAdmissionRestored)
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionAdmissionGuarded), patience, interval).Should(Equal("True AdmissionRestored"))
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionReady)()).To(Equal("True Valid"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
	})
})
