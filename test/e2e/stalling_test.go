package e2e_test

import (
	"encoding/json"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// A tenant who cannot get out of protection plays for time: makes the operator wait
// for what never comes, or look at what is not so.
var _ = Describe("A tenant who plays for time", Ordered, ContinueOnFailure, func() {
	const (
		namespace = "stalling"
		user      = "staller@example.org"
	)
	var (
		tenant   client.Client
		workload *hipaav1.PHIWorkload
	)

	BeforeAll(func() {
		phiNamespace(namespace)
		grant(namespace, user, "edit")
		grantRules(namespace, user,
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"phiworkloads/finalizers"}, Verbs: everyVerb},
		)
		tenant = as(user)
		workload = phitest.Workload("api").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
	})
	AfterEach(func() {
		Expect(owned(namespace, "hipaa-default-deny")()).To(Succeed(), "the namespace was opened")
		Expect(owned(namespace, "hipaa-api")()).To(Succeed())
	})

	patch := func(object client.Object, body any, subresource ...string) error {
		encoded, err := json.Marshal(body)
		Expect(err).NotTo(HaveOccurred())
		p := client.RawPatch(types.MergePatchType, encoded)
		if len(subresource) > 0 {
			return tenant.SubResource(subresource[0]).Patch(ctx, object, p)
		}
		return tenant.Patch(ctx, object, p)
	}
	metadata := func(fields map[string]any) map[string]any { return map[string]any{"metadata": fields} }
	gone := func(object client.Object) func() bool {
		return func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(object), object)) }
	}
	// declared is a workload of the tenant that the operator has taken on.
	declared := func(name string, more ...func(*hipaav1.PHIWorkload)) *hipaav1.PHIWorkload {
		GinkgoHelper()
		w := phitest.Workload(name).Namespace(namespace).Obj()
		for _, change := range more {
			change(w)
		}
		Expect(tenant.Create(ctx, w)).To(Succeed())
		Eventually(owned(namespace, "hipaa-"+name)).Should(Succeed())
		return w
	}

	It("keeps a deleted workload waiting with pods that never go, and only keeps it protected", func() {
		kept := declared("kept")
		// No node takes it, so no kubelet ever says that it has ended. The cluster's own
		// collector does, within 20 s of its deletion; what was open to it may go then.
		first := phitest.Pod("kept-0").Of(kept).With(func(p *corev1.Pod) {
			p.Finalizers, p.Spec.SchedulerName = []string{"example.org/never"}, "nobody"
		}).Obj()
		Expect(tenant.Create(ctx, first)).To(Succeed())
		free := func() error { return patch(first.DeepCopy(), metadata(map[string]any{"finalizers": nil})) }
		DeferCleanup(func() { _ = free() })
		ended := func() bool {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(first), first)).To(Succeed())
			return first.Status.Phase == corev1.PodFailed
		}
		Expect(tenant.Delete(ctx, kept)).To(Succeed())
		refused(tenant.Create(ctx, phitest.Pod("kept-1").Of(kept).Unhardened().Obj()), "pod-hardening")
		second := phitest.Pod("kept-2").Of(kept).Obj()
		Expect(tenant.Create(ctx, second)).To(Succeed(), "whose workload is being deleted")
		Expect(second.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "kept"))
		for _, pod := range []*corev1.Pod{first, second} {
			refused(patch(pod.DeepCopy(), metadata(map[string]any{"labels": map[string]any{"app": "free"}})), "PHIWorkload")
			Expect(tenant.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		}
		Consistently(func() bool {
			missing := errors.Join(admin.Get(ctx, client.ObjectKeyFromObject(kept), kept), owned(namespace, "hipaa-kept")())
			return missing == nil || ended()
		}, "2s").Should(BeTrue(), "what protects pods goes before them")
		Eventually(func() bool {
			released := conditionOf(kept, hipaav1.ConditionReleased)()
			return released != nil && released.Reason == hipaav1.ReasonPodsLive || ended()
		}).Should(BeTrue())
		Expect(free()).To(Succeed())
		Eventually(gone(kept)).Should(BeTrue())
	})

	It("lets a pod pretend to have finished: it loses what was open to it, and is found when it lives again", func() {
		feigning := declared("feigning")
		pod := phitest.Pod("feigning-0").Of(feigning).With(func(p *corev1.Pod) { p.Spec.SchedulerName = "nobody" }).Obj()
		Expect(tenant.Create(ctx, pod)).To(Succeed())
		Expect(patch(pod.DeepCopy(), map[string]any{"status": map[string]any{"phase": "Succeeded"}}, "status")).To(Succeed())
		Expect(tenant.Delete(ctx, feigning)).To(Succeed())
		Eventually(gone(feigning)).Should(BeTrue())
		Eventually(func() bool { return apierrors.IsNotFound(owned(namespace, "hipaa-feigning")()) }).Should(BeTrue())
		start := time.Now()
		Expect(patch(pod.DeepCopy(), map[string]any{"status": map[string]any{"phase": "Running"}}, "status")).To(Succeed())
		Eventually(eventsSince(namespace, start)).Should(ContainElement(event(hipaav1.EventPodUndeclared, "Pod/feigning-0", "closed by default")))
		Eventually(undeclaredIn(namespace)).Should(Equal(int32(1)))
		Expect(tenant.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(undeclaredIn(namespace)).Should(BeZero())
	})

	It("keeps a workload there for ever by a finalizer of its own, which then declares nothing", func() {
		undead := declared("undead", func(w *hipaav1.PHIWorkload) { w.Finalizers = []string{"example.org/never"} })
		Expect(tenant.Delete(ctx, undead)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(owned(namespace, "hipaa-undead")()) }).Should(BeTrue())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(undead), undead)).To(Succeed())
		Eventually(func() error {
			return tenant.Create(ctx, phitest.Pod("undead-0").Namespace(namespace).Label("app", "undead").Obj(), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("undeclared-pod")))
		refused(tenant.Create(ctx, phitest.Pod("undead-1").Namespace(namespace).Label("app", "undead").Obj()), "undeclared-pod")
		Expect(patch(undead.DeepCopy(), metadata(map[string]any{"finalizers": nil}))).To(Succeed())
		Eventually(gone(undead)).Should(BeTrue())
	})

	It("wins no stage by declaring anew, nor by an age that it writes itself", func() {
		reborn := declared("reborn")
		for range 3 {
			Expect(tenant.Delete(ctx, reborn)).To(Succeed())
			Eventually(gone(reborn)).Should(BeTrue())
			reborn = declared("reborn", func(w *hipaav1.PHIWorkload) { w.Status.Stage = hipaav1.StagePreviewing })
			refused(tenant.Create(ctx, phitest.Pod("reborn-x").Of(reborn).Unhardened().Obj()), "pod-hardening")
		}
		Eventually(func() hipaav1.Stage {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(reborn), reborn)).To(Succeed())
			return reborn.Status.Stage
		}).Should(Equal(hipaav1.StageEnforced))

		old := phitest.Pod("reborn-0").Of(reborn).With(func(p *corev1.Pod) {
			p.CreationTimestamp, p.UID = metav1.NewTime(time.Now().Add(-time.Hour)), "00000000-0000-0000-0000-000000000000"
		}).Obj()
		Expect(tenant.Create(ctx, old)).To(Succeed())
		Expect(old.CreationTimestamp.Time).To(BeTemporally("~", time.Now(), time.Minute), "the API server tells how old it is")
		Expect(patch(old.DeepCopy(), metadata(map[string]any{"creationTimestamp": "2020-01-01T00:00:00Z"}))).To(Or(Succeed(), HaveOccurred()))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
		Expect(old.CreationTimestamp.Time).To(BeTemporally("~", time.Now(), time.Minute))
	})

	It("loses its workload by an owner that does not exist, but not the policies of its pods", func() {
		orphan := declared("orphan")
		pod := phitest.Pod("orphan-0").Of(orphan).Obj()
		Expect(tenant.Create(ctx, pod)).To(Succeed())
		Expect(patch(orphan.DeepCopy(), metadata(map[string]any{"ownerReferences": []any{map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000",
		}}}))).To(Succeed())
		Eventually(func() *metav1.Time {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(orphan), orphan)).To(Succeed())
			return orphan.DeletionTimestamp
		}).ShouldNot(BeNil(), "the garbage collector deletes it")
		Consistently(owned(namespace, "hipaa-orphan"), "2s").Should(Succeed())
		Expect(tenant.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(gone(orphan)).Should(BeTrue())
	})

	It("gains nothing for its pods by a second workload over them that is excused", func() {
		lax := phitest.Workload("lax").Namespace(namespace).Selecting("app", "api").Obj()
		Expect(tenant.Create(ctx, lax)).To(Succeed())
		Eventually(owned(namespace, "hipaa-lax")).Should(Succeed())
		grantRules(namespace, "officer@example.org", rbacv1.PolicyRule{
			APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions", "controlexceptions/status"}, Verbs: []string{"get", "patch", "approve"},
		})
		for _, id := range []string{"pod-hardening", "privileged-access"} {
			excuse := phitest.Exception("lax-"+id, "lax", id).Namespace(namespace).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
			Expect(tenant.Create(ctx, excuse)).To(Succeed())
			digest, err := excuse.Spec.Digest()
			Expect(err).NotTo(HaveOccurred())
			Expect(as("officer@example.org").SubResource("status").Patch(ctx, excuse,
				client.RawPatch(types.MergePatchType, []byte(`{"status":{"approval":{"decision":"Approved","specDigest":"`+digest+`"}}}`)))).To(Succeed())
			Eventually(func() string {
				Expect(admin.Get(ctx, client.ObjectKeyFromObject(excuse), excuse)).To(Succeed())
				return statusOf(excuse.Status.Conditions, hipaav1.ConditionInForce)
			}).Should(Equal("True"))
		}
		refused(tenant.Create(ctx, phitest.Pod("api-1").Of(workload).Unhardened().Obj()), "pod-hardening")
		shared := phitest.Pod("api-2").Of(workload).Obj()
		Expect(tenant.Create(ctx, shared)).To(Succeed())
		refused(reach(impersonating(user), control.Exec, namespace, shared.Name), "privileged-access", "of PHIWorkload api, which takes a grant")
		Eventually(conditionOf(workload, hipaav1.ConditionSelectorUnique)).Should(HaveField("Reason", hipaav1.ReasonSelectorOverlaps))
		Expect(tenant.Delete(ctx, lax)).To(Succeed())
		Eventually(gone(lax)).Should(BeTrue())
	})

	It("cannot become the operator", func() {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: cluster.ServiceAccount}}
		token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)}}
		Expect(tenant.SubResource("token").Create(ctx, account, token)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
		for _, secret := range []client.Object{
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hipaa-operator-webhook-cert"}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hipaa-operator-changes"}},
		} {
			Expect(tenant.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
		}
		own := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: cluster.ServiceAccount}}
		Expect(tenant.Create(ctx, own)).To(Succeed(), "the name alone means nothing")
		namesake := as("system:serviceaccount:"+namespace+":"+cluster.ServiceAccount, "system:serviceaccounts")
		grant(namespace, "system:serviceaccount:"+namespace+":"+cluster.ServiceAccount, "admin")
		refused(namesake.Delete(ctx, phitest.Policy("hipaa-api").Namespace(namespace).Obj()), "hipaa-operator")
	})

	It("gets no other pods by scaling than by creating them, and no scale or status of its declarations", func() {
		deployment := phitest.Deployment("scaled", 0).Namespace(namespace).Label("app", "api").Obj()
		Expect(tenant.Create(ctx, deployment)).To(Succeed())
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 1}}
		Expect(tenant.SubResource("scale").Update(ctx, deployment, client.WithSubResourceBody(scale))).To(Succeed())
		Eventually(podsOf(namespace, hipaav1.LabelWorkload, "api")).Should(ContainElement(HaveField("ObjectMeta.GenerateName", HavePrefix("scaled-"))))
		Expect(admin.SubResource("scale").Update(ctx, workload, client.WithSubResourceBody(scale))).To(MatchError(apierrors.IsNotFound, "is not there"))
		Expect(patch(deployment.DeepCopy(), map[string]any{"status": map[string]any{"readyReplicas": 7}}, "status")).To(MatchError(apierrors.IsForbidden, "is forbidden"))
		Expect(tenant.Delete(ctx, &appsv1.Deployment{ObjectMeta: deployment.ObjectMeta})).To(Succeed())
	})
})

// undeclaredIn is how many undeclared pods the status of the shipped profile counts
// in a namespace.
func undeclaredIn(namespace string) func() int32 {
	return func() int32 {
		profile := &hipaav1.ComplianceProfile{}
		if err := admin.Get(ctx, client.ObjectKey{Name: "hipaa-security-rule"}, profile); err != nil || profile.Status.Undeclared == nil {
			return 0
		}
		for _, in := range profile.Status.Undeclared.In {
			if in.Namespace == namespace {
				return in.Pods
			}
		}
		return 0
	}
}

func statusOf(conditions []metav1.Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return string(c.Status)
		}
	}
	return ""
}
