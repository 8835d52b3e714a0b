package phiworkload_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func enforce(p *hipaav1.ComplianceProfile) { p.Spec.DefaultMode = hipaav1.ModeEnforce }

// accept lets the profile of the place accept a preview.
func (p place) accept(ctx context.Context, workload, digest string) {
	GinkgoHelper()
	p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
		profile.Spec.Rollout = &hipaav1.RolloutParameters{AcceptedPreviews: []hipaav1.AcceptedPreview{
			{Namespace: p.name, Name: workload, Digest: digest},
		}}
	})
}

func (p place) owned(ctx context.Context) func() []string {
	return func() []string {
		var list networkingv1.NetworkPolicyList
		if err := cluster.Admin.List(ctx, &list, inNamespace(p.name)); err != nil {
			return []string{err.Error()}
		}
		names := []string{}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}
}

var _ = Describe("Adoption", func() {
	It("begins with a preview where the profile only audits: nothing is written, removed or cut", func(ctx context.Context) {
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		create(ctx, p.open("open", "api"))
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		p.becomes(ctx, "api", hipaav1.ConditionReady, "True ReportedOnly")
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		p.calm(ctx, "api")
		Expect(p.owned(ctx)()).To(ConsistOf("open"))
		status := p.status(ctx, "api")
		Expect(status.Stage).To(Equal(hipaav1.StagePreviewing))
		Expect(status.Mode).To(Equal(hipaav1.ModeAudit))
		Expect(status.Preview.Cut).To(ConsistOf(
			HaveField("Object", "NetworkPolicy/hipaa-api"),
			HaveField("Object", "NetworkPolicy/hipaa-default-deny"),
			HaveField("Object", "NetworkPolicy/open"),
		))
		p.lawful(ctx, "api")
	})

	It("tells what would be refused and changed, by template", func(ctx context.Context) {
		p := newPlace(ctx, base(hipaav1.ModeWarn).Mode(hipaav1.ModeAudit))
		w := create(ctx, p.workload("api").Obj())
		create(ctx, deployment(p, w, "good", phitest.Pod("x").Of(w).Obj()))
		create(ctx, deployment(p, w, "bad", phitest.Pod("x").Of(w).Unhardened().Obj()))
		create(ctx, deployment(p, p.workload("other").Obj(), "elsewhere", p.pod("other").Unhardened().Obj()))
		// A pod of the workload makes the operator look again; it has no template.
		create(ctx, phitest.Pod("bare").Of(w).Obj())
		Eventually(func() []hipaav1.PreviewEntry {
			preview := p.status(ctx, "api").Preview
			return append(ptr.Deref(preview, hipaav1.Preview{}).Refuse, ptr.Deref(preview, hipaav1.Preview{}).Change...)
		}, patience, interval).Should(ConsistOf(
			And(HaveField("Object", "Deployment/bad"), HaveField("Controls", ContainElement("pod-hardening")), HaveField("Findings", ContainElements(
				ContainSubstring("runAsNonRoot"), ContainSubstring("allowPrivilegeEscalation"), ContainSubstring("seccompProfile")))),
			And(HaveField("Object", "Deployment/bad"), HaveField("Controls", ContainElement("data-classification"))),
			And(HaveField("Object", "Deployment/good"), HaveField("Controls", ConsistOf("data-classification"))),
			And(HaveField("Object", "Pod/bare"), HaveField("Controls", ConsistOf("data-classification"))),
			And(HaveField("Object", "Connection/*"), HaveField("Controls", ConsistOf("privileged-access"))),
		))
		p.lawful(ctx, "api")
	})

	It("waits for the preview to be accepted when the profile turns to Enforce, and then enforces", func(ctx context.Context) {
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		w := create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		p.changeProfile(ctx, enforce)
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		p.calm(ctx, "api")
		status := p.status(ctx, "api")
		Expect(status.Mode).To(Equal(hipaav1.ModeWarn), "Enforce is capped")
		Expect(p.owned(ctx)()).To(BeEmpty())
		p.accept(ctx, "api", status.Preview.Digest)
		p.settled(ctx, "api")
		Expect(p.status(ctx, "api").Preview).To(BeNil())
		Expect(p.drift(ctx, "api")()).To(BeEmpty(), "a first appearance is no drift")
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.EventStageChanged))
		p.lawful(ctx, "api")
	})

	It("begins with a preview where pods ran before the workload was declared, though the profile enforces", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		old := create(ctx, p.pod("api").Obj())
		controllerstest.Age(old)
		p.profile(ctx, base())
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		create(ctx, p.workload("new").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		p.becomes(ctx, "new", hipaav1.ConditionEnforced, "True Enforced")
		p.calm(ctx, "api")
		Expect(p.owned(ctx)()).NotTo(ContainElement("hipaa-api"))
		status := p.status(ctx, "api")
		Expect(status.Stage).To(Equal(hipaav1.StagePreviewing))
		Expect(status.Preview.Cut).To(ContainElement(HaveField("Object", "NetworkPolicy/hipaa-api")))
		p.accept(ctx, "api", status.Preview.Digest)
		p.settled(ctx, "api")
		p.lawful(ctx, "api", "new")
	})

	It("is not begun by an old pod where the namespace is closed and undeclared pods are refused", func(ctx context.Context) {
		p := newPlace(ctx, base())
		Eventually(p.owned(ctx), patience, interval).Should(ConsistOf("hipaa-default-deny"))
		controllerstest.Age(create(ctx, p.pod("api").Obj()))
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("does not forget what waits while its profile is away for a moment", func(ctx context.Context) {
		p := newPlace(ctx, base().Control("pod-hardening", hipaav1.ModeWarn))
		w := create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		create(ctx, phitest.Pod("bare").Of(w).Unhardened().Obj())
		gone := get(ctx, &hipaav1.ComplianceProfile{}, types.NamespacedName{Name: p.name})
		Expect(cluster.Admin.Delete(ctx, gone)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False NoProfile")
		p.profile(ctx, base())
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		p.stays(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		Expect(p.status(ctx, "api").Controls).To(ContainElement(
			And(HaveField("ID", "network-isolation"), HaveField("Stage", hipaav1.StageEnforced), HaveField("Mode", hipaav1.ModeEnforce))))
		p.lawful(ctx, "api")
	})

	It("previews a control that refuses what leaves nothing behind", func(ctx context.Context) {
		p := newPlace(ctx, base().Control("privileged-access", hipaav1.ModeWarn))
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) { profile.Spec.Controls = profile.Spec.Controls[:1] })
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		Expect(p.status(ctx, "api").Preview.Refuse).To(ConsistOf(HaveField("Object", "Connection/*")))
		p.lawful(ctx, "api")
	})

	It("previews a control that a profile raises to Enforce while the workload runs; the others go on", func(ctx context.Context) {
		p := newPlace(ctx, base().Control("pod-hardening", hipaav1.ModeAudit))
		w := create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.settled(ctx, "api")
		create(ctx, phitest.Pod("bare").Of(w).Unhardened().Obj())
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			for i := range profile.Spec.Controls {
				if profile.Spec.Controls[i].ID == "pod-hardening" {
					profile.Spec.Controls[i].Mode = hipaav1.ModeEnforce
				}
			}
		})
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		p.calm(ctx, "api")
		status := p.status(ctx, "api")
		Expect(status.Stage).To(Equal(hipaav1.StageEnforced))
		Expect(status.Controls).To(ContainElements(
			And(HaveField("ID", "pod-hardening"), HaveField("Stage", hipaav1.StagePreviewing), HaveField("Mode", hipaav1.ModeWarn)),
			And(HaveField("ID", "network-isolation"), HaveField("Stage", hipaav1.StageEnforced), HaveField("Mode", hipaav1.ModeEnforce)),
		))
		Expect(status.Preview.Refuse).To(ConsistOf(And(HaveField("Object", "Pod/bare"), HaveField("Controls", ConsistOf("pod-hardening")))))
		Expect(status.Preview.Cut).To(BeEmpty())
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-api"))).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True Corrected")
		p.accept(ctx, "api", status.Preview.Digest)
		p.settled(ctx, "api")
		p.becomes(ctx, "api", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		p.lawful(ctx, "api")
	})

	It("does not wait longer than rollout.enforceBy", func(ctx context.Context) {
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			enforce(profile)
			profile.Spec.Rollout = &hipaav1.RolloutParameters{EnforceBy: ptr.To(metav1.NewTime(time.Now().Add(3 * time.Second)))}
		})
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False PreviewNotEmpty")
		p.settled(ctx, "api") // nothing but time has passed
		p.lawful(ctx, "api")
	})

	It("ends for the namespace when the last of its workloads is enforced", func(ctx context.Context) {
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		create(ctx, p.workload("api").Obj())
		create(ctx, p.workload("db").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		p.becomes(ctx, "db", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		p.calm(ctx, "api")
		p.calm(ctx, "db")
		accepted := hipaav1.AcceptedPreview{Namespace: p.name, Name: "api", Digest: p.status(ctx, "api").Preview.Digest}
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			enforce(profile)
			profile.Spec.Rollout = &hipaav1.RolloutParameters{AcceptedPreviews: []hipaav1.AcceptedPreview{accepted}}
		})
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "True Enforced")
		Eventually(p.owned(ctx), patience, interval).Should(ConsistOf("hipaa-api"))
		Consistently(p.owned(ctx), awhile, interval).Should(ConsistOf("hipaa-api"))
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			profile.Spec.Rollout.EnforceBy = ptr.To(metav1.NewTime(time.Now().Add(-time.Minute)))
		})
		Eventually(p.owned(ctx), patience, interval).Should(ConsistOf("hipaa-api", "hipaa-db", "hipaa-default-deny"))
		p.lawful(ctx, "api", "db")
	})

	It("goes back when the profile no longer enforces; what is closed stays closed and is reported", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.settled(ctx, "api")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) { profile.Spec.DefaultMode = hipaav1.ModeAudit })
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		update(ctx, p.policy(ctx, "hipaa-api"), func(n *networkingv1.NetworkPolicy) { n.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} })
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf("NetworkPolicy/hipaa-api spec.ingress by field manager kubectl-edit, user unknown: Detected"))
		p.stays(ctx, "api", hipaav1.ConditionDriftFree, "False Drifted")
		Expect(p.policy(ctx, "hipaa-api").Spec.Ingress).NotTo(BeEmpty())
		p.lawful(ctx, "api")
	})
})

var _ = Describe("A pause", func() {
	It("stops repair, is no step back, and ends by itself", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.settled(ctx, "api")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			profile.Spec.Pause = &hipaav1.Pause{Reason: "an outage of the laboratory system", Until: metav1.NewTime(time.Now().Add(4 * time.Second))}
		})
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False Paused")
		Expect(p.status(ctx, "api").Stage).To(Equal(hipaav1.StageEnforced))
		Expect(p.status(ctx, "api").Mode).To(Equal(hipaav1.ModeAudit))
		Expect(cluster.Admin.Delete(ctx, p.policy(ctx, "hipaa-api"))).To(Succeed())
		create(ctx, p.open("open", "api"))
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf(
			"NetworkPolicy/hipaa-api . by unknown: Detected",
			HavePrefix("NetworkPolicy/open spec.ingress[0]"),
		))
		p.lawful(ctx, "api")
		// Nobody touches anything any more.
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True Corrected")
		p.settled(ctx, "api")
		Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("open"))).To(BeFalse())
		p.lawful(ctx, "api")
	})
})

var _ = Describe("A failover to another region", func() {
	It("is told of when it begins and when it is moved, and ends by itself", func(ctx context.Context) {
		p := newPlace(ctx, base().Regions("us-east-2"))
		w := create(ctx, p.workload("api").Obj())
		create(ctx, phitest.Pod("api-1").Of(w).With(func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyRegion: "us-west-2"}
		}).Obj())
		placed := func() hipaav1.Verdict {
			for _, c := range p.status(ctx, "api").Controls {
				if c.ID == "data-residency" {
					return c.Verdict
				}
			}
			return ""
		}
		p.becomes(ctx, "api", hipaav1.ConditionHomeRegionsOnly, "True NoFailover")
		Eventually(placed, patience, interval).Should(Equal(hipaav1.VerdictFail))
		Expect(events(ctx, w)()).NotTo(ContainElement(hipaav1.ReasonFailoverInForce))
		until := func(end time.Duration) {
			GinkgoHelper()
			p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
				profile.Spec.Residency = phitest.Profile("").Regions("us-east-2").Failover(metav1.NewTime(time.Now().Add(end)), "us-west-2").Obj().Spec.Residency
			})
		}

		until(time.Hour)
		p.becomes(ctx, "api", hipaav1.ConditionHomeRegionsOnly, "False FailoverInForce")
		Eventually(placed, patience, interval).Should(Equal(hipaav1.VerdictPass))
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.ReasonFailoverInForce))
		p.lawful(ctx, "api")

		begun := func() []string {
			return slices.DeleteFunc(events(ctx, w)(), func(reason string) bool { return reason != hipaav1.ReasonFailoverInForce })
		}
		until(2 * time.Hour)
		Eventually(begun, patience, interval).Should(HaveLen(2))

		until(3 * time.Second)
		// Nobody touches anything any more.
		p.becomes(ctx, "api", hipaav1.ConditionHomeRegionsOnly, "True NoFailover")
		Eventually(placed, patience, interval).Should(Equal(hipaav1.VerdictFail))
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.ReasonNoFailover))
		p.lawful(ctx, "api")
	})
})

var _ = Describe("An exception", func() {
	It("counts while it is in force, and at its end no more", func(ctx context.Context) {
		p := newPlace(ctx, base())
		w := create(ctx, p.workload("api").Obj())
		create(ctx, phitest.Pod("api-1").Of(w).Unhardened().Obj())
		p.becomes(ctx, "api", hipaav1.ConditionSafeguardsMet, "False SafeguardsFailing")
		x := create(ctx, phitest.Exception("legacy", "api", "pod-hardening").Namespace(p.name).Expires(metav1.NewTime(time.Now().Add(4*time.Second))).Obj())
		approve(ctx, x)
		p.becomes(ctx, "api", hipaav1.ConditionSafeguardsMet, "False SafeguardsExcepted")
		Expect(p.excused(ctx, "api")()).To(Equal(map[string]string{"pod-hardening": "legacy"}))
		// Nothing but time passes.
		p.becomes(ctx, "api", hipaav1.ConditionSafeguardsMet, "False SafeguardsFailing")
		Expect(p.excused(ctx, "api")()).To(BeEmpty())
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.EventVerdictChanged))
		p.becomes(ctx, "api", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(exists(ctx, &hipaav1.PHIWorkload{}, p.key("api"))).To(BeTrue())
		p.lawful(ctx, "api")
	})

	It("from the control of connections is a grant, and the workload says until when", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		end := metav1.NewTime(time.Now().Add(4 * time.Second).Truncate(time.Second))
		approve(ctx, create(ctx, phitest.Exception("change-4711", "api", "privileged-access").Namespace(p.name).Expires(end).Obj()))
		Eventually(p.excused(ctx, "api"), patience, interval).Should(Equal(map[string]string{"privileged-access": "change-4711"}))
		Expect(p.status(ctx, "api").Controls).To(ContainElement(HaveField("Exception", HaveValue(HaveField("Expires.Unix()", end.Unix())))))
		// Nothing but time passes.
		Eventually(p.excused(ctx, "api"), patience, interval).Should(BeEmpty())
		p.lawful(ctx, "api")
	})
})

// excused names the exception of each control that has one in force.
func (p place) excused(ctx context.Context, workload string) func() map[string]string {
	return func() map[string]string {
		excused := map[string]string{}
		for _, c := range p.status(ctx, workload).Controls {
			if c.Exception != nil {
				excused[c.ID] = c.Exception.Name
			}
		}
		return excused
	}
}

var _ = Describe("The profile of a workload", func() {
	It("may come later", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		create(ctx, p.workload("api").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False NoProfile")
		p.lawful(ctx, "api")
		p.profile(ctx, base())
		p.settled(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("may extend one that comes later", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		p.profile(ctx, base().Extends("late-"+p.name))
		create(ctx, p.workload("api").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False ProfileNotFound")
		Expect(p.condition(ctx, "api", hipaav1.ConditionEnforced)()).To(Equal("True Enforced"), "what is known is enforced all the same")
		p.lawful(ctx, "api")
		late := create(ctx, phitest.Profile("late-"+p.name).OnlyByName().Mode(hipaav1.ModeAudit).Obj())
		DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, late) })
		p.ready(ctx, "api")
		Expect(cluster.Columns(ctx, "phiworkloads", p.name, "api")()).To(HaveKeyWithValue("Profile", p.name+",late-"+p.name))
		Expect(p.status(ctx, "api").Profiles).To(ConsistOf(p.name, "late-"+p.name))
		p.lawful(ctx, "api")
	})

	It("may lose what it extends by mistake, without its workloads starting over", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		strict := func() *hipaav1.ComplianceProfile {
			profile := base().OnlyByName().Obj()
			profile.Name = "strict-" + p.name
			return profile
		}
		extended := create(ctx, strict())
		p.profile(ctx, base().Mode(hipaav1.ModeAudit).Extends(extended.Name))
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		Expect(cluster.Admin.Delete(ctx, extended)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False ProfileNotFound")
		p.becomes(ctx, "api", hipaav1.ConditionEnforced, "False ModeNotEnforce")
		Expect(p.owned(ctx)()).To(ConsistOf("hipaa-api", "hipaa-default-deny"))
		p.lawful(ctx, "api")
		again := create(ctx, strict())
		DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, again) })
		p.settled(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("may be tightened by one that profileRef names, which alone governs nothing", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		profile := base().OnlyByName().Obj()
		profile.Name = "named-" + p.name
		named := create(ctx, profile)
		DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, named) })
		create(ctx, p.workload("api").Profile(named.Name).Obj())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False NoProfile")
		p.stays(ctx, "api", hipaav1.ConditionReady, "False NoProfile")
		p.lawful(ctx, "api")
		governing := base().Selecting("place", p.name).Mode(hipaav1.ModeAudit).Obj()
		governing.Name = "governing-" + p.name
		DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, governing) })
		create(ctx, governing)
		p.ready(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("needs a namespace that people declare", func(ctx context.Context) {
		p := newPlace(ctx, base())
		name := types.NamespacedName{Name: p.name}
		label(ctx, name, hipaav1.LabelPHI, "")
		create(ctx, p.workload("api").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionReady, "False NamespaceNotPHI")
		p.lawful(ctx, "api")
		label(ctx, name, hipaav1.LabelPHI, hipaav1.LabelPHIValue)
		p.settled(ctx, "api")
		p.lawful(ctx, "api")
	})
})

var _ = Describe("Two workloads over one pod", func() {
	It("are told so, both, and again when it is over", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Selecting("app", "api").Obj())
		create(ctx, p.workload("tier").Selecting("tier", "web").Obj())
		p.settled(ctx, "api")
		p.settled(ctx, "tier")
		pod := create(ctx, p.pod("api").Label("tier", "web").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionSelectorUnique, "False SelectorOverlaps")
		p.becomes(ctx, "tier", hipaav1.ConditionSelectorUnique, "False SelectorOverlaps")
		p.lawful(ctx, "api", "tier")
		Expect(cluster.Admin.Delete(ctx, pod)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionSelectorUnique, "True Unique")
		p.becomes(ctx, "tier", hipaav1.ConditionSelectorUnique, "True Unique")
		p.lawful(ctx, "api", "tier")
	})
})

var _ = Describe("A workload that takes the place of another", func() {
	It("protects the pods by itself, so that the other may go at once", func(ctx context.Context) {
		p := newPlace(ctx, base())
		old := create(ctx, p.workload("old").Selecting("app", "api").Obj())
		p.settled(ctx, "old")
		create(ctx, phitest.Pod("api-1").Of(old).Obj())
		create(ctx, p.workload("new").Selecting("app", "api").Obj())
		p.settled(ctx, "new")
		Expect(cluster.Admin.Delete(ctx, old)).To(Succeed())
		Eventually(func() bool { return exists(ctx, &hipaav1.PHIWorkload{}, p.key("old")) }, patience, interval).Should(BeFalse())
		Eventually(p.owned(ctx), patience, interval).Should(ConsistOf("hipaa-default-deny", "hipaa-new"))
		p.lawful(ctx, "new")
	})
})

var _ = Describe("Flows", func() {
	It("resolve when their peer appears, and close when it goes", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Port("http", 8080).From(phitest.FromWorkload("portal")).Obj())
		p.becomes(ctx, "api", hipaav1.ConditionFlowsResolved, "False FlowUnresolved")
		portal := create(ctx, p.workload("portal").Obj())
		p.becomes(ctx, "api", hipaav1.ConditionFlowsResolved, "True Resolved")
		Eventually(func() int { return len(p.policy(ctx, "hipaa-api").Spec.Ingress) }, patience, interval).Should(Equal(1))
		Expect(cluster.Admin.Delete(ctx, portal)).To(Succeed())
		p.becomes(ctx, "api", hipaav1.ConditionFlowsResolved, "False FlowUnresolved")
		Eventually(func() int { return len(p.policy(ctx, "hipaa-api").Spec.Ingress) }, patience, interval).Should(BeZero())
		Expect(p.drift(ctx, "api")()).To(BeEmpty())
		p.lawful(ctx, "api")
	})
})
