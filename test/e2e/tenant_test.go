package e2e_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// A tenant with the built-in role "edit" in a PHI namespace tries to get a pod
// out of protection. Where the role lacks a right, the spec grants it, so that
// the refusal is ours and not RBAC's.
var _ = Describe("A hostile tenant", Ordered, ContinueOnFailure, func() {
	const (
		namespace = "hostile"
		user      = "tenant@example.org"
	)
	var (
		tenant   client.Client
		workload *hipaav1.PHIWorkload
		pod      *corev1.Pod
	)

	BeforeAll(func() {
		phiNamespace(namespace)
		grant(namespace, user, "edit")
		grantRules(namespace, user,
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/status", "pods/binding", "pods/ephemeralcontainers", "endpoints"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"phiworkloads/status", "phiworkloads/finalizers", "controlexceptions/status"}, Verbs: everyVerb},
		)
		tenant = as(user)
		workload = phitest.Workload("api").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
		pod = phitest.Pod("api-0").Namespace(namespace).Of(workload).Obj()
		Expect(tenant.Create(ctx, pod)).To(Succeed())
		Expect(pod.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "api"))
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
	labels := func(labels map[string]any) map[string]any {
		return map[string]any{"metadata": map[string]any{"labels": labels}}
	}

	It("cannot take the operator's labels off a pod, nor the workload's", func() {
		refused(patch(pod.DeepCopy(), labels(map[string]any{hipaav1.LabelWorkload: nil})), "labels of hipaa-operator.io")
		refused(patch(pod.DeepCopy(), labels(map[string]any{hipaav1.LabelWorkload: "other"})), "labels of hipaa-operator.io")
		refused(patch(pod.DeepCopy(), labels(map[string]any{"app": "free"})), "PHIWorkload")
	})

	It("cannot do so through the status subresource either", func() {
		refused(patch(pod.DeepCopy(), labels(map[string]any{hipaav1.LabelWorkload: nil}), "status"), "labels of hipaa-operator.io")
		refused(patch(pod.DeepCopy(), labels(map[string]any{"app": "free"}), "status"), "PHIWorkload")
	})

	It("cannot bring labels along with a binding", func() {
		pending := phitest.Pod("pending").Namespace(namespace).Of(workload).With(func(p *corev1.Pod) { p.Spec.SchedulerName = "nobody" }).Obj()
		Expect(tenant.Create(ctx, pending)).To(Succeed())
		typed, err := kubernetes.NewForConfig(impersonating(user))
		Expect(err).NotTo(HaveOccurred())
		refused(typed.CoreV1().Pods(namespace).Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pending.Name, Labels: map[string]string{hipaav1.LabelWorkload: "other"}},
			Target:     corev1.ObjectReference{Kind: "Node", Name: "any"},
		}, metav1.CreateOptions{}), "label")
	})

	It("cannot take the PHI label off the namespace", func() {
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"}, Verbs: []string{"get", "update", "patch"}})
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		refused(patch(ns.DeepCopy(), labels(map[string]any{hipaav1.LabelPHI: nil})), hipaav1.LabelPHI)
		refused(patch(ns.DeepCopy(), labels(map[string]any{hipaav1.LabelPHI: "false"})), hipaav1.LabelPHI)
		refused(patch(ns.DeepCopy(), labels(map[string]any{hipaav1.LabelPHI: nil}), "status"), hipaav1.LabelPHI)
	})

	It("wins no time by declaring its pods anew, and no freedom by a workload that goes before anybody looked", func() {
		Eventually(func() time.Duration { return time.Since(pod.CreationTimestamp.Time) }).Should(BeNumerically(">", time.Second))
		again := phitest.Workload("again").Namespace(namespace).Selecting("app", "api").Obj()
		Expect(tenant.Create(ctx, again)).To(Succeed())
		Eventually(func() hipaav1.Stage {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(again), again)).To(Succeed())
			return again.Status.Stage
		}).Should(Equal(hipaav1.StageEnforced))
		refused(tenant.Create(ctx, phitest.Pod("early").Namespace(namespace).Of(workload).Unhardened().Obj()), "pod-hardening")
		refused(tenant.Create(ctx, phitest.Pod("nobodys").Namespace(namespace).Obj()), "undeclared-pod")
		Expect(tenant.Create(ctx, phitest.Pod("api-shared").Namespace(namespace).Of(workload).Obj())).To(Succeed(), "two workloads over one pod stop nobody's care")
		Expect(tenant.Delete(ctx, again)).To(Succeed())
		Eventually(func() error { return client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(again), again)) }).Should(Succeed())

		By("a workload goes only when the operator knows of its pods")
		fleeting := phitest.Workload("fleeting").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, fleeting)).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Pod("left").Namespace(namespace).Of(fleeting).Obj())).To(Succeed())
		if err := tenant.Delete(ctx, fleeting); err != nil {
			refused(err, "has not taken this PHIWorkload on yet")
			Eventually(func() error { return tenant.Delete(ctx, fleeting) }).Should(Succeed())
		}
		Consistently(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(fleeting), fleeting) }, "2s").Should(Succeed(), "its pod lives")
		Expect(tenant.Delete(ctx, phitest.Pod("left").Namespace(namespace).Obj(), client.GracePeriodSeconds(0))).To(Succeed())
	})

	It("cannot move the selector, and loosens nothing by another profile", func() {
		refused(patch(workload.DeepCopy(), map[string]any{"spec": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": "else"}}}}), "immutable")
		Expect(patch(workload.DeepCopy(), map[string]any{"spec": map[string]any{"profileRef": map[string]any{"name": "hipaa-audit-only"}}})).To(Succeed())
		refused(tenant.Create(ctx, phitest.Pod("loose").Namespace(namespace).Of(workload).Unhardened().Obj()), "pod-hardening")
		Expect(patch(workload.DeepCopy(), map[string]any{"spec": map[string]any{"profileRef": nil}})).To(Succeed())
	})

	It("cannot win time by writing the stage into the status", func() {
		refused(patch(workload.DeepCopy(), map[string]any{"status": map[string]any{"stage": "Previewing"}}, "status"))
	})

	It("cannot get rid of its policies by deleting the workload, with whatever propagation", func() {
		policy := &networkingv1.NetworkPolicy{}
		for _, propagation := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan} {
			doomed := phitest.Workload("doomed").Namespace(namespace).Selecting("app", "doomed").Obj()
			Expect(tenant.Create(ctx, doomed)).To(Succeed())
			Eventually(owned(namespace, "hipaa-doomed")).Should(Succeed())
			living := phitest.Pod("doomed-0").Namespace(namespace).Of(doomed).Obj()
			Expect(tenant.Create(ctx, living)).To(Succeed())
			Expect(tenant.Delete(ctx, doomed, client.PropagationPolicy(propagation))).To(Succeed())
			refused(patch(doomed.DeepCopy(), map[string]any{"metadata": map[string]any{"finalizers": nil}}), "finalizer")
			Consistently(func() error {
				return admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "hipaa-doomed"}, policy)
			}, "2s").Should(Succeed(), "the policy of a living pod has gone (%s)", propagation)
			Expect(tenant.Delete(ctx, living, client.GracePeriodSeconds(0))).To(Succeed())
			Eventually(func() bool {
				return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(doomed), doomed))
			}).Should(BeTrue(), "the workload is not released after its last pod")
			Eventually(func() bool {
				return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "hipaa-doomed"}, policy))
			}).Should(BeTrue(), "the owned policy outlives its workload")
		}
	})

	It("cannot touch what the operator owns: edit, delete, adopt by ownerReference, imitate", func() {
		policy := &networkingv1.NetworkPolicy{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "hipaa-api"}, policy)).To(Succeed())
		refused(tenant.Delete(ctx, policy.DeepCopy()), "hipaa-operator")
		refused(patch(policy.DeepCopy(), map[string]any{"spec": map[string]any{"ingress": []any{map[string]any{}}}}), "hipaa-operator")
		refused(patch(policy.DeepCopy(), labels(map[string]any{hipaav1.LabelManagedBy: nil})), "hipaa-operator")
		refused(patch(policy.DeepCopy(), map[string]any{"metadata": map[string]any{"ownerReferences": []any{map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000",
		}}}}), "hipaa-operator")
		imitation := phitest.Policy("imitation").Namespace(namespace).Selecting("app", "api").Obj()
		imitation.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
		refused(tenant.Create(ctx, imitation), "hipaa-operator")
	})

	It("cannot open the network with a policy of its own", func() {
		refused(tenant.Create(ctx, phitest.Policy("open").Namespace(namespace).Ingress(nil).Obj()), "network-isolation")
		refused(tenant.Create(ctx, phitest.Policy("leak").Namespace(namespace).Egress(phitest.Block("0.0.0.0/0")).Obj()), "network-isolation")
	})

	It("cannot write endpoints by hand", func() {
		Expect(tenant.Create(ctx, phitest.Service("api").Namespace(namespace).Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080)).Obj())).To(Succeed())
		slice := phitest.Slice("mine", "api", "10.9.9.9").Port("http", 8080).Obj()
		slice.Namespace = namespace
		refused(tenant.Create(ctx, slice), "network-isolation")
		slice.Labels[discoveryv1.LabelManagedBy] = "endpointslice-controller.k8s.io"
		refused(tenant.Create(ctx, slice), "network-isolation")
		refused(tenant.Create(ctx, &corev1.Endpoints{ //nolint:staticcheck // tenants still write the deprecated kind
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "api"},
			Subsets:    []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: "10.9.9.9"}}, Ports: []corev1.EndpointPort{{Port: 8080}}}}, //nolint:staticcheck // as above
		}), "network-isolation")
	})

	It("cannot reach into a pod, though its role lets it", func() {
		impersonated := impersonating(user)
		Expect(tenant.Create(ctx, phitest.Service("into").Namespace(namespace).Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080)).Obj())).To(Succeed())
		for _, way := range control.Ways() {
			name := pod.Name
			if way == control.ServiceProxy {
				name = "into"
			}
			refused(reach(impersonated, way, namespace, name), "privileged-access", "of PHIWorkload api, which takes a grant")
		}
		for _, command := range [][]string{
			{"exec", pod.Name, "--", "env"}, {"attach", pod.Name}, {"port-forward", pod.Name, "18080:8080"}, {"port-forward", "service/into", "18080:80"},
			{"debug", pod.Name, "--image=registry.example.org/tools:1", "--profile=restricted"},
		} {
			out, err := kube.Run(ctx, append([]string{"--namespace", namespace, "--as", user}, command...)...)
			AddReportEntry(strings.Join(command, " "), out)
			Expect(err).To(HaveOccurred())
			Expect(out).To(And(ContainSubstring("privileged-access"), ContainSubstring("ControlException")), "what kubectl prints")
		}
	})

	It("cannot add an ephemeral container, hardened or not, but under a grant that somebody else approved", func() {
		tools := phitest.Pod("x").Debugged("tools").Obj().Spec.EphemeralContainers[0]
		privileged := tools
		privileged.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		refused(debug(tenant, pod, privileged), "pod-hardening", "privileged-access")
		refused(debug(tenant, pod, tools), "privileged-access")

		grantOf := phitest.Exception("change-4711", "api", "privileged-access").Namespace(namespace).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(tenant.Create(ctx, grantOf)).To(Succeed())
		grantRules(namespace, "officer@example.org", rbacv1.PolicyRule{
			APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions", "controlexceptions/status"}, Verbs: []string{"get", "patch", "approve"},
		})
		digest, err := grantOf.Spec.Digest()
		Expect(err).NotTo(HaveOccurred())
		Expect(as("officer@example.org").SubResource("status").Patch(ctx, grantOf,
			client.RawPatch(types.MergePatchType, []byte(`{"status":{"approval":{"decision":"Approved","specDigest":"`+digest+`"}}}`)))).To(Succeed())
		Eventually(func() error { return debug(tenant, pod, tools) }).Should(Succeed())
		refused(debug(tenant, pod, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "more", Image: "registry.example.org/tools:1", SecurityContext: privileged.SecurityContext,
		}}), "pod-hardening")
		Expect(reach(impersonating(user), control.Exec, namespace, pod.Name, "command", "env")).To(MatchError(Not(ContainSubstring("privileged-access"))),
			"the node is simulated, so nobody gets in; but it is not admission that refuses")

		By("its use is on record twice, and what was run is in neither of ours")
		Eventually(lines(operator.Log(), "Admitted connection to PHI", `"user":"`+user+`"`)).Should(ContainElement(And(
			ContainSubstring(`"logger":"admission.access"`), ContainSubstring(`"way":"Exec"`), ContainSubstring(`"exceptions":"change-4711"`), ContainSubstring(`"name":"api-0"`),
			Not(ContainSubstring("env")))))
		Eventually(lines(kube.AuditLog, `"subresource":"exec"`, `"connections.hipaa-operator.io/exceptions":"change-4711"`)).Should(
			ContainElement(ContainSubstring(`"connections.hipaa-operator.io/warned":"privileged-access"`)))

		By("the grant does not lead to the pods of another workload")
		other := phitest.Workload("other").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, other)).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Pod("other-0").Of(other).Label("tier", "both").Obj())).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Pod("api-1").Of(workload).Label("tier", "both").Obj())).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Service("both").Namespace(namespace).Selecting("tier", "both").Port("http", 80, intstr.FromInt32(8080)).Obj())).To(Succeed())
		Eventually(func() error { return reach(impersonating(user), control.ServiceProxy, namespace, "both") }).Should(
			MatchError(ContainSubstring("of PHIWorkload other, which takes a grant")))
	})

	It("may patch the image of a running pod, for that is no escape from any control of this ruleset", func() {
		running := &corev1.Pod{}
		Eventually(func(g Gomega) {
			g.Expect(tenant.Get(ctx, client.ObjectKeyFromObject(pod), running)).To(Succeed())
			running.Spec.Containers[0].Image = "registry.example.org/other:2"
			g.Expect(tenant.Update(ctx, running)).To(Succeed())
		}).Should(Succeed())
		Expect(running.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "api"))
	})

	It("cannot approve its own exception, nor write an approval for somebody else", func() {
		exception := phitest.Exception("mine", "api", "pod-hardening").Namespace(namespace).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		exception.Status = hipaav1.ControlExceptionStatus{}
		Expect(tenant.Create(ctx, exception)).To(Succeed())
		refused(patch(exception.DeepCopy(), map[string]any{"status": map[string]any{"approval": map[string]any{"decision": "Approved", "approver": "boss@example.org"}}}, "status"))
	})

	It("is excused by an officer who says what was read, not by one who could be the tenant", func() {
		exception := phitest.Exception("asked", "api", "pod-hardening").Namespace(namespace).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(tenant.Create(ctx, exception)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(exception), exception)).To(Succeed())
			g.Expect(exception.Status.SpecDigest).NotTo(BeEmpty())
		}).Should(Succeed())
		may := []rbacv1.PolicyRule{
			{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions"}, Verbs: []string{"approve", "get"}},
			{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions/status"}, Verbs: []string{"patch"}},
		}
		grantRules(namespace, "officer@example.org", may...)
		grantRules(namespace, "puppeteer@example.org", may...)
		grantCluster("puppeteer@example.org", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}})
		decide := func(who, approval string) error {
			return as(who).Status().Patch(ctx, exception.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"approval":`+approval+`}}`)))
		}
		read := `{"decision":"Approved","specDigest":"` + exception.Status.SpecDigest + `"}`
		refused(decide("officer@example.org", `{"decision":"Approved"}`), "status.specDigest")
		refused(decide("puppeteer@example.org", read), "one person could play both parts")
		Expect(decide("officer@example.org", read)).To(Succeed())
		excused := phitest.Pod("excused").Namespace(namespace).Of(workload).Unhardened().Obj()
		Eventually(func() error { return tenant.Create(ctx, excused, client.DryRunAll) }).Should(Succeed())
	})

	It("cannot run a pod that nobody declared", func() {
		refused(tenant.Create(ctx, phitest.Pod("nobody").Namespace(namespace).Obj()), "PHIWorkload")
	})
})

// lines are those of a file that hold all of the words.
func lines(file string, words ...string) func() ([]string, error) {
	return func() ([]string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var holding []string
		for line := range strings.Lines(string(text)) {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				holding = append(holding, line)
			}
		}
		return holding, nil
	}
}

// owned asks for a NetworkPolicy.
func owned(namespace, name string) func() error {
	return func() error {
		return admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &networkingv1.NetworkPolicy{})
	}
}

// grant binds a role that lets its holder write PHIWorkloads.
func grant(namespace, user, clusterRole string) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "grant-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
	inEffect(namespace, user, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"phiworkloads"}, Verbs: []string{"create"}})
}

// everyVerb is what tenants of these tests may do to some resources, by name: a Role
// with a wildcard is refused.
var everyVerb = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

func grantRules(namespace, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "grant-", Annotations: phitest.RoleStatement(rules)}, Rules: rules,
	}
	Expect(admin.Create(ctx, role)).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "grant-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
	inEffect(namespace, user, rules...)
}

func grantCluster(user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "grant-"}, Rules: rules}
	Expect(admin.Create(ctx, role)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "grant-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func() {
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		Expect(admin.Delete(ctx, role)).To(Succeed())
	})
	inEffect("", user, rules...)
}

// inEffect waits until the API server's authorizer has seen rules, so that a
// refusal afterwards is not RBAC's.
func inEffect(namespace, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			name, subresource, _ := strings.Cut(resource, "/")
			Eventually(func(g Gomega) {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: user,
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: name, Subresource: subresource,
					},
				}}
				g.Expect(admin.Create(ctx, review)).To(Succeed())
				g.Expect(review.Status.Allowed).To(BeTrue())
			}).Should(Succeed())
		}
	}
}
