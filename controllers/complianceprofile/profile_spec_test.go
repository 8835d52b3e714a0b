package complianceprofile_test

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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

	It("says which accepted previews accept nothing", func(ctx context.Context) {
		p := create(ctx, phitest.Profile("accepting").Selecting("place", "accepting").Mode(hipaav1.ModeAudit).Obj())
		create(ctx, phitest.Namespace("accepting").Label("place", "accepting").Obj())
		w := create(ctx, phitest.Workload("api").Namespace("accepting").Obj())
		accept := func(name, digest string) {
			GinkgoHelper()
			controllerstest.Update(ctx, cluster, p, func(p *hipaav1.ComplianceProfile) {
				p.Spec.Rollout = &hipaav1.RolloutParameters{AcceptedPreviews: []hipaav1.AcceptedPreview{{Namespace: "accepting", Name: name, Digest: digest}}}
			})
		}
		fit := cluster.Condition(ctx, p, hipaav1.ConditionAcceptancesFit)
		Eventually(counts(ctx, p), patience, interval).Should(Equal([]int32{1, 1, 1}))
		Expect(fit()).To(Equal("none"))
		accept("api", "sha256:"+strings.Repeat("0", 64))
		Eventually(fit, patience, interval).Should(Equal("False PreviewChanged"))
		Expect(cluster.Condition(ctx, p, hipaav1.ConditionReady)()).To(Equal("True Valid"), "the profile means what it says")
		phitest.ExpectLawfulConditions(GinkgoT(), p)
		accept("apo", "sha256:"+strings.Repeat("0", 64))
		Eventually(fit, patience, interval).Should(Equal("False WorkloadNotFound"))
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		accept("api", w.Status.Preview.Digest)
		Eventually(fit, patience, interval).Should(Equal("True AllFit"))
		// What somebody applies changes the preview, and no watch on the profile tells.
		update := w.DeepCopy()
		update.Spec.Ports = []hipaav1.WorkloadPort{{Name: "http", Port: 8080, Protocol: hipaav1.PortProtocolHTTP}}
		create(ctx, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "accepting", Name: "bad"},
			Spec: appsv1.DeploymentSpec{Selector: &w.Spec.Selector, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: w.Spec.Selector.MatchLabels}, Spec: phitest.Pod("x").Unhardened().Obj().Spec,
			}},
		})
		Expect(cluster.Admin.Update(ctx, update)).To(Succeed())
		Eventually(fit, patience, interval).Should(Equal("False PreviewChanged"))
		Eventually(cluster.Events(ctx, p), patience, interval).Should(ContainElements(hipaav1.ReasonPreviewChanged, hipaav1.ReasonAllFit))
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
