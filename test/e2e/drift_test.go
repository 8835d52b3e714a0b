package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// Drift is made by a cluster administrator: the guards keep everybody else out.
var _ = Describe("Drift", Ordered, ContinueOnFailure, func() {
	const (
		namespace = "drifting"
		culprit   = "admin@example.org"
		// anybody: no webhook sees this change, so the field manager is named, or
		// the user of a change that was seen within the same two seconds.
		anybody = ", by "
	)
	var careless client.Client

	BeforeAll(func() {
		phiNamespace(namespace)
		careless = as(culprit, "system:masters")
		Expect(admin.Create(ctx, phitest.Workload("api").Namespace(namespace).Continuity(hipaav1.ContinuityBusiness).Obj())).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
		Eventually(owned(namespace, "hipaa-default-deny")).Should(Succeed())
	})

	for _, name := range []string{"hipaa-api", "hipaa-default-deny"} {
		It("puts "+name+" back after it was deleted, edited and widened, and says who", func() {
			key := client.ObjectKey{Namespace: namespace, Name: name}
			want := &networkingv1.NetworkPolicy{}
			Expect(admin.Get(ctx, key, want)).To(Succeed())
			for _, damage := range []struct {
				name, path, who string
				do              func(*networkingv1.NetworkPolicy) error
			}{
				{"deleted", "", culprit, func(p *networkingv1.NetworkPolicy) error { return careless.Delete(ctx, p) }},
				{"edited", "spec.policyTypes", culprit, func(p *networkingv1.NetworkPolicy) error {
					p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
					return careless.Update(ctx, p)
				}},
				{"widened", "spec.ingress", anybody, func(p *networkingv1.NetworkPolicy) error {
					// Admission refuses this to everybody, so it happens while it is away.
					var err error
					p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
					bypass(func() { err = careless.Update(ctx, p) })
					return err
				}},
			} {
				By(damage.name)
				start := time.Now()
				live := &networkingv1.NetworkPolicy{}
				Expect(admin.Get(ctx, key, live)).To(Succeed())
				Expect(damage.do(live)).To(Succeed())
				Eventually(func(g Gomega) {
					repaired := &networkingv1.NetworkPolicy{}
					g.Expect(admin.Get(ctx, key, repaired)).To(Succeed())
					g.Expect(apiequality.Semantic.DeepEqual(want.Spec, repaired.Spec)).To(BeTrue())
					g.Expect(repaired.Labels).To(Equal(want.Labels))
				}).Should(Succeed())
				Eventually(eventsSince(namespace, start)).Should(ContainElements(
					event("DriftDetected", name, damage.path, damage.who),
					event("DriftCorrected", name),
				))
			}
		})
	}

	It("removes a policy that opens the network, added while the webhooks were away", func() {
		bypass(func() {
			Expect(careless.Create(ctx, phitest.Policy("open").Namespace(namespace).Ingress(nil).Obj())).To(Succeed())
		})
		Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "open"}, &networkingv1.NetworkPolicy{}))
		}).Should(BeTrue())
		Eventually(eventsSince(namespace, time.Time{})).Should(ContainElement(event("DriftDetected", "open")))
	})

	It("leaves such a policy to people where patients are cared for, and says so", func() {
		careNamespace := phiNamespace("drifting-care")
		workload := phitest.Workload("monitor").Namespace(careNamespace).Continuity(hipaav1.ContinuityPatientCare).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(owned(careNamespace, "hipaa-monitor")).Should(Succeed())
		run(phitest.Pod("monitor-1").Of(workload).Obj())
		bypass(func() {
			Expect(careless.Create(ctx, phitest.Policy("open").Namespace(careNamespace).Ingress(nil).Obj())).To(Succeed())
		})
		Eventually(func() map[string]hipaav1.Verdict { return verdicts(workload) }).Should(HaveKeyWithValue("network-isolation", hipaav1.VerdictFail))
		open := &networkingv1.NetworkPolicy{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: careNamespace, Name: "open"}, open)).To(Succeed())

		By("and keeps on record that a person took it away, and who")
		Eventually(conditionOf(workload, hipaav1.ConditionDriftFree)).Should(HaveField("Reason", hipaav1.ReasonDrifted))
		Expect(careless.Delete(ctx, open)).To(Succeed())
		Eventually(conditionOf(workload, hipaav1.ConditionDriftFree)).Should(And(
			HaveField("Reason", hipaav1.ReasonDriftResolved), HaveField("Message", HaveSuffix("removed by "+culprit))))
		Eventually(eventsSince(careNamespace, time.Time{})).Should(ContainElement(event("DriftResolved", "open", culprit)))
	})

	It("says that nothing can come back when the last pod has gone, and the event of its controller names the controls", func() {
		workload := phitest.Workload("lab").Namespace(namespace).Continuity(hipaav1.ContinuityPatientCare).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Reason", hipaav1.ReasonNoPods))
		pod := phitest.Pod("lab").Of(workload).Unhardened().Obj()
		set := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "lab"},
			Spec: appsv1.ReplicaSetSpec{
				Replicas: ptr.To[int32](1), Selector: &workload.Spec.Selector,
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec},
			},
		}
		bypass(func() {
			Expect(careless.Create(ctx, set)).To(Succeed())
			Eventually(podsOf(namespace, "app", "lab")).Should(And(HaveLen(1), HaveEach(HaveField("Status.Phase", corev1.PodRunning))))
		})
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.MatchingLabels{"app": "lab"})).To(Succeed())
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(And(
			HaveField("Reason", hipaav1.ReasonReplacementWouldBeRefused),
			HaveField("Message", HavePrefix("no pod runs, and admission would refuse the next one of ReplicaSet/lab: pod-hardening: "))))
		Expect(podsOf(namespace, "app", "lab")()).To(BeEmpty())
		// Kubernetes' own controllers leave the time of an event empty.
		Eventually(eventsSince(namespace, time.Time{})).Should(ContainElement(event("FailedCreate", "ReplicaSet/lab", "lacks 1 safeguard (pod-hardening)")))
	})

	It("finds pods that were created while the webhooks were away, and replaces what may be replaced", func() {
		bare := phitest.Pod("bare").Namespace(namespace).Label("app", "api").Unhardened().Obj()
		bypass(func() { Expect(careless.Create(ctx, bare)).To(Succeed()) })
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Eventually(func() map[string]hipaav1.Verdict { return verdicts(workload) }).Should(HaveKeyWithValue("pod-hardening", hipaav1.VerdictFail))
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Reason", hipaav1.ReasonReplacementNeedsPerson))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(bare), bare)).To(Succeed(), "nothing would bring this pod back, so it stays")
		Expect(admin.Delete(ctx, bare, client.GracePeriodSeconds(0))).To(Succeed())

		By("pods of a Deployment that only lack their labels wait for their next restart, and get them then")
		deployment := phitest.Deployment("api", 2).Namespace(namespace).Label("app", "api").Obj()
		bypass(func() {
			Expect(careless.Create(ctx, deployment)).To(Succeed())
			Eventually(podsOf(namespace, "app", "api")).Should(HaveLen(2))
			Eventually(podsOf(namespace, "app", "api")).Should(HaveEach(HaveField("Status.Phase", corev1.PodRunning)))
		})
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Reason", hipaav1.ReasonReplacementAwaitsRestart))
		labelled := HaveField("ObjectMeta.Labels", HaveKeyWithValue(hipaav1.LabelWorkload, "api"))
		Expect(podsOf(namespace, "app", "api")()).To(HaveEach(Not(labelled)))
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.MatchingLabels{"app": "api"})).To(Succeed())
		Eventually(podsOf(namespace, "app", "api"), time.Minute).Should(And(HaveLen(2), HaveEach(labelled)))
	})

	It("evicts pods that run without a safeguard that is worth it, once their template has it", func() {
		workload := phitest.Workload("web").Namespace(namespace).Continuity(hipaav1.ContinuityBusiness).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		template := func(pod *phitest.PodBuilder) corev1.PodTemplateSpec {
			p := pod.Of(workload).Obj()
			return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: p.Labels}, Spec: p.Spec}
		}
		set := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
			Spec: appsv1.ReplicaSetSpec{
				Replicas: ptr.To[int32](3), Selector: &workload.Spec.Selector, Template: template(phitest.Pod("web").Unhardened()),
			},
		}
		bypass(func() {
			Expect(careless.Create(ctx, set)).To(Succeed())
			Eventually(podsOf(namespace, "app", "web")).Should(And(HaveLen(3), HaveEach(HaveField("Status.Phase", corev1.PodRunning))))
		})
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Reason", hipaav1.ReasonReplacementWouldBeRefused))
		Expect(podsOf(namespace, "app", "web")()).To(HaveEach(HaveField("ObjectMeta.DeletionTimestamp", BeNil())))

		By("mending the template, and telling the operator by any change of a pod")
		patch := client.MergeFrom(set.DeepCopy())
		set.Spec.Template = template(phitest.Pod("web"))
		Expect(admin.Patch(ctx, set, patch)).To(Succeed())
		for _, pod := range podsOf(namespace, "app", "web")() {
			before := client.MergeFrom(pod.DeepCopy())
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "note", "looked at")
			Expect(admin.Patch(ctx, &pod, before)).To(Succeed())
		}
		Eventually(podsOf(namespace, "app", "web"), 2*time.Minute).Should(And(HaveLen(3),
			HaveEach(HaveField("ObjectMeta.Labels", HaveKeyWithValue(hipaav1.LabelWorkload, "web"))),
			HaveEach(HaveField("Spec.SecurityContext.RunAsNonRoot", HaveValue(BeTrue())))))
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Reason", hipaav1.ReasonPodsAdmitted))
	})
})
