package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("While the operator is stopped", Serial, Ordered, func() {
	var (
		ns         string
		tenant     *person
		pod        *corev1.Pod
		deployment *appsv1.Deployment
	)
	BeforeAll(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		pod = phitest.Pod("patient-api").Namespace(ns).Obj()
		pod.Finalizers = []string{"example.org/hold"}
		Expect(tenant.Create(ctx, pod)).To(Succeed())
		deployment = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "patient-api"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "patient-api"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "patient-api"}}, Spec: phitest.Pod("x").Obj().Spec},
		}}
		Expect(tenant.Create(ctx, deployment)).To(Succeed())
		policy := owned(closing(ns, "hipaa-patient-api"))
		Expect(as(manager).Create(ctx, policy)).To(Succeed())
		operator.stop()
		DeferCleanup(func() { operator.start() })
	})

	It("refuses new PHI pods", func(ctx SpecContext) {
		Expect(tenant.Create(ctx, phitest.Pod("next").Namespace(ns).Label("app", "patient-api").Obj())).To(
			MatchError(ContainSubstring(`failed calling webhook "pods.hipaa-operator.io"`)))
	})

	It("lets all others in", func(ctx SpecContext) {
		plain := namespaceWithoutPHI(ctx)
		Expect(tenant.Create(ctx, phitest.Pod("shop").Namespace(plain).Unhardened().Obj())).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Claim("data").Namespace(plain).Class("plain").Obj())).To(Succeed())
		Expect(tenant.Create(ctx, opening(plain, "open"))).To(Succeed())
	})

	It("refuses to reach into PHI pods, and nobody else's", func(ctx SpecContext) {
		caller := callerAs("tess@example.org")
		for name, w := range ways {
			Expect(w.ask(ctx, caller, ns, "patient-api")).To(MatchError(ContainSubstring(`failed calling webhook "connections.hipaa-operator.io"`)), name)
		}
		Expect(ways["attach"].ask(ctx, caller, namespaceWithoutPHI(ctx), "shop")).To(MatchError(apierrors.IsNotFound, "is not there"))
	})

	It("stops no kubelet, no controller and no clean-up", func(ctx SpecContext) {
		kubelet := as("system:node:node-1", "system:masters", "system:nodes")
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		Expect(kubelet.Status().Update(ctx, pod)).To(Succeed())
		deployment.Spec.Replicas = ptr.To[int32](0)
		Expect(tenant.Update(ctx, deployment)).To(Succeed())
		deployment.Finalizers = []string{"example.org/hold"}
		Expect(tenant.Update(ctx, deployment)).To(Succeed())
		deployment.Finalizers = nil
		Expect(tenant.Update(ctx, deployment)).To(Succeed())
		Expect(tenant.Delete(ctx, deployment)).To(Succeed())

		Expect(tenant.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		Expect(pod.DeletionTimestamp).NotTo(BeNil())
		pod.Finalizers = nil
		Expect(tenant.Update(ctx, pod)).To(Succeed())
		Expect(client.IgnoreNotFound(tenant.Get(ctx, client.ObjectKeyFromObject(pod), pod))).To(Succeed())
	})

	It("deletes policies and PHIWorkloads without a witness", func(ctx SpecContext) {
		officer := as("sam@example.org", "security")
		Expect(officer.Delete(ctx, owned(closing(ns, "hipaa-patient-api")))).To(Succeed())
		doomed := phitest.Workload("doomed").Namespace(ns).Obj()
		Expect(tenant.Create(ctx, doomed)).To(Succeed())
		Expect(tenant.Delete(ctx, doomed)).To(MatchError(ContainSubstring("has not taken this PHIWorkload on yet")))
		controllerutil.AddFinalizer(doomed, hipaav1.FinalizerRelease)
		Expect(as(manager).Update(ctx, doomed)).To(Succeed())
		Expect(tenant.Delete(ctx, doomed)).To(Succeed())
	})

	It("guards on inside the API server", func(ctx SpecContext) {
		kept := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: ns}, kept)).To(Succeed())
		delete(kept.Labels, hipaav1.LabelPHI)
		Expect(tenant.Update(ctx, kept)).To(MatchError(ContainSubstring("release")))
		Expect(as(manager).Create(ctx, owned(closing(ns, "hipaa-default-deny")))).To(Succeed())
		Expect(tenant.Delete(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hipaa-default-deny"}})).To(
			MatchError(ContainSubstring("belongs to hipaa-operator")))
	})
})
