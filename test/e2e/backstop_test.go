package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The operator is stopped and its webhook configurations are deleted: what is refused
// now, the API server refuses.
var _ = Describe("The backstop", Serial, Ordered, func() {
	const (
		namespace = "backstop"
		tenant    = "tenant@example.org"
		hardening = "pod-hardening (45 CFR 164.312(a)(1)): "
	)
	var (
		admitted, bad *corev1.Pod
		end           time.Time
	)
	webhooks := func() []client.Object {
		return []client.Object{
			&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-mutating"}},
			&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-validating"}},
		}
	}
	held := func() map[string]string {
		b := &hipaav1.Backstop{}
		if err := admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: hipaav1.BackstopName}, b); err != nil {
			return map[string]string{"error": err.Error()}
		}
		return phitest.Held(b)
	}
	attempt := func(pod *corev1.Pod) error { return admin.Create(ctx, pod.DeepCopy(), client.DryRunAll) }

	BeforeAll(func() {
		phiNamespace(namespace)
		workload := phitest.Workload("api").Namespace(namespace).Jurisdictions("US-IL").Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		excused := phitest.Workload("excused").Namespace(namespace).Jurisdictions("US-IL").Obj()
		Expect(admin.Create(ctx, excused)).To(Succeed())
		// No waiting: admission waits until the API server knows of the workload.
		admitted = phitest.Pod("admitted").Namespace(namespace).Of(workload).Obj()
		Expect(admin.Create(ctx, admitted, client.DryRunAll)).To(Succeed())
		bad = phitest.Pod("bad").Namespace(namespace).Of(excused).Obj()
		Expect(admin.Create(ctx, bad, client.DryRunAll)).To(Succeed())
		for _, pod := range []*corev1.Pod{admitted, bad} {
			pod.ResourceVersion, pod.UID = "", ""
		}
		bad.Spec.HostPID = true
		grant(namespace, tenant, "edit")
		grantRules(namespace, "officer@example.org", rbacv1.PolicyRule{
			APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions", "controlexceptions/status"}, Verbs: []string{"get", "patch", "approve"},
		})

		end = time.Now().Add(45 * time.Second).Truncate(time.Second)
		exception := phitest.Exception("short", "excused", "pod-hardening").Namespace(namespace).Expires(metav1.NewTime(end)).Obj()
		Expect(admin.Create(ctx, exception)).To(Succeed())
		digest, err := exception.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		Expect(as("officer@example.org").Status().Patch(ctx, exception, client.RawPatch(types.MergePatchType,
			[]byte(`{"status":{"approval":{"decision":"Approved","specDigest":"`+digest+`"}}}`)))).To(Succeed())
		Eventually(held).Should(And(HaveKeyWithValue("api/pod-hardening", "already"), HaveKeyWithValue("excused/pod-hardening", end.UTC().Format(time.RFC3339))))

		operator.Stop()
		for _, configuration := range webhooks() {
			Expect(admin.Delete(ctx, configuration)).To(Succeed())
		}
		DeferCleanup(func() {
			Expect(operator.Start(ctx)).To(Succeed())
			for _, configuration := range webhooks() {
				Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(configuration), configuration) }).Should(Succeed())
			}
		})
		Eventually(func() error { return attempt(phitest.Pod("bare").Namespace(namespace).Obj()) }).Should(
			MatchError(And(Not(ContainSubstring("webhook")), ContainSubstring(backstop.PodPolicy))), "the API server has forgotten the webhooks")
	})

	It("excuses by an exception that is in force, until it ends", func() {
		Expect(attempt(bad)).To(Succeed())
		Eventually(func() error { return attempt(bad) }, 2*time.Minute).ShouldNot(Succeed())
		Expect(time.Now()).To(BeTemporally(">=", end))
		refused(attempt(bad), hardening+"spec.hostPID is true")
	})

	It("refuses a bare pod, naming each control with its citation and a remedy", func() {
		bare := phitest.Pod("bare").Namespace(namespace).Label("app", "api").Unhardened().Obj()
		refused(admin.Create(ctx, bare), hardening, "; make the pod satisfy Pod Security level restricted",
			"data-classification (45 CFR 164.308(a)(1)(ii)(A)): ", "jurisdiction-tagging (")
		refused(admin.Create(ctx, phitest.Pod("stray").Namespace(namespace).Obj()), "undeclared-pod (45 CFR 164.308(a)(1)(ii)(A)): ", "declare a PHIWorkload")
	})

	It("admits a pod as admission would have written it, and it runs", func() {
		pod := admitted.DeepCopy()
		run(pod)
		Eventually(func() corev1.PodPhase {
			if err := admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return ""
			}
			return pod.Status.Phase
		}).Should(Equal(corev1.PodRunning))
	})

	It("refuses an ephemeral container without the safeguards of every container", func() {
		pod := &corev1.Pod{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(admitted), pod)).To(Succeed())
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "registry.example.org/debug:1.0.0"}}}
		refused(admin.SubResource("ephemeralcontainers").Update(ctx, pod), hardening, "privileged-access (")
	})

	It("refuses a Service that exposes a workload, and rights that nobody could list", func() {
		dryRun := func(object client.Object) error { return admin.Create(ctx, object, client.DryRunAll) }
		service := phitest.Service("api").Namespace(namespace).Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080))
		Expect(dryRun(service.Obj())).To(Succeed())
		refused(dryRun(service.With(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }).Obj()), "no-public-exposure (45 CFR 164.312(a)(1)): spec.type")
		role := phitest.Role("reader").Namespace(namespace).Allows("", "pods", "get")
		refused(dryRun(role.Obj()), "role-documentation (45 CFR 164.308(a)(4)(ii)(B)): ")
		Expect(dryRun(role.Documented().Obj())).To(Succeed())
		refused(dryRun(phitest.Role("all").Namespace(namespace).Allows("", "*", "get").Documented().Obj()), `least-privilege-rbac (45 CFR 164.312(a)(1)): rules.resources have "*"`)
		refused(dryRun(phitest.Binding("reader").Namespace(namespace).Group("system:authenticated").Obj()), "least-privilege-rbac (", "everybody")
		refused(dryRun(phitest.Binding("reader").Namespace(namespace).ClusterRole("cluster-admin").Group("oidc:readers").Obj()), "least-privilege-rbac (", "cluster-admin")
	})

	It("refuses a Secret for a token that never ends, whatever it brings, and leaves every other alone", func() {
		dryRun := func(s *corev1.Secret) error { return admin.Create(ctx, s, client.DryRunAll) }
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "deployer"}, StringData: map[string]string{"password": "anything"}}
		Expect(dryRun(secret.DeepCopy())).To(Succeed())
		secret.Type, secret.Annotations = corev1.SecretTypeServiceAccountToken, map[string]string{corev1.ServiceAccountNameKey: "deployer"}
		for _, holds := range []map[string]string{nil, {"token": "anything"}} {
			secret.StringData = holds
			refused(dryRun(secret.DeepCopy()), "no-embedded-credentials (45 CFR 164.312(d)): type is kubernetes.io/service-account-token", "; mount a projected token")
		}
	})

	It("lets no tenant say what is refused, here or where PHI will be", func() {
		grantRules(namespace, tenant, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"backstops"}, Verbs: []string{"create", "patch", "delete", "deletecollection"}})
		own := &hipaav1.Backstop{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: hipaav1.BackstopName}}
		refused(as(tenant).Patch(ctx, own, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"workloads":[]}}`))), "says what the API server refuses by itself")
		refused(as(tenant).Patch(ctx, own, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`))), "hipaa-operator")
		refused(as(tenant).Delete(ctx, own), "hipaa-operator")
		Expect(as(tenant).DeleteAllOf(ctx, &hipaav1.Backstop{}, client.InNamespace(namespace))).NotTo(Succeed())
		Expect(held()).To(HaveKeyWithValue("api/pod-hardening", "already"))

		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "phi-to-be"}})).To(Succeed())
		DeferCleanup(func() { deleteNamespace("phi-to-be") })
		grant("phi-to-be", tenant, "edit")
		grantRules("phi-to-be", tenant, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"backstops"}, Verbs: []string{"create", "patch", "delete", "deletecollection"}})
		forged := &hipaav1.Backstop{ObjectMeta: metav1.ObjectMeta{Namespace: "phi-to-be", Name: hipaav1.BackstopName}}
		refused(as(tenant).Create(ctx, forged), "says what the API server refuses by itself")
		forged.Name = "another"
		Expect(admin.Create(ctx, forged)).To(MatchError(ContainSubstring("must be named in-force")))
		free := phitest.Pod("free").Namespace("phi-to-be").Unhardened().Obj()
		Expect(attempt(free)).To(Succeed(), "no PHI is declared there")
		Expect(admin.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "phi-to-be"}},
			client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`)))).To(Succeed())
		Eventually(func() error { return attempt(free) }).ShouldNot(Succeed(), "nobody has written what is in force there")
	})

	It("gives way to the operator's own words when that is back", func() {
		Expect(operator.Start(ctx)).To(Succeed())
		for _, configuration := range webhooks() {
			Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(configuration), configuration) }).Should(Succeed())
		}
		Eventually(held).Should(HaveKeyWithValue("excused/pod-hardening", "already"))
		Eventually(func() error { return attempt(bad) }).Should(MatchError(And(
			ContainSubstring(`admission webhook "pods.hipaa-operator.io" denied the request`), ContainSubstring("\n  pod-hardening "), ContainSubstring("spec.hostPID"))))
	})
})
