package e2e_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// A tenant who knows what a control looks at goes around it: by another field that
// means the same, by an object that is right when it comes and edited afterwards, by
// a name that somebody else answers to. One case for each control that has such a
// way; what a plain violation meets, the Breaks of the catalogue show.
var _ = Describe("A tenant who goes around", Ordered, ContinueOnFailure, func() {
	const (
		namespace = "dodging"
		user      = "dodger@example.org"
	)
	var (
		tenant   client.Client
		workload *hipaav1.PHIWorkload
	)
	pod := func(name string) *phitest.PodBuilder { return phitest.Pod(name).Namespace(namespace).Of(workload) }
	edit := func(object client.Object, merge string) error {
		return tenant.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(merge)))
	}
	settings := func(name string, data map[string]string) *corev1.ConfigMap {
		GinkgoHelper()
		held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data}
		Expect(tenant.Create(ctx, held)).To(Succeed())
		return held
	}

	BeforeAll(func() {
		phiNamespace(namespace)
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Regions(phitest.Region) })
		grant(namespace, user, "edit")
		rules := []rbacv1.PolicyRule{
			{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: append(everyVerb, "escalate")},
			{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}},
		}
		grantCluster(user, rules...)
		tenant = as(user)
		workload = phitest.Workload("api").Namespace(namespace).Port("http", 8080).From(phitest.FromGateway("ingress-nginx")).Obj()
		Expect(tenant.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
	})

	It("pod-hardening, by a pod that says it is of Windows, where less is asked for", func() {
		windows := pod("windows").Unhardened().With(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }).Obj()
		refused(tenant.Create(ctx, windows), "pod-hardening")
	})

	It("ephemeral-storage and volume-encryption, by a volume that a driver makes inside the pod", func() {
		inline := pod("inline").Volume("scratch", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "hostpath.csi.example.org"}}).Obj()
		refused(tenant.Create(ctx, inline), "volume-encryption")
	})

	It("volume-encryption, by naming the volume itself, and by a claim inside the pod", func() {
		plain := phitest.Class("dodging-plain").Unencrypted().Obj()
		volume := phitest.Volume("dodging-plain").Class(plain.Name).Obj()
		Expect(admin.Create(ctx, plain)).To(Succeed())
		Expect(admin.Create(ctx, volume)).To(Succeed())
		DeferCleanup(func() {
			Expect(admin.Delete(ctx, plain)).To(Succeed())
			Expect(admin.Delete(ctx, volume)).To(Succeed())
		})
		named := phitest.Claim("named").Namespace(namespace).Label("app", "api").Class("").BoundTo(volume.Name).Obj()
		refused(tenant.Create(ctx, named), "volume-encryption")
		refused(tenant.Create(ctx, pod("inside").Ephemeral("data", phitest.Claim("unused").Class(plain.Name)).Obj()), "volume-encryption")
	})

	It("customer-managed-keys, by a claim that somebody else's selector would not find", func() {
		provider := phitest.Class("dodging-provider").ProviderKey().Obj()
		Expect(admin.Create(ctx, provider)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, provider)).To(Succeed()) })
		Expect(tenant.Create(ctx, phitest.Claim("unlabelled").Namespace(namespace).Class(provider.Name).Obj())).To(
			MatchError(ContainSubstring("customer-managed-keys")))
	})

	It("unique-service-identity, by the field's old name, and by the account of another workload", func() {
		old := pod("old").With(func(p *corev1.Pod) { p.Spec.ServiceAccountName, p.Spec.DeprecatedServiceAccount = "", "default" }).Obj()
		refused(tenant.Create(ctx, old), "unique-service-identity")
		other := phitest.Workload("other").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, other)).To(Succeed())
		Expect(tenant.Create(ctx, phitest.Pod("other-0").Namespace(namespace).Of(other).Obj())).To(Succeed())
		borrowed := pod("borrowed").With(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "other" }).Obj()
		Eventually(func() error { return tenant.Create(ctx, borrowed.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring("unique-service-identity")))
	})

	It("data-classification and jurisdiction-tagging, by labels that change later", func() {
		tagged := phitest.Claim("tagged").Namespace(namespace).Label("app", "api").Obj()
		Expect(tenant.Create(ctx, tagged)).To(Succeed())
		refused(edit(tagged, `{"metadata":{"labels":{"`+hipaav1.DefaultCriticalityKey+`":"Deferrable"}}}`), "data-classification")
		refused(edit(tagged, `{"metadata":{"labels":{"`+hipaav1.DefaultJurisdictionPrefix+`/US-CA":"true"}}}`), "jurisdiction-tagging")
	})

	It("data-residency, by an affinity that allows one region more", func() {
		wide := pod("wide").With(func(p *corev1.Pod) {
			term := func(region string) corev1.NodeSelectorTerm {
				return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelTopologyRegion, Operator: corev1.NodeSelectorOpIn, Values: []string{region}},
				}}
			}
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{term(phitest.Region), term("eu-west-1")},
			}}}
		}).Obj()
		refused(tenant.Create(ctx, wide), "data-residency")
	})

	It("environment-separation, by another label on the claim of production", func() {
		records := phitest.Claim("records").Namespace(namespace).Label("app", "api").Obj()
		Expect(tenant.Create(ctx, records)).To(Succeed())
		relabelled := edit(records, `{"metadata":{"labels":{"`+hipaav1.DefaultEnvironmentKey+`":"Test"}}}`)
		refused(relabelled, "data-classification")
		test := phitest.Workload("test").Namespace(namespace).Environment(hipaav1.EnvironmentTest).Obj()
		Expect(tenant.Create(ctx, test)).To(Succeed())
		refused(tenant.Create(ctx, phitest.Pod("test-0").Namespace(namespace).Of(test).Mounts("data", records.Name).Obj()), "environment-separation")
	})

	It("environment-separation, by a snapshot of a claim of production", func() {
		serve("volumesnapshots.snapshot.storage.k8s.io")
		lab := phitest.Workload("lab").Namespace(namespace).Environment(hipaav1.EnvironmentTest).Obj()
		Expect(tenant.Create(ctx, lab)).To(Succeed())
		copyOf := func(name, app string) error {
			taken := custom("snapshot.storage.k8s.io/v1", "VolumeSnapshot", fields{"source": fields{"persistentVolumeClaimName": name}})
			taken.SetNamespace(namespace)
			taken.SetName(name)
			Expect(tenant.Create(ctx, phitest.Claim(name).Namespace(namespace).Label("app", app).Obj())).To(Succeed())
			Eventually(func() error { return admin.Create(ctx, taken) }).Should(Succeed())
			return tenant.Create(ctx, phitest.Claim("copy-of-"+name).Namespace(namespace).Label("app", "lab").With(func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: ptr.To("snapshot.storage.k8s.io"), Kind: "VolumeSnapshot", Name: name}
			}).Obj())
		}
		refused(copyOf("ledger", "api"), "\n  environment-separation ", "restores VolumeSnapshot "+namespace+"/ledger of claim ledger of environment Production into one of Test")
		Expect(copyOf("made-up", "lab")).To(MatchError(And(ContainSubstring("\n  volume-encryption "), Not(ContainSubstring("environment-separation")))),
			"data of a test may be copied within tests; how a driver encrypts a copy is another control's")
	})

	It("environment-separation, by a Secret that is offered to other namespaces once it holds something", func() {
		held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "offered"}, StringData: map[string]string{"password": "anything"}}
		Expect(tenant.Create(ctx, held)).To(Succeed())
		Eventually(func() error {
			return tenant.Patch(ctx, held, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"replicator.v1.mittwald.de/replicate-to":"lab-.*"}}}`)), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("environment-separation (45 CFR 164.312(a)(1)): metadata.annotations let the Secret be copied")), "the API server goes by the workload")
	})

	It("environment-separation, by rights for a namespace that turns out to be of another environment", func() {
		phiNamespace("dodging-lab")
		lab := phitest.Workload("lab").Namespace("dodging-lab").Obj()
		Eventually(func() error { return admin.Create(ctx, lab) }).Should(Succeed())
		Eventually(owned(lab.Namespace, "hipaa-lab")).Should(Succeed())
		readers := phitest.Binding("labs").Namespace(namespace).ClusterRole("view").With(lab.Namespace, "lab").Obj()
		Expect(tenant.Create(ctx, readers)).To(Succeed())
		Expect(admin.Patch(ctx, lab, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"environment":"Test"}}`)))).To(Succeed())
		Eventually(func() hipaav1.ControlResult { return resultOf(workload, "environment-separation") }).Should(And(
			HaveField("Verdict", hipaav1.VerdictFail), HaveField("Message", ContainSubstring("lets ServiceAccounts of namespace dodging-lab, of environment Test, into production"))))
		Expect(admin.Delete(ctx, readers)).To(Succeed())
	})

	It("database-tls, by settings that are edited once they are in", func() {
		held := settings("database", map[string]string{"url": "postgresql://db.ehr.svc/records?sslmode=verify-full"})
		refused(edit(held, `{"data":{"url":"postgresql://db.ehr.svc/records?sslmode=prefer"}}`), "database-tls")
		refused(tenant.Create(ctx, pod("flag").With(func(p *corev1.Pod) {
			p.Spec.Containers[0].Args = []string{"--database", "postgresql://db.ehr.svc/records?sslmode=disable"}
		}).Obj()), "database-tls")
	})

	It("no-embedded-credentials, by binary data, and by an edit", func() {
		refused(tenant.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "binary"},
			BinaryData: map[string][]byte{"application.properties": []byte("spring.datasource.password=Tr0ub4dor-and-3-horses\n")},
		}), "no-embedded-credentials")
		held := settings("credentials", map[string]string{"application.properties": "server.port=8080\n"})
		refused(edit(held, `{"data":{"application.properties":"spring.datasource.password=Tr0ub4dor-and-3-horses\n"}}`), "no-embedded-credentials")
	})

	It("no-embedded-credentials, by a Secret that brings a token, to empty it afterwards so that the cluster fills it", func() {
		Expect(tenant.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "deployer"}})).To(Succeed())
		Eventually(func() error {
			return tenant.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "deployer", Annotations: map[string]string{corev1.ServiceAccountNameKey: "deployer"}},
				Type:       corev1.SecretTypeServiceAccountToken, StringData: map[string]string{corev1.ServiceAccountTokenKey: "anything"},
			}, client.DryRunAll)
		}).Should(MatchError(ContainSubstring("no-embedded-credentials (45 CFR 164.312(d)): type is kubernetes.io/service-account-token")), "the API server goes by the workload")
		Expect(tenant.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "database"}, StringData: map[string]string{"password": "anything"},
		})).To(Succeed(), "the token is what is refused")
	})

	It("no-plaintext-email by an edit, and automatic-logoff by one, which is reported of the pod that reads it", func() {
		held := settings("limits", map[string]string{"SERVER_SERVLET_SESSION_TIMEOUT": "15m"})
		Expect(tenant.Create(ctx, pod("limited").With(func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: held.Name}}}}
		}).Obj())).To(Succeed())
		limits := func() hipaav1.Verdict { return resultOf(workload, "automatic-logoff").Verdict }
		Eventually(limits).Should(Equal(hipaav1.VerdictPass))
		Expect(edit(held, `{"data":{"SERVER_SERVLET_SESSION_TIMEOUT":"8h"}}`)).To(Succeed())
		Eventually(limits).Should(Equal(hipaav1.VerdictFail))
		refused(edit(held, `{"data":{"mail.properties":"spring.mail.host=mail.example.org\nspring.mail.properties.mail.smtp.starttls.enable=false\n"}}`), "no-plaintext-email")
	})

	It("least-privilege-rbac and role-documentation, by a role that is right when it comes", func() {
		role := phitest.Role("readers").Namespace(namespace).Allows("", "pods", "get", "list").Documented().Obj()
		Expect(tenant.Create(ctx, role)).To(Succeed())
		refused(edit(role, `{"rules":[{"apiGroups":[""],"resources":["*"],"verbs":["*"]}]}`), "least-privilege-rbac")
		refused(edit(role, `{"metadata":{"annotations":{"`+hipaav1.AnnotationRolePurpose+`":null}}}`), "role-documentation")
		refused(tenant.Create(ctx, phitest.Binding("mine").Namespace(namespace).ClusterRole("cluster-admin").User(user).Obj()), "least-privilege-rbac")
	})

	It("no-public-exposure, by a Service that is opened later, and by addresses that nobody asked the cloud for", func() {
		service := phitest.Service("api").Namespace(namespace).Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080)).Obj()
		Expect(tenant.Create(ctx, service)).To(Succeed())
		refused(edit(service, `{"spec":{"type":"NodePort"}}`), "no-public-exposure")
		refused(edit(service, `{"spec":{"externalIPs":["203.0.113.7"]}}`), "no-public-exposure")
		refused(edit(service, `{"spec":{"type":"LoadBalancer"}}`), "no-public-exposure")
		refused(tenant.Create(ctx, pod("port").With(func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
		}).Obj()), "pod-hardening")
	})

	It("https-redirect and tls-minimum-version, by an edit, and by the class that the old annotation names", func() {
		route := phitest.Ingress("api", "api.example.org", "api").Namespace(namespace).Obj()
		Expect(tenant.Create(ctx, route)).To(Succeed())
		refused(edit(route, `{"spec":{"tls":null}}`), "https-redirect")
		refused(edit(route, `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-redirect":"false"}}}`), "https-redirect")
		refused(edit(route, `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-snippet":"ssl_protocols TLSv1 TLSv1.1;"}}}`), "tls-minimum-version")
		old := phitest.Ingress("old", "old.example.org", "api").Namespace(namespace).Annotate("kubernetes.io/ingress.class", "gce").
			With(func(i *networkingv1.Ingress) { i.Spec.IngressClassName = nil }).Obj()
		refused(tenant.Create(ctx, old), "https-redirect")
	})

	It("https-redirect, by a route that turned callers to TLS when somebody looked", func() {
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"httproutes"}, Verbs: everyVerb})
		mine := routed("any", "HTTP", "HTTPRoute")("dodging-routes")
		route := custom("gateway.networking.k8s.io/v1", "HTTPRoute", nil)
		route.SetNamespace(mine.Namespace)
		judged := func() hipaav1.Verdict { return resultOf(mine, "https-redirect").Verdict }
		serves := `{"spec":{"rules":[{"backendRefs":[{"name":"api","port":80}]}]}}`
		Expect(edit(route, `{"spec":{"rules":[{"filters":[{"type":"RequestRedirect","requestRedirect":{"scheme":"https"}}]}]}}`)).To(Succeed())
		Eventually(judged).Should(Equal(hipaav1.VerdictPass))
		refused(edit(route, serves), "\n  https-redirect ")
	})

	It("eligible-services, by a type that no rule knows, and by an engine that is another once the database is in", func() {
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{"apprunner.aws.m.upbound.io"}, Resources: []string{"services"}, Verbs: everyVerb},
			rbacv1.PolicyRule{APIGroups: []string{"rds.services.k8s.aws"}, Resources: []string{"dbinstances"}, Verbs: everyVerb})
		serve("services.apprunner.aws.m.upbound.io")
		serve("dbinstances.rds.services.k8s.aws")
		runner := custom("apprunner.aws.m.upbound.io/v1beta1", "Service", fields{"forProvider": fields{"region": "us-east-1"}})
		runner.SetNamespace(namespace)
		Eventually(func() error { return tenant.Create(ctx, runner.DeepCopy()) }).Should(MatchError(ContainSubstring("\n  eligible-services ")))
		database := custom("rds.services.k8s.aws/v1alpha1", "DBInstance", fields{
			"dbInstanceIdentifier": "records", "dbInstanceClass": "db.m7g.large", "engine": "postgres", "storageEncrypted": true,
			"kmsKeyID": "arn:aws:kms:us-east-1:111122223333:key/7f3a", "publiclyAccessible": false,
		})
		database.SetNamespace(namespace)
		Eventually(func() error { return tenant.Create(ctx, database) }).Should(Succeed())
		refused(edit(database, `{"spec":{"engine":"cassandra"}}`), "eligible-services")

		By("by one that was there before people declared the namespace, which the operator reads with the rights of its own manifests")
		mine := later("dodging-services", phitest.Workload("api").Namespace("dodging-services").Obj(), runner)
		Eventually(func() string { return resultOf(mine, "eligible-services").Message }).Should(
			ContainSubstring(`Service/web: apiVersion is of AWS App Runner ("apprunner"), which is not on AWS's list`))
	})

	It("cloud-storage-encryption, by a key that need not be there once the topic is in", func() {
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{"pubsub.gcp.upbound.io"}, Resources: []string{"topics"}, Verbs: everyVerb})
		serve("topics.pubsub.gcp.upbound.io")
		topic := custom("pubsub.gcp.upbound.io/v1beta2", "Topic", fields{"forProvider": fields{"kmsKeyNameRef": fields{"name": "patient-data"}}})
		topic.SetLabels(map[string]string{control.LabelClaimNamespace: namespace})
		Eventually(func() error { return tenant.Create(ctx, topic) }).Should(Succeed())
		refused(edit(topic, `{"spec":{"forProvider":{"kmsKeyNameRef":{"policy":{"resolution":"Optional"}}}}}`), "\n  cloud-storage-encryption ")
		refused(edit(topic, `{"metadata":{"labels":null},"spec":{"forProvider":{"kmsKeyName":"","kmsKeyNameRef":null}}}`), "\n  cloud-storage-encryption ")
	})

	It("vpc-isolation, by a firewall rule that names nobody any more", func() {
		grantCluster(user, rbacv1.PolicyRule{APIGroups: []string{"compute.gcp.upbound.io"}, Resources: []string{"firewalls"}, Verbs: everyVerb})
		serve("firewalls.compute.gcp.upbound.io")
		rule := custom("compute.gcp.upbound.io/v1beta2", "Firewall", fields{"forProvider": fields{
			"networkRef": fields{"name": "private"}, "allow": []any{fields{"protocol": "tcp"}}, "sourceRanges": []any{"10.0.0.0/8"},
		}})
		rule.SetLabels(map[string]string{control.LabelClaimNamespace: namespace})
		Eventually(func() error { return tenant.Create(ctx, rule) }).Should(Succeed())
		refused(edit(rule, `{"spec":{"forProvider":{"sourceRanges":[]}}}`), "\n  vpc-isolation ")
		refused(edit(rule, `{"spec":{"forProvider":{"direction":"","sourceRanges":["::/0"]}}}`), "\n  vpc-isolation ")
	})

	It("data-residency, by a state that it no longer states, and people see which profiles are left", func() {
		texan := phitest.Profile("dodging-us-tx").Selecting(corev1.LabelMetadataName, namespace).Jurisdictions("US-TX").Regions("us-east-1").Obj()
		Expect(admin.Create(ctx, texan)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, texan)).To(Succeed()) })
		bound := func() string {
			w := &hipaav1.PHIWorkload{}
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(workload), w)).To(Succeed())
			for _, c := range w.Status.Conditions {
				if c.Type == hipaav1.ConditionProfileBound {
					return c.Message
				}
			}
			return ""
		}
		Eventually(bound).Should(ContainSubstring(texan.Name), "who states no state is bound to each of them")
		Expect(edit(workload, `{"spec":{"jurisdictions":["US-IL"]}}`)).To(Succeed())
		Eventually(bound).ShouldNot(ContainSubstring(texan.Name))
		Expect(bound()).NotTo(BeEmpty())
	})
})
