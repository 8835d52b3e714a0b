package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// Rights are given by people with more of them than tenants have: the API server
// itself keeps everybody from granting what they have not.
var _ = Describe("Rights in a PHI namespace", func() {
	var ns string
	BeforeEach(func(ctx SpecContext) {
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		Eventually(func() error {
			return admin.Create(ctx, phitest.Role("probe").Namespace(ns).Allows("", "*", "*").Obj(), client.DryRunAll)
		}).Should(MatchError(ContainSubstring(`workload "patient-api"`)), "the cache has seen the workload")
	})

	It("are named one by one in Roles", func(ctx SpecContext) {
		err := admin.Create(ctx, phitest.Role("wide").Namespace(ns).Allows("apps", "deployments", "*").Allows("", "secrets", "impersonate").Obj())
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(
			ContainSubstring(`role "wide" in PHI namespace`), ContainSubstring("least-privilege-rbac"),
			ContainSubstring(`rules[0].verbs have "*"`), ContainSubstring(`rules[1].verbs have "impersonate"`))))
		narrow := phitest.Role("narrow").Namespace(ns).Allows("", "pods", "get").Documented().Obj()
		Expect(admin.Create(ctx, narrow)).To(Succeed())
		narrow.Rules[0].Resources = []string{"*"}
		Expect(admin.Update(ctx, narrow)).To(MatchError(ContainSubstring(`rules[0].resources have "*"`)))
	})

	It("are stated on the Role that grants them", func(ctx SpecContext) {
		role := phitest.Role("on-call").Namespace(ns).Allows("", "pods", "get").Obj()
		Expect(admin.Create(ctx, role.DeepCopy())).To(MatchError(And(ContainSubstring("role-documentation"),
			ContainSubstring("metadata.annotations[hipaa-operator.io/role-purpose] is missing"))))
		role.Annotations = phitest.RoleStatement(role.Rules)
		Expect(admin.Create(ctx, role)).To(Succeed())
		By("and stay so")
		stated := role.DeepCopy()
		delete(stated.Annotations, hipaav1.AnnotationRolePurpose)
		Expect(admin.Update(ctx, stated)).To(MatchError(ContainSubstring("role-purpose] is missing")))
		stated = role.DeepCopy()
		stated.Rules[0].Verbs = append(stated.Rules[0].Verbs, "delete")
		Expect(admin.Update(ctx, stated)).To(MatchError(ContainSubstring(`rules[0].verbs grant "delete", which the role does not state`)))
	})

	It("are bound to somebody, and to no role that grants everything", func(ctx SpecContext) {
		bind := func(name string) *phitest.BindingBuilder { return phitest.Binding(name).Namespace(ns) }
		Eventually(func() error { return admin.Create(ctx, bind("all").ClusterRole("cluster-admin").Group("ops").Obj()) }).
			Should(MatchError(ContainSubstring("roleRef is ClusterRole cluster-admin, which grants every verb, every resource, every API group")))
		Expect(admin.Create(ctx, bind("crowd").ClusterRole("view").Group("system:authenticated").Obj())).
			To(MatchError(ContainSubstring("subjects[0] is Group system:authenticated: everybody whom the API server knows")))

		By("while the built-in roles of teams may be bound to them")
		for _, role := range []string{"view", "edit", "admin"} {
			Expect(admin.Create(ctx, bind(role).ClusterRole(role).Group("clinical-apps").Obj())).To(Succeed())
		}
		view := bind("view").Obj()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(view), view)).To(Succeed())
		view.Subjects = append(view.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts"})
		Expect(admin.Update(ctx, view)).To(MatchError(ContainSubstring("subjects[1] is Group system:serviceaccounts: every ServiceAccount of the cluster")))
	})
})

var _ = Describe("An Ingress into a PHI namespace", func() {
	It("is refused where the workload that it leads to declares no gateway", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		tenant := as("tess@example.org")
		Eventually(func() error {
			return tenant.Create(ctx, phitest.Ingress("out", "api.ehr.example.org", "patient-api").Namespace(ns).Obj(), client.DryRunAll)
		}).Should(MatchError(And(ContainSubstring(`ingress "out" in PHI namespace`), ContainSubstring("no-public-exposure"),
			ContainSubstring("to PHIWorkload patient-api, whose access.from declares no gateway"))))
	})
})

var _ = Describe("An Ingress of a workload that declares its gateway", func() {
	It("is refused where it asks for plaintext, or for TLS below 1.2", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		Expect(admin.Create(ctx, phitest.Workload("patient-api").Namespace(ns).Port("http", 8080).From(phitest.FromGateway("edge")).Obj())).To(Succeed())
		Expect(admin.Create(ctx, phitest.Service("patient-api").Namespace(ns).Selecting("app", "patient-api").Port("http", 80, intstr.FromString("http")).Obj())).To(Succeed())
		tenant := as("tess@example.org")
		ingress := func(keysAndValues ...string) *networkingv1.Ingress {
			return phitest.Ingress("out", "api.ehr.example.org", "patient-api").Namespace(ns).Annotate(keysAndValues...).Obj()
		}
		bare := ingress()
		bare.Spec.TLS = nil
		Eventually(func() error { return tenant.Create(ctx, bare.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(And(ContainSubstring("lacks 1 safeguard (https-redirect)"), ContainSubstring("spec.tls is missing"))), "the cache has seen the workload")
		Expect(tenant.Create(ctx, ingress("nginx.ingress.kubernetes.io/server-snippet", "ssl_protocols TLSv1;"))).
			To(MatchError(ContainSubstring("sets ssl_protocols to what is older than TLS 1.2")))
		out := ingress()
		Expect(tenant.Create(ctx, out)).To(Succeed())
		out.Annotations = map[string]string{"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
		Expect(tenant.Update(ctx, out)).To(MatchError(ContainSubstring("is false: hosts with TLS are served in plaintext as well")))

		By("also for a new path of one that was at fault before")
		early := namespaceWithoutPHI(ctx)
		stood := phitest.Ingress("out", "api.ehr.example.org", "patient-api").Namespace(early).Obj()
		Expect(admin.Create(ctx, stood)).To(Succeed())
		declared := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true","mode":"enforce"}}}`))
		Expect(admin.Patch(ctx, phitest.Namespace(early).Obj(), declared)).To(Succeed())
		Eventually(func() error { return admin.Create(ctx, phitest.Workload("patient-api").Namespace(early).Obj()) }).Should(Succeed())
		wider := stood.DeepCopy()
		wider.Spec.Rules[0].HTTP.Paths = append(wider.Spec.Rules[0].HTTP.Paths, wider.Spec.Rules[0].HTTP.Paths[0])
		wider.Spec.Rules[0].HTTP.Paths[1].Path = "/fhir"
		Eventually(func() error { return admin.Update(ctx, wider.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring("no-public-exposure")))
		stood.Labels = map[string]string{"team": "ehr"}
		Expect(admin.Update(ctx, stood)).To(Succeed(), "what does not change it")
	})
})

var _ = Describe("The access parameters of a profile", func() {
	It("name subjects as bindings do, and no prefix of Kubernetes itself", func(ctx SpecContext) {
		try := func(change func(*hipaav1.AccessParameters)) error {
			profile := phitest.Profile("access").OnlyByName().IdentityProvider("oidc:", phitest.After(0)).Obj()
			change(profile.Spec.Access)
			return admin.Create(ctx, profile, client.DryRunAll)
		}
		named := func(subject hipaav1.AccessSubject) func(*hipaav1.AccessParameters) {
			return func(p *hipaav1.AccessParameters) { p.Administrators = []hipaav1.AccessSubject{subject} }
		}
		Expect(try(named(hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectGroup, Name: "ops"}))).To(Succeed())
		Expect(try(named(hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectServiceAccount, Namespace: "argocd", Name: "controller"}))).To(Succeed())
		Expect(try(named(hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectServiceAccount, Name: "controller"}))).To(MatchError(ContainSubstring("a ServiceAccount has a namespace")))
		Expect(try(named(hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectUser, Namespace: "argocd", Name: "ada"}))).To(MatchError(ContainSubstring("and nothing else has")))
		Expect(try(func(p *hipaav1.AccessParameters) { p.IdentityProvider.GroupsPrefix = "system:" })).To(MatchError(ContainSubstring("is Kubernetes' own")))
		Expect(try(func(p *hipaav1.AccessParameters) { *p = hipaav1.AccessParameters{} })).To(HaveOccurred())
	})
})
