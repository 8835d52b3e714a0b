package complianceprofile_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
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

	It("says which of its own controls nobody can judge", func(ctx context.Context) {
		own := hipaav1.CustomControl{
			ID: "custom-described-keys", Cites: []string{"164.312(b)"}, Remedy: "say what the key is for",
			Checks: []hipaav1.CustomCheck{{
				Match:      []hipaav1.MatchedType{{Group: "kms.services.k8s.aws", Version: "v1alpha1", Resource: "keys", Kind: "Key"}},
				Expression: "has(object.spec.description", Path: "spec.description", Message: "is missing", Met: "is there",
			}},
		}
		p := create(ctx, phitest.Profile("own").OnlyByName().Brings(own).Control(own.ID, hipaav1.ModeWarn).Obj())
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionValid), patience, interval).Should(Equal("False InvalidControl"))
		Expect(meta.FindStatusCondition(p.Status.Conditions, hipaav1.ConditionValid).Message).To(HavePrefix("spec.customControls[0].checks[0].expression: line 1, column 28: "))
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
			p.Spec.CustomControls[0].Checks[0].Expression += ")"
		})
		Eventually(cluster.Condition(ctx, p, hipaav1.ConditionValid), patience, interval).Should(Equal("True Valid"))
		other := create(ctx, phitest.Profile("naming").OnlyByName().Control(own.ID, hipaav1.ModeEnforce).Obj())
		Eventually(cluster.Condition(ctx, other, hipaav1.ConditionValid), patience, interval).Should(Equal("True Valid"))
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
