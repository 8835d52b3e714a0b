package phiworkload_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func inNamespace(name string) client.ListOption { return client.InNamespace(name) }

func template(pod *corev1.Pod) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// deployment holds a template; no controller of ours makes pods of it.
func deployment(p place, w *hipaav1.PHIWorkload, name string, pod *corev1.Pod) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: name},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To(int32(1)), Selector: &w.Spec.Selector, Template: template(pod)},
	}
}

// replicas makes a real ReplicaSet with so many pods, and waits until they are ready.
func replicas(ctx context.Context, p place, w *hipaav1.PHIWorkload, n int32, pod *corev1.Pod) *appsv1.ReplicaSet {
	GinkgoHelper()
	Expect(cluster.PlayKubelet(kubeletUntil(), p.name)).To(Succeed())
	set := create(ctx, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &n, Selector: &w.Spec.Selector, Template: template(pod)},
	})
	Eventually(func() int32 { return get(ctx, set, p.key("web")).Status.ReadyReplicas }, patience, interval).Should(Equal(n))
	return set
}

func kubeletUntil() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	return ctx
}

// mend gives the ReplicaSet a template that admission would let pass; its pods
// stay as they are.
func mend(ctx context.Context, p place, w *hipaav1.PHIWorkload) {
	GinkgoHelper()
	update(ctx, &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}}, func(set *appsv1.ReplicaSet) {
		set.Spec.Template = template(phitest.Pod("web").Of(w).Obj())
	})
}

// bare lists the pods that are not hardened.
func bare(ctx context.Context, p place) func() []string {
	return func() []string {
		var pods corev1.PodList
		if err := cluster.Admin.List(ctx, &pods, client.InNamespace(p.name)); err != nil {
			return []string{err.Error()}
		}
		names := []string{}
		for i := range pods.Items {
			if pods.Items[i].Spec.SecurityContext == nil || pods.Items[i].Spec.SecurityContext.RunAsNonRoot == nil {
				names = append(names, pods.Items[i].Name)
			}
		}
		slices.Sort(names)
		return names
	}
}

func podsOf(ctx context.Context, p place) []*corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(cluster.Admin.List(ctx, &list, client.InNamespace(p.name))).To(Succeed())
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	return pods
}

func readyPods(ctx context.Context, p place) int {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(cluster.Admin.List(ctx, &pods, client.InNamespace(p.name))).To(Succeed())
	ready := 0
	for i := range pods.Items {
		for _, c := range pods.Items[i].Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pods.Items[i].DeletionTimestamp.IsZero() {
				ready++
			}
		}
	}
	return ready
}

// message is that of PodsProtected.
func message(ctx context.Context, p place, workload string) string {
	GinkgoHelper()
	for _, c := range p.status(ctx, workload).Conditions {
		if c.Type == hipaav1.ConditionPodsProtected {
			return c.Message
		}
	}
	return ""
}

// overdue is a profile under which nothing waits for its preview: here pods run
// before their workload is declared.
func overdue(classification ...hipaav1.Mode) *phitest.ProfileBuilder {
	return base(classification...).EnforceBy(metav1.NewTime(time.Now().Add(-time.Hour)))
}

var _ = Describe("Pods that run without their safeguards", func() {
	var (
		p place
		w *hipaav1.PHIWorkload
	)

	// begin starts bare pods before anybody declares the workload, and mends the
	// template afterwards where it should be.
	begin := func(ctx context.Context, profile *phitest.ProfileBuilder, builder func(place) *phitest.WorkloadBuilder, n int32) {
		GinkgoHelper()
		p = newPlace(ctx, profile)
		w = builder(p).Obj()
		replicas(ctx, p, w, n, phitest.Pod("web").Of(w).Unhardened().Obj())
		mend(ctx, p, w)
	}
	business := func(p place) *phitest.WorkloadBuilder { return p.workload("web") }

	It("are replaced one at a time, and never is more than one away", func(ctx context.Context) {
		begin(ctx, overdue(), business, 3)
		create(ctx, w)
		lowest := 3
		Eventually(func() []string {
			lowest = min(lowest, readyPods(ctx, p))
			return bare(ctx, p)()
		}, 2*patience, time.Millisecond).Should(BeEmpty())
		Expect(lowest).To(BeNumerically(">=", 2))
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.EventPodEvicted))
		p.lawful(ctx, "web")
	})

	It("stay where the next pod would be refused", func(ctx context.Context) {
		p = newPlace(ctx, overdue())
		w = p.workload("web").Obj()
		replicas(ctx, p, w, 2, phitest.Pod("web").Of(w).Unhardened().Obj())
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		Expect(bare(ctx, p)()).To(HaveLen(2))
		Expect(message(ctx, p, "web")).To(ContainSubstring("pod-hardening"))
		p.lawful(ctx, "web")
	})

	It("stay where only a webhook would make the next pod pass, and there is none", func(ctx context.Context) {
		begin(ctx, overdue(hipaav1.ModeEnforce), business, 2)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		Expect(message(ctx, p, "web")).To(ContainSubstring("is the webhook in place?"))
		p.lawful(ctx, "web")
	})

	It("stay where the API server refuses the next pod for a reason of its own", func(ctx context.Context) {
		begin(ctx, overdue(), business, 2)
		update(ctx, &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}}, func(set *appsv1.ReplicaSet) {
			set.Spec.Template.Spec.PriorityClassName = "nobody-made-it"
		})
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		Expect(message(ctx, p, "web")).To(ContainSubstring("the API server refuses the pod that comes after it (Forbidden)"))
		Expect(bare(ctx, p)()).To(HaveLen(2))
		p.lawful(ctx, "web")
	})

	It("are left to people where a list of the template names something twice", func(ctx context.Context) {
		begin(ctx, overdue(), business, 2)
		update(ctx, &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}}, func(set *appsv1.ReplicaSet) {
			set.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SETTING", Value: "one"}, {Name: "SETTING", Value: "two"}}
		})
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(message(ctx, p, "web")).To(ContainSubstring("names something twice"))
		Expect(bare(ctx, p)()).To(HaveLen(2))
		p.lawful(ctx, "web")
	})

	It("wait for a ResourceQuota that has no room for the next pod", func(ctx context.Context) {
		begin(ctx, overdue(), business, 2)
		full := create(ctx, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "full"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: quantity("2")}},
		})
		full.Status = corev1.ResourceQuotaStatus{Hard: full.Spec.Hard, Used: full.Spec.Hard}
		Expect(cluster.Admin.Status().Update(ctx, full)).To(Succeed())
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		Expect(message(ctx, p, "web")).To(ContainSubstring("a ResourceQuota has no room"))
		Expect(bare(ctx, p)()).To(HaveLen(2))
		p.lawful(ctx, "web")
	})

	It("wait for their next restart where they lack no more than labels", func(ctx context.Context) {
		p = newPlace(ctx, overdue(hipaav1.ModeEnforce))
		w = p.workload("web").Obj()
		replicas(ctx, p, w, 2, phitest.Pod("web").Of(w).Obj())
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementAwaitsRestart")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementAwaitsRestart")
		Expect(message(ctx, p, "web")).To(ContainSubstring("data-classification"))
		Expect(readyPods(ctx, p)).To(Equal(2))
		p.becomes(ctx, "web", hipaav1.ConditionSafeguardsMet, "False SafeguardsFailing")
		p.lawful(ctx, "web")
	})

	It("stay where care depends on them", func(ctx context.Context) {
		begin(ctx, overdue(), func(p place) *phitest.WorkloadBuilder {
			return p.workload("web").Continuity(hipaav1.ContinuityPatientCare)
		}, 3)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(bare(ctx, p)()).To(HaveLen(3))
		p.lawful(ctx, "web")
	})

	It("stay where there is only one of them", func(ctx context.Context) {
		begin(ctx, overdue(), business, 1)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(bare(ctx, p)()).To(HaveLen(1))
		p.lawful(ctx, "web")
	})

	It("stay where a profile allows none to be away", func(ctx context.Context) {
		begin(ctx, overdue().MaxUnavailable("0"), business, 3)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(bare(ctx, p)()).To(HaveLen(3))
		p.lawful(ctx, "web")
	})

	It("wait for the window", func(ctx context.Context) {
		in := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("15:04") }
		closed := fmt.Sprintf("Mon-Sun %s-%s UTC", in(2*time.Hour), in(3*time.Hour))
		begin(ctx, overdue().Window(closed), business, 2)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		Expect(bare(ctx, p)()).To(HaveLen(2))
		Expect(message(ctx, p, "web")).To(ContainSubstring("the profiles' window opens at"))
		p.lawful(ctx, "web")
		By("opening it")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) { profile.Spec.Rollout.Window = "Mon-Sun 00:00-24:00 UTC" })
		Eventually(bare(ctx, p), patience, interval).Should(BeEmpty())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		p.lawful(ctx, "web")
	})

	It("wait for a PodDisruptionBudget", func(ctx context.Context) {
		begin(ctx, overdue(), business, 2)
		budget := create(ctx, &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "all"},
			Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(2)), Selector: &w.Spec.Selector},
		})
		Eventually(func() int32 { return get(ctx, budget, p.key("all")).Status.CurrentHealthy }, patience, interval).Should(Equal(int32(2)))
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		Expect(bare(ctx, p)()).To(HaveLen(2))
		Expect(message(ctx, p, "web")).To(ContainSubstring("PodDisruptionBudget"))
		p.lawful(ctx, "web")
	})

	It("stop being replaced when the new ones do not become ready", func(ctx context.Context) {
		begin(ctx, overdue(), business, 3)
		update(ctx, &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}}, func(set *appsv1.ReplicaSet) {
			set.Spec.Template.Labels["ready"] = "never"
		})
		create(ctx, w)
		Eventually(bare(ctx, p), patience, interval).Should(HaveLen(2))
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		Expect(bare(ctx, p)()).To(HaveLen(2))
		p.lawful(ctx, "web")
	})

	It("stay where they started under an exception, although it has ended", func(ctx context.Context) {
		p = newPlace(ctx, overdue())
		w = create(ctx, p.workload("web").Obj())
		x := create(ctx, phitest.Exception("legacy", "web", "pod-hardening").Namespace(p.name).Expires(metav1.NewTime(time.Now().Add(6*time.Second))).Obj())
		approve(ctx, x)
		replicas(ctx, p, w, 3, phitest.Pod("web").Of(w).Unhardened().Obj())
		mend(ctx, p, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(bare(ctx, p)()).To(HaveLen(3))
		Expect(message(ctx, p, "web")).To(ContainSubstring("legacy"))
		p.lawful(ctx, "web")
	})

	It("stay where people put something into them while they ran, and say so until they are replaced", func(ctx context.Context) {
		p = newPlace(ctx, overdue())
		w = p.workload("web").Obj()
		replicas(ctx, p, w, 3, phitest.Pod("web").Of(w).Obj())
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		debugged := podsOf(ctx, p)[0]
		Eventually(func() error {
			if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(debugged), debugged); err != nil {
				return err
			}
			debugged.Spec.EphemeralContainers = phitest.Pod("x").Debugged("tools").Obj().Spec.EphemeralContainers
			return cluster.Admin.SubResource("ephemeralcontainers").Update(ctx, debugged)
		}, patience, interval).Should(Succeed())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementAwaitsRestart")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementAwaitsRestart")
		Expect(message(ctx, p, "web")).To(And(ContainSubstring("1 of 3 pods"), ContainSubstring("privileged-access")))
		Expect(get(ctx, &corev1.Pod{}, client.ObjectKeyFromObject(debugged)).DeletionTimestamp).To(BeNil())
		p.lawful(ctx, "web")

		By("people replace it, and there is nothing left to say")
		Expect(cluster.Admin.Delete(ctx, debugged, client.GracePeriodSeconds(0))).To(Succeed())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
	})

	It("stay where nothing would recreate them", func(ctx context.Context) {
		p = newPlace(ctx, overdue())
		w = p.workload("web").Obj()
		create(ctx, phitest.Pod("alone").Of(w).Unhardened().Obj())
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementNeedsPerson")
		Expect(bare(ctx, p)()).To(HaveLen(1))
		p.lawful(ctx, "web")
	})

	It("finish where they belong to a Job", func(ctx context.Context) {
		p = newPlace(ctx, overdue())
		w = p.workload("web").Obj()
		pod := phitest.Pod("job").Of(w).Unhardened().With(func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyNever }).Obj()
		create(ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "nightly"},
			Spec:       batchv1.JobSpec{Template: template(pod)},
		})
		Eventually(bare(ctx, p), patience, interval).Should(HaveLen(1))
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementPending")
		Expect(message(ctx, p, "web")).To(ContainSubstring("Job"))
		p.lawful(ctx, "web")
	})

	It("stay where they are and are reported while the profile only audits", func(ctx context.Context) {
		begin(ctx, overdue().Mode(hipaav1.ModeAudit), business, 2)
		create(ctx, w)
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReportedOnly")
		p.stays(ctx, "web", hipaav1.ConditionPodsProtected, "False ReportedOnly")
		Expect(bare(ctx, p)()).To(HaveLen(2))
		p.becomes(ctx, "web", hipaav1.ConditionSafeguardsMet, "False SafeguardsFailing")
		p.lawful(ctx, "web")
	})
})

var _ = Describe("Pods in a mode that enforces nothing", func() {
	It("that lack safeguards are told as such, and not as protected", func(ctx context.Context) {
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		w := create(ctx, p.workload("web").Obj())
		create(ctx, phitest.Pod("good").Of(w).Obj())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		create(ctx, phitest.Pod("bare").Of(w).Unhardened().Obj())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReportedOnly")
		Expect(message(ctx, p, "web")).To(Equal(`1 of 2 pods lack safeguards that are reported only, not enforced now: pod-hardening; one of them is pod "bare"`))
		p.lawful(ctx, "web")
	})
})

var _ = Describe("A workload whose last pod has gone", func() {
	It("says what would refuse the next one, as long as one is wanted", func(ctx context.Context) {
		p := newPlace(ctx, overdue())
		w := create(ctx, p.workload("web").Obj())
		last := create(ctx, phitest.Pod("web-1").Of(w).Obj())
		made := create(ctx, deployment(p, w, "web", phitest.Pod("x").Of(w).Unhardened().Obj()))
		create(ctx, deployment(p, w, "good", phitest.Pod("x").Of(w).Obj()))
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
		Expect(cluster.Admin.Delete(ctx, last, client.GracePeriodSeconds(0))).To(Succeed())
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "False ReplacementWouldBeRefused")
		Expect(message(ctx, p, "web")).To(And(HavePrefix("no pod runs, and admission would refuse the next one of Deployment/web: pod-hardening: "), ContainSubstring("(+")))
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.ReasonReplacementWouldBeRefused))
		p.calm(ctx, "web")
		p.lawful(ctx, "web")

		update(ctx, made, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To(int32(0)) })
		label(ctx, nameOf(p), "look", "again")
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True NoPods")
		p.lawful(ctx, "web")
	})
})
