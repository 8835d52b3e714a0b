package e2e_test

import (
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// What protects the protection: a tenant with "edit", and with every right on what
// protects it but the verbs that matter, so that the refusals are ours.
var _ = Describe("A hostile tenant, against what protects the protection", Ordered, ContinueOnFailure, func() {
	const (
		namespace = "hostile-self"
		user      = "mallory@example.org"
		officer   = "officer-self@example.org"
	)
	var (
		tenant   client.Client
		workload *hipaav1.PHIWorkload
	)
	crds := []string{"customresourcedefinitions", "customresourcedefinitions/status"}

	BeforeAll(func() {
		phiNamespace(namespace)
		grant(namespace, user, "edit")
		grantRules(namespace, user,
			rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions/status"}, Verbs: everyVerb})
		grantRules(namespace, officer,
			rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions"}, Verbs: []string{"approve", "get"}},
			rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"controlexceptions/status"}, Verbs: []string{"patch"}})
		tenant = as(user)
		workload = phitest.Workload("api").Namespace(namespace).Continuity(hipaav1.ContinuityBusiness).Obj()
		Expect(tenant.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
	})

	patch := func(by client.Client, object client.Object, body string, subresource ...string) error {
		p := client.RawPatch(types.MergePatchType, []byte(body))
		if len(subresource) > 0 {
			return by.SubResource(subresource[0]).Patch(ctx, object, p)
		}
		return by.Patch(ctx, object, p)
	}
	definition := func(name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": name},
		}}
	}
	metrics := func() string {
		token, err := kube.MetricsReader(ctx)
		Expect(err).NotTo(HaveOccurred())
		_, text, err := operator.Metrics(ctx, token)
		Expect(err).NotTo(HaveOccurred())
		return text
	}
	ask := func(name, control string, left time.Duration) *phitest.ExceptionBuilder {
		return phitest.Exception(name, "api", control).Namespace(namespace).Expires(metav1.NewTime(time.Now().Add(left)))
	}
	decide := func(x *hipaav1.ControlException) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(x), x)).To(Succeed())
			g.Expect(x.Status.SpecDigest).NotTo(BeEmpty())
			body, err := json.Marshal(map[string]any{"status": map[string]any{"approval": map[string]any{"decision": "Approved", "specDigest": x.Status.SpecDigest}}})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(patch(as(officer), x.DeepCopy(), string(body), "status")).To(Succeed())
		}).Should(Succeed())
	}

	It("cannot weaken a profile, bring one of its own, or take one away, and is told of", func() {
		start := time.Now()
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"complianceprofiles", "complianceprofiles/status"}, Verbs: everyVerb})
		profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-security-rule"}}
		for _, body := range []string{
			`{"spec":{"defaultMode":"Audit"}}`,
			`{"spec":{"controls":[{"id":"pod-hardening","mode":"Warn"}]}}`,
			`{"spec":{"namespaceSelector":{"matchLabels":{"never":"here"}}}}`,
			`{"spec":{"pause":{"reason":"because I would like it so","until":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}}}`,
			`{"spec":{"exceptions":{"maximumLength":"8760h"}}}`,
		} {
			refused(patch(tenant, profile.DeepCopy(), body), `the verb "weaken"`)
		}
		refused(patch(tenant, profile.DeepCopy(), `{"status":{"namespaces":0}}`, "status"), "written by hipaa-operator alone")
		refused(tenant.Delete(ctx, profile.DeepCopy()), `the verb "weaken"`)
		refused(tenant.DeleteAllOf(ctx, &hipaav1.ComplianceProfile{}), `the verb "weaken"`)
		refused(tenant.Create(ctx, phitest.Profile("aaa").NodeDisksStated(metav1.NewTime(time.Now().Add(time.Hour))).Obj()), `the verb "weaken"`)
		Eventually(eventsSince(system, start)).Should(ContainElements(
			event(hipaav1.EventChangeRefused, "Deployment/hipaa-operator-manager", user, "tried to update ComplianceProfile/hipaa-security-rule and was refused"),
			event(hipaav1.EventChangeRefused, user, "tried to delete ComplianceProfile/hipaa-security-rule and was refused"),
			event(hipaav1.EventChangeRefused, user, "tried to create a ComplianceProfile and was refused")))
		Eventually(metrics).Should(MatchRegexp(`hipaa_operator_guard_refusals_total\{kind="ComplianceProfile"\} [1-9]`))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(profile), profile)).To(Succeed())
		Expect(profile.Spec.DefaultMode).To(Equal(hipaav1.ModeEnforce))
	})

	It("cannot weaken or delete the definition of a kind", func() {
		start := time.Now()
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: crds, Verbs: everyVerb})
		for _, kind := range []string{"phiworkloads", "complianceprofiles", "controlexceptions"} {
			crd := definition(kind + "." + hipaav1.GroupName)
			refused(patch(tenant, crd.DeepCopy(), `{"spec":{"names":{"categories":["loose"]}}}`), `the verb "weaken"`)
			refused(tenant.Delete(ctx, crd.DeepCopy()), `the verb "weaken"`)
		}
		Eventually(eventsSince(system, start)).Should(ContainElement(
			event(hipaav1.EventChangeRefused, user, "tried to delete CustomResourceDefinition/phiworkloads.hipaa-operator.io and was refused")))
	})

	It("is told of when it goes for what the operator owns, or for the PHI label", func() {
		start := time.Now()
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "update", "patch"}})
		refused(tenant.Delete(ctx, phitest.Policy("hipaa-api").Namespace(namespace).Obj()), "belongs to hipaa-operator")
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		refused(patch(tenant, ns, `{"metadata":{"labels":{"hipaa-operator.io/phi":null}}}`), hipaav1.LabelPHI)
		Eventually(eventsSince(system, start)).Should(ContainElements(
			event(hipaav1.EventChangeRefused, user, "tried to delete NetworkPolicy "+namespace+"/hipaa-api and was refused"),
			event(hipaav1.EventChangeRefused, user, "tried to update Namespace/"+namespace+" and was refused")))
	})

	It("gets no exception without end, none without the record that the law asks for, and writes nothing of its uses", func() {
		refused(tenant.Create(ctx, ask("endless", "pod-hardening", 300*24*time.Hour).Obj()), "spec.expires", "spec.exceptions.maximumLength", "allows 4320h0m0s from the creation")
		refused(tenant.Create(ctx, ask("bare", "volume-encryption", time.Hour).Unrecorded().Obj()), "spec.record", "164.306(d)(3)")
		x := ask("short", "pod-hardening", time.Hour).Obj()
		Expect(tenant.Create(ctx, x)).To(Succeed())
		longer := time.Now().Add(300 * 24 * time.Hour).UTC().Format(time.RFC3339)
		refused(patch(tenant, x.DeepCopy(), `{"metadata":{"creationTimestamp":"`+longer+`"},"spec":{"expires":"`+longer+`"}}`), "spec.exceptions.maximumLength")
		refused(patch(tenant, x.DeepCopy(), `{"status":{"uses":{"count":1,"last":"`+longer+`"}}}`, "status"), "people write the approval only")
	})

	It("keeps the pods of an exception that has ended, for care comes first, and gets no new ones", func() {
		const left = 40 * time.Second
		x := ask("ending", "pod-hardening", left).Obj()
		Expect(tenant.Create(ctx, x)).To(Succeed())
		decide(x)
		deployment := phitest.Deployment("api", 2).Namespace(namespace).Label("app", "api").Pod(func(b *phitest.PodBuilder) { b.Unhardened() }).Obj()
		Eventually(func() error { return tenant.Create(ctx, deployment) }).Should(Succeed())
		running := And(HaveLen(2), HaveEach(HaveField("Status.Phase", corev1.PodRunning)))
		Eventually(podsOf(namespace, "app", "api")).Should(running)
		before := podsOf(namespace, "app", "api")()
		Eventually(func() *hipaav1.ExceptionUses {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(x), x)).To(Succeed())
			return x.Status.Uses
		}).Should(HaveValue(HaveField("Count", BeNumerically(">=", 3))), "a template and its pods, in one write")
		Expect(metrics()).To(MatchRegexp(`hipaa_operator_exception_uses_total\{control="pod-hardening"\} [1-9]`))
		Expect(metrics()).To(ContainSubstring(`hipaa_operator_exception_end_timestamp_seconds{control="pod-hardening"}`))

		Eventually(func() error {
			return tenant.Create(ctx, phitest.Pod("api-late").Namespace(namespace).Of(workload).Unhardened().Obj(), client.DryRunAll)
		}).WithTimeout(2 * time.Minute).Should(MatchError(ContainSubstring("pod-hardening")))
		Expect(time.Now()).To(BeTemporally(">=", x.Spec.Expires.Time), "at its end, and not before")
		AddReportEntry("refused after its end by", time.Since(x.Spec.Expires.Time))
		Eventually(conditionOf(workload, hipaav1.ConditionPodsProtected)).Should(HaveField("Status", metav1.ConditionFalse))
		Consistently(podsOf(namespace, "app", "api"), "5s").Should(running)
		Expect(podsOf(namespace, "app", "api")()).To(ConsistOf(HaveField("UID", before[0].UID), HaveField("UID", before[1].UID)), "the very same pods")
		Expect(eventsSince(namespace, x.CreationTimestamp.Time)()).To(ContainElement(event(hipaav1.EventExceptionEnding, "PHIWorkload/api", "ControlException ending")))
	})

	It("has next to no time where somebody takes a guard away, and people hear of it", func() {
		start := time.Now()
		guard := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-profiles"}}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(guard), guard)).To(Succeed())
		was := guard.UID
		Expect(admin.Delete(ctx, guard)).To(Succeed())
		gone := time.Now()
		Eventually(func() (types.UID, error) {
			err := admin.Get(ctx, client.ObjectKeyFromObject(guard), guard)
			return guard.UID, err
		}).WithPolling(10 * time.Millisecond).ShouldNot(Or(BeEmpty(), Equal(was)))
		AddReportEntry("restored after", time.Since(gone))
		Eventually(eventsSince(system, start)).Should(ContainElement(event(hipaav1.ReasonAdmissionRestored, "ValidatingAdmissionPolicy/hipaa-operator-profiles was deleted")))
		Eventually(metrics).Should(MatchRegexp(`hipaa_operator_guard_restorations_total\{kind="ValidatingAdmissionPolicy"\} [1-9]`))
	})
})
