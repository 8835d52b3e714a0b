package complianceprofile_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
		controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
			p.Spec.Pause = &hipaav1.Pause{Reason: "an outage of the laboratory system", Until: metav1.NewTime(time.Now().Add(3 * time.Second))}
		})
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused), patience, interval).Should(Equal("False Paused"))
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionReady)()).To(Equal("True Valid"))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		// Nothing but time passes.
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionNotPaused), patience, interval).Should(Equal("True Running"))
		Eventually(cluster.Events(ctx, p), patience, interval).Should(ContainElements(hipaav1.ReasonPaused, hipaav1.ReasonRunning))
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
