package e2e_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// withoutProxy is why nothing but that is said of calls to vendors.
const withoutProxy = "the operator here has no proxy, which is said before all else: a table of the catalog, the specs of controllers/egress and those of a real node have one"

// unstaged are the breaks that nothing can stage, and why.
var unstaged = map[string]string{
	"a stream that no limit ends":                             "the operator here has no proxy to end sessions: the laws of the catalog hold it",
	"replicas that know nothing of each other's sessions":     "the operator here has no proxy to end sessions: the laws of the catalog hold it",
	"a workload that plaintext still reaches":                 "the operator here has no proxy to give: the specs of controllers/phiworkload open and close the ports",
	"an operator without phi-egress":                          withoutProxy,
	"phi-egress of which no pod is ready":                     withoutProxy,
	"a host to which phi-egress lets nobody out":              withoutProxy,
	"a pod that calls without the proxy":                      withoutProxy,
	"a way past phi-egress":                                   withoutProxy,
	"a network plugin that drops nothing":                     "the operator here is no pod, so that nobody is dialled: internal/isolation and the specs of a real node have some",
	"a certificate of the operator's webhooks that has ended": "with one the API server asks the operator nothing, and no object comes in; a unit test reads one",
	"nobody answers for the workload":                         "the schema of PHIWorkload asks for an owner",
	"an OpenShift that does not encrypt":                      "the API server here shows it, which goes before what a platform says",
	"one of the API servers stores Secrets in the clear":      "there is one API server; internal/canary tries several",
	"API servers of which not all show how they store":        "there is one API server; internal/canary tries several",
	"API servers whose metrics the operator may not read":     "the operator's role is everybody's here; internal/canary tries it",
}

// stated is what a profile has to say before a control looks at all: the shipped
// one cannot know it.
var stated = map[string]func(*phitest.ProfileBuilder) *phitest.ProfileBuilder{
	"data-residency": func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Regions(phitest.Region) },

	"unique-user-identity": peopled, "multi-factor-authentication": peopled, "automatic-logoff": peopled,
	"login-lockout": peopled, "emergency-access": peopled,
}

// aboutPeople are the controls whose breaks need workloads that declare users.
var aboutPeople = []string{"unique-user-identity", "multi-factor-authentication", "automatic-logoff", "login-lockout", "emergency-access"}

// peopled names the identity provider that workloads of breaks declare.
func peopled(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
	return b.Users("staff", metav1.NewTime(time.Now().Add(24*time.Hour)))
}

// scenes stage what the objects of a break do not show by themselves, or what comes
// to another verdict than Fail.
var scenes = map[string]struct {
	stage   func(namespace string) *hipaav1.PHIWorkload
	verdict hipaav1.Verdict
	says    string
}{
	// Whether people reach it at all nobody but its team knows.
	"a workload that says nothing of people": {verdict: hipaav1.VerdictUnknown},
	"a namespace without default deny":       {leftOpen, hipaav1.VerdictFail, "not every pod of namespace"},
	// The shipped profile states nothing, and nothing probes.
	"no proof that policies are enforced":                     {closed, hipaav1.VerdictUnknown, "nothing has shown that this cluster's network plugin enforces NetworkPolicies"},
	"a binding to a ClusterRole that states nothing":          {viewed, hipaav1.VerdictFail, "is ClusterRole view, and neither it nor the RoleBinding states"},
	"nobody states that people are asked for a second factor": {closed, hipaav1.VerdictUnknown, "nobody states that the identity provider asks"},
	"nobody has looked through the Secrets from before":       {closed, hipaav1.VerdictUnknown, "nobody states that those from before have been looked through"},
	"a binding to system:masters":                             {met(phitest.GroupSubject("system:masters")), hipaav1.VerdictFail, "is the group system:masters"},
	"a binding to a user of no identity provider":             {met(phitest.UserSubject("admin")), hipaav1.VerdictFail, "is a User without the prefix"},
	"a binding to a group of no identity provider":            {met(phitest.GroupSubject("kubeadm:cluster-admins")), hipaav1.VerdictFail, "is a Group without the prefix"},
	"a binding of the whole cluster to a user of none": {
		func(namespace string) *hipaav1.PHIWorkload {
			reaching("secrets", "get", phitest.UserSubject("admin"))(namespace + "-wide")
			return met()(namespace)
		}, hipaav1.VerdictFail, "is a User without the prefix",
	},
	"a binding of the whole cluster to cluster-admin": {
		reaching("*", "*", phitest.GroupSubject("developers")), hipaav1.VerdictFail, "which grants every verb, every resource",
	},
	"a binding of the whole cluster that lets all read": {
		reaching("secrets", "get", phitest.GroupSubject("system:authenticated")), hipaav1.VerdictFail, "to everybody whom the API server knows",
	},
	"a binding of the whole cluster into every node": {
		reaching("nodes/proxy", "get", phitest.AccountSubject("monitoring", "agent")), hipaav1.VerdictFail, "reach into every pod by its node",
	},
	"nobody answers for security":                                {closed, hipaav1.VerdictFail, "names a security officer"},
	"nobody answers for privacy":                                 {securityOnly, hipaav1.VerdictFail, "names a privacy officer"},
	"a workload that states no state":                            {of("US"), hipaav1.VerdictUnknown, "names the country"},
	"a workload of a state that is none":                         {of("US-ZZ"), hipaav1.VerdictUnknown, "which is no state"},
	"no profile that says where":                                 {running, hipaav1.VerdictUnknown, "no profile says in which regions"},
	"a pod on a node of another region":                          {abroad, hipaav1.VerdictFail, "in region \"eu-west-1\""},
	"a node without agents":                                      {running, hipaav1.VerdictFail, "which no runtime sensor watches"},
	"a node with other agents only":                              {beside("network-agents", "node-agent", ""), hipaav1.VerdictFail, "which no runtime sensor watches"},
	"a pod with the name of a sensor, in a namespace of its own": {beside("lab", "falco", ""), hipaav1.VerdictFail, "which no runtime sensor watches"},
	"a sensor that is not ready":                                 {beside("falco", "falco", "NeverReady"), hipaav1.VerdictFail, "Falco is there and not ready"},
}

// securityOnly is a workload under profiles that name one officer of two.
func securityOnly(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	workload := closed(namespace)
	officer := phitest.Profile(namespace+"-officer").Selecting(corev1.LabelMetadataName, namespace).Officers().
		With(func(p *hipaav1.ComplianceProfileSpec) { p.Responsibility.PrivacyOfficer = nil }).Obj()
	Expect(admin.Create(ctx, officer)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, officer)).To(Succeed()) })
	return workload
}

// of is a workload that states one jurisdiction.
func of(jurisdiction string) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		phiNamespace(namespace)
		workload := phitest.Workload("api").Namespace(namespace).Jurisdictions(jurisdiction).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		return workload
	}
}

// running is a workload with a pod that runs on the cluster's node.
func running(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	workload := closed(namespace)
	run(phitest.Pod("api-0").Namespace(namespace).Of(workload).Obj())
	return workload
}

// abroad is a workload that runs on a node of another region than its profile allows.
func abroad(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	var nodes corev1.NodeList
	Expect(admin.List(ctx, &nodes)).To(Succeed())
	for _, node := range nodes.Items {
		before := node.DeepCopy()
		node.Labels[corev1.LabelTopologyRegion] = "eu-west-1"
		Expect(admin.Patch(ctx, &node, client.MergeFrom(before))).To(Succeed())
		DeferCleanup(func() {
			back := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+corev1.LabelTopologyRegion+`":null}}}`))
			Expect(admin.Patch(ctx, &node, back)).To(Succeed())
		})
	}
	workload := running(namespace)
	regions := phitest.Profile(namespace+"-regions").Selecting(corev1.LabelMetadataName, namespace).Regions(phitest.Region).Obj()
	Expect(admin.Create(ctx, regions)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, regions)).To(Succeed()) })
	return workload
}

// beside is a workload that runs beside the pod of a DaemonSet, once that runs. How
// the simulated node runs that pod is up to the caller.
func beside(agents, name, simulate string) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: agents}}
		Expect(admin.Create(ctx, home)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, home)).To(Succeed()) })
		labels := map[string]string{"app": name}
		set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: agents, Name: name}, Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"localcluster.hipaa-operator.io/simulate": simulate}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "agent", Image: "registry.example.org/agent:1"}}},
			},
		}}
		Expect(admin.Create(ctx, set)).To(Succeed())
		Eventually(func(g Gomega) {
			var pods corev1.PodList
			g.Expect(admin.List(ctx, &pods, client.InNamespace(agents))).To(Succeed())
			g.Expect(pods.Items).To(ConsistOf(HaveField("Status.Phase", corev1.PodRunning)))
		}).Should(Succeed())
		return running(namespace)
	}
}

// viewed is a workload in a namespace that somebody may view, and nobody says why.
func viewed(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	workload := closed(namespace)
	Expect(admin.Create(ctx, phitest.Binding("viewers").Namespace(namespace).ClusterRole("view").Group("clinical-apps").Obj())).To(Succeed())
	return workload
}

// met is a workload in a namespace that subjects may view, under a profile that says
// how people of the identity provider are known.
func met(subjects ...rbacv1.Subject) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		phiNamespace(namespace)
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.IdentityProvider("oidc:", metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second)))
		})
		binding := phitest.Binding("viewers").Namespace(namespace).ClusterRole("view").Obj()
		binding.Subjects = subjects
		Expect(admin.Create(ctx, binding)).To(Succeed())
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		return workload
	}
}

// reaching is a workload in a cluster where a binding of the whole cluster gives a
// subject rights on a resource of the core group.
func reaching(resource, verb string, subject rbacv1.Subject) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{verb}}
		role, binding := phitest.ClusterRole(namespace, rule), phitest.ClusterBinding(namespace, namespace, subject)
		Expect(admin.Create(ctx, role)).To(Succeed())
		Expect(admin.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func() {
			Expect(admin.Delete(ctx, binding)).To(Succeed())
			Expect(admin.Delete(ctx, role)).To(Succeed())
		})
		return closed(namespace)
	}
}

// closed is a workload in a namespace like any other.
func closed(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	phiNamespace(namespace)
	resolving(namespace)
	workload := phitest.Workload("api").Namespace(namespace).Obj()
	Expect(admin.Create(ctx, workload)).To(Succeed())
	Eventually(owned(namespace, "hipaa-default-deny")).Should(Succeed())
	return workload
}

// leftOpen is a workload in a namespace that waits for a pod which ran there before
// people declared it, and which nobody claims.
func leftOpen(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	open := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(admin.Create(ctx, open)).To(Succeed())
	DeferCleanup(func() { deleteNamespace(namespace) })
	run(phitest.Pod("stranger").Namespace(namespace).Obj())
	declared := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`))
	Expect(admin.Patch(ctx, open, declared)).To(Succeed())
	workload := phitest.Workload("api").Namespace(namespace).Obj()
	Eventually(func() error { return admin.Create(ctx, workload) }).Should(Succeed())
	Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
	return workload
}

// ends lets what people stated in the profile of a namespace end soon: the change is a
// merge patch that takes the instant. Nothing but time passes afterwards.
func ends(namespace, change string) time.Time {
	GinkgoHelper()
	end := time.Now().Add(5 * time.Second).UTC().Truncate(time.Second)
	profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(admin.Patch(ctx, profile, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, change, end.Format(time.RFC3339))))).To(Succeed())
	return end
}

// resolving tells where the pods of a namespace resolve names: this cluster has no
// resolver, and its absence would hide what else is not known.
func resolving(namespace string, more ...func(*phitest.ProfileBuilder) *phitest.ProfileBuilder) *hipaav1.ComplianceProfile {
	GinkgoHelper()
	builder := phitest.Profile(namespace).Selecting(corev1.LabelMetadataName, namespace).DNSAt("10.96.0.10/32", 53)
	for _, change := range more {
		builder = change(builder)
	}
	profile := builder.Obj()
	Expect(admin.Create(ctx, profile)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
	return profile
}
