package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// allow gives a user a ClusterRole of these rules.
func allow(ctx SpecContext, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "allowed-"}, Rules: rules}
	Expect(admin.Create(ctx, role)).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
}

var _ = Describe("An attempt on what is guarded", func() {
	const user = "tess@example.org"
	attempt := func(kind, namespace, name, operation string) witness.Attempt {
		return witness.Attempt{Kind: kind, Namespace: namespace, Name: name, Operation: operation, User: user}
	}

	It("is told of, once for each, with who it was", func(ctx SpecContext) {
		tess, ns := as(user), namespace(ctx, "enforce")
		allow(ctx, user, rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"delete"}})
		profile := phitest.Profile("tried").OnlyByName().Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		policy := phitest.Policy("hipaa-api").Namespace(ns).Obj()
		policy.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
		Expect(as(manager).Create(ctx, policy)).To(Succeed())
		definition := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "phiworkloads.hipaa-operator.io"},
		}}
		space := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns}}}
		imitation := policy.DeepCopy()
		imitation.ResourceVersion, imitation.Name, imitation.UID = "", "whatever-they-wrote", ""

		attempts.take()
		for _, try := range []struct {
			what error
			want witness.Attempt
		}{
			{tess.Patch(ctx, profile.DeepCopy(), merge(`{"spec":{"defaultMode":"Audit"}}`)), attempt("ComplianceProfile", "", "tried", "UPDATE")},
			{tess.DeleteAllOf(ctx, &hipaav1.ComplianceProfile{}, client.MatchingFields{"metadata.name": "tried"}), attempt("ComplianceProfile", "", "tried", "DELETE")},
			{tess.Create(ctx, phitest.Profile("mine").OnlyByName().Obj()), attempt("ComplianceProfile", "", "", "CREATE")},
			{tess.Delete(ctx, policy.DeepCopy()), attempt("NetworkPolicy", ns, "hipaa-api", "DELETE")},
			{tess.Patch(ctx, policy.DeepCopy(), merge(`{"spec":{"policyTypes":["Egress"]}}`)), attempt("NetworkPolicy", ns, "hipaa-api", "UPDATE")},
			{tess.Create(ctx, imitation), attempt("NetworkPolicy", ns, "", "CREATE")},
			{tess.Patch(ctx, space.DeepCopy(), merge(`{"metadata":{"labels":{"hipaa-operator.io/phi":null}}}`)), attempt("Namespace", "", ns, "UPDATE")},
			{tess.Status().Patch(ctx, space.DeepCopy(), merge(`{"metadata":{"labels":{"hipaa-operator.io/phi":null}}}`)), attempt("Namespace", "", ns, "UPDATE")},
			{tess.Delete(ctx, definition.DeepCopy()), attempt("CustomResourceDefinition", "", "phiworkloads.hipaa-operator.io", "DELETE")},
		} {
			Expect(apierrors.IsForbidden(try.what)).To(BeTrue(), "%v: %v", try.want, try.what)
		}
		Expect(attempts.take()).To(Equal([]witness.Attempt{
			attempt("ComplianceProfile", "", "tried", "UPDATE"), attempt("ComplianceProfile", "", "tried", "DELETE"), attempt("ComplianceProfile", "", "", "CREATE"),
			attempt("NetworkPolicy", ns, "hipaa-api", "DELETE"), attempt("NetworkPolicy", ns, "hipaa-api", "UPDATE"), attempt("NetworkPolicy", ns, "", "CREATE"),
			attempt("Namespace", "", ns, "UPDATE"), attempt("Namespace", "", ns, "UPDATE"),
			attempt("CustomResourceDefinition", "", "phiworkloads.hipaa-operator.io", "DELETE"),
		}))
	})

	It("is nothing that is allowed, rehearsed, or changes nothing", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		sam, tess := as("sam@example.org", "security"), as(user)
		profile := phitest.Profile("allowed").OnlyByName().Obj()
		attempts.take()
		Expect(sam.Create(ctx, profile)).To(Succeed())
		Expect(tess.Patch(ctx, profile.DeepCopy(), merge(`{"metadata":{"labels":{"team":"clinical"}}}`))).To(Succeed())
		Expect(tess.Delete(ctx, profile.DeepCopy(), client.DryRunAll)).NotTo(Succeed())
		Expect(sam.Delete(ctx, profile)).To(Succeed())
		policy := phitest.Policy("hipaa-api").Namespace(ns).Obj()
		policy.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
		Expect(as(manager).Create(ctx, policy)).To(Succeed())
		Expect(as("system:serviceaccount:kube-system:namespace-controller").Delete(ctx, policy)).To(Succeed())
		Expect(attempts.take()).To(BeEmpty())
	})

	It("is refused all the same while the operator is away", func(ctx SpecContext) {
		profile := phitest.Profile("alone").OnlyByName().Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		operator.stop()
		DeferCleanup(func() { operator.start() })
		Expect(as(user).Delete(ctx, profile.DeepCopy())).To(MatchError(ContainSubstring(`the verb "weaken"`)))
		Expect(as("sam@example.org", "security").Delete(ctx, profile)).To(Succeed())
	})
})

var _ = Describe("A profile", func() {
	var profile *hipaav1.ComplianceProfile
	BeforeEach(func(ctx SpecContext) {
		profile = phitest.Profile("guarded").OnlyByName().Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, profile))).To(Succeed()) })
	})
	needsTheVerb := MatchError(ContainSubstring(`takes the verb "weaken" on complianceprofiles.hipaa-operator.io`))

	It("is not weakened by whoever may write profiles, by no way", func(ctx SpecContext) {
		tess := as("tess@example.org")
		for name, change := range map[string]string{
			"a milder mode":      `{"spec":{"defaultMode":"Audit"}}`,
			"a control":          `{"spec":{"controls":[{"id":"pod-hardening","mode":"Warn"}]}}`,
			"fewer namespaces":   `{"spec":{"namespaceSelector":{"matchLabels":{"never":"here"}}}}`,
			"a statement":        `{"spec":{"storage":{"nodeDisks":{"statedBy":"nobody","reason":"nobody has looked at them","expires":"2099-01-01T00:00:00Z"}}}}`,
			"a pause":            `{"spec":{"pause":{"reason":"because I would like it so","until":"2099-01-01T00:00:00Z"}}}`,
			"longer exceptions":  `{"spec":{"exceptions":{"maximumLength":"8760h"}}}`,
			"an earlier ruleset": `{"spec":{"rulesetVersion":"2020.1"}}`,
		} {
			Expect(tess.Patch(ctx, profile.DeepCopy(), merge(change))).To(needsTheVerb, name)
		}
		Expect(tess.Delete(ctx, profile.DeepCopy())).To(needsTheVerb)
		Expect(tess.DeleteAllOf(ctx, &hipaav1.ComplianceProfile{}, client.MatchingFields{"metadata.name": profile.Name})).To(needsTheVerb)
		Expect(tess.Create(ctx, phitest.Profile("aaa-first-by-name").OnlyByName().Obj())).To(needsTheVerb)
		Expect(tess.Status().Patch(ctx, profile.DeepCopy(), merge(`{"status":{"previewing":0}}`))).To(MatchError(ContainSubstring("written by hipaa-operator alone")))
		Expect(as("sam@example.org", "security").Status().Patch(ctx, profile.DeepCopy(), merge(`{"status":{"previewing":0}}`))).NotTo(Succeed())
		Expect(tess.Patch(ctx, profile.DeepCopy(), merge(`{"metadata":{"labels":{"team":"clinical"},"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"gone","uid":"gone"}]}}`))).To(Succeed(), "labels decide nothing")
		Expect(as("system:serviceaccount:kube-system:generic-garbage-collector").Delete(ctx, profile.DeepCopy())).To(needsTheVerb, "an owner that is gone takes no profile along")
	})

	It("is changed by the security team, and its status by the operator", func(ctx SpecContext) {
		sam := as("sam@example.org", "security")
		Expect(sam.Patch(ctx, profile, merge(`{"spec":{"defaultMode":"Audit"}}`))).To(Succeed())
		Expect(as(manager).Status().Patch(ctx, profile, merge(`{"status":{"previewing":0}}`))).To(Succeed())
		Expect(sam.Delete(ctx, profile)).To(Succeed())
		Expect(sam.Create(ctx, phitest.Profile("guarded").OnlyByName().Obj())).To(Succeed())
	})

	It("is changed by a pipeline that has the verb for it, and for no other", func(ctx SpecContext) {
		const pipeline = "system:serviceaccount:argocd:deployer"
		other := phitest.Profile("guarded-too").OnlyByName().Obj()
		Expect(admin.Create(ctx, other)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, other)).To(Succeed()) })
		allow(ctx, pipeline, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"complianceprofiles"}, ResourceNames: []string{"guarded"}, Verbs: []string{"weaken"}})
		Eventually(func() error {
			return as(pipeline).Patch(ctx, profile.DeepCopy(), merge(`{"spec":{"defaultMode":"Audit"}}`))
		}).Should(Succeed())
		Expect(as(pipeline).Patch(ctx, other.DeepCopy(), merge(`{"spec":{"defaultMode":"Audit"}}`))).To(needsTheVerb)
		Expect(as(pipeline).Delete(ctx, other.DeepCopy())).To(needsTheVerb)
		Expect(as(pipeline).Delete(ctx, profile)).To(Succeed())
		Expect(as(pipeline).Create(ctx, phitest.Profile("guarded").OnlyByName().Obj())).To(Succeed())
		ns := &unstructured.Unstructured{}
		ns.SetAPIVersion("v1")
		ns.SetKind("Namespace")
		ns.SetName(namespace(ctx, "enforce"))
		Expect(as(pipeline).Patch(ctx, ns, merge(`{"metadata":{"labels":{"hipaa-operator.io/phi":null}}}`))).To(MatchError(ContainSubstring(`the verb "release"`)), "that is another right")
	})
})

var _ = Describe("The definition of a kind", func() {
	const crds = "customresourcedefinitions"
	definition := func(name string) *unstructured.Unstructured {
		crd := &unstructured.Unstructured{}
		crd.SetAPIVersion("apiextensions.k8s.io/v1")
		crd.SetKind("CustomResourceDefinition")
		crd.SetName(name)
		return crd
	}
	needsTheVerb := MatchError(ContainSubstring(`takes the verb "weaken" on customresourcedefinitions.apiextensions.k8s.io`))
	BeforeEach(func(ctx SpecContext) {
		allow(ctx, "dev@example.org", rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{crds, crds + "/status"},
			Verbs: []string{"get", "list", "create", "update", "patch", "delete", "deletecollection"}})
		dev := as("dev@example.org")
		Eventually(func() error {
			return dev.Get(ctx, client.ObjectKey{Name: "phiworkloads.hipaa-operator.io"}, definition(""))
		}).Should(Succeed())
	})

	It("is not weakened or deleted by whoever may write definitions", func(ctx SpecContext) {
		dev := as("dev@example.org")
		for _, name := range []string{"phiworkloads", "complianceprofiles", "controlexceptions", "vendors"} {
			crd := definition(name + ".hipaa-operator.io")
			Expect(dev.Patch(ctx, crd.DeepCopy(), merge(`{"spec":{"preserveUnknownFields":false,"names":{"categories":["loose"]}}}`))).To(needsTheVerb, name)
			Expect(dev.Status().Patch(ctx, crd.DeepCopy(), merge(`{"status":{"storedVersions":["v9"]}}`))).To(needsTheVerb, name)
			Expect(dev.Delete(ctx, crd.DeepCopy())).To(needsTheVerb, name)
			Expect(dev.DeleteAllOf(ctx, crd.DeepCopy(), client.MatchingFields{"metadata.name": crd.GetName()})).To(needsTheVerb, name)
			Expect(dev.Patch(ctx, crd.DeepCopy(), merge(`{"metadata":{"labels":{"team":"clinical"}}}`))).To(Succeed())
		}
		others := definition("widgets.example.org")
		others.Object["spec"] = map[string]any{
			"group": "example.org", "scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}}}},
		}
		Expect(dev.Create(ctx, others)).To(Succeed(), "nobody else's definitions wait for us")
		Expect(dev.Delete(ctx, others)).To(Succeed())
		ours := others.DeepCopy()
		ours.SetResourceVersion("")
		ours.SetName("widgets.hipaa-operator.io")
		Expect(unstructured.SetNestedField(ours.Object, "hipaa-operator.io", "spec", "group")).To(Succeed())
		Expect(dev.Create(ctx, ours)).To(needsTheVerb, "it could take the names of the next version's kinds")
	})

	It("is upgraded by who has the verb for it", func(ctx SpecContext) {
		const pipeline = "system:serviceaccount:argocd:installer"
		allow(ctx, pipeline,
			rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{crds}, Verbs: []string{"get", "patch"}},
			rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{crds}, ResourceNames: []string{"phiworkloads.hipaa-operator.io"}, Verbs: []string{"weaken"}})
		change := func(name string, categories string) error {
			return as(pipeline).Patch(ctx, definition(name), merge(`{"spec":{"names":{"categories":[`+categories+`]}}}`))
		}
		Eventually(func() error { return change("phiworkloads.hipaa-operator.io", `"hipaa","phi"`) }).Should(Succeed())
		Expect(change("phiworkloads.hipaa-operator.io", `"hipaa"`)).To(Succeed())
		Expect(change("controlexceptions.hipaa-operator.io", `"hipaa","phi"`)).To(needsTheVerb)
	})
})
