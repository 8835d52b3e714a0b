package admission_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

// declared is a resource of a rule in a namespace of a spec. Crossplane's elder
// resources are of the whole cluster and say whose claim they are for.
func declared(object map[string]any, ns string) *unstructured.Unstructured {
	u := (&unstructured.Unstructured{Object: object}).DeepCopy()
	if labels := u.GetLabels(); labels[control.LabelClaimNamespace] != "" {
		labels[control.LabelClaimNamespace] = ns
		u.SetLabels(labels)
		u.SetName(ns + "-" + u.GetName())
		return u
	}
	u.SetNamespace(ns)
	return u
}

// inNamespaces serves the type of Crossplane 2 that has the fields of an elder one of the
// whole cluster, for the time of a spec, and returns both kinds.
func inNamespaces(name string) (elder schema.GroupKind, younger schema.GroupVersionKind) {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "control", "catalog", "testdata", "crds", name+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.UnmarshalStrict(text, crd)).To(Succeed())
	elder = schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}
	crd.Spec.Group = strings.Replace(elder.Group, ".upbound.io", ".m.upbound.io", 1)
	crd.Name = crd.Spec.Names.Plural + "." + crd.Spec.Group
	crd.Spec.Scope = apiextensionsv1.NamespaceScoped
	crd.Spec.Versions[0].Name = "v1beta1"
	options := envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}}
	_, err = envtest.InstallCRDs(apiConfig, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(envtest.UninstallCRDs(apiConfig, options)).To(Succeed()) })
	return elder, schema.GroupVersionKind{Group: crd.Spec.Group, Version: "v1beta1", Kind: elder.Kind}
}

var _ = Describe("A resource that declares infrastructure", Ordered, func() {
	var ns string
	BeforeAll(func(ctx SpecContext) {
		_, err := envtest.InstallCRDs(apiConfig, envtest.CRDInstallOptions{
			Paths: []string{filepath.Join("..", "control", "catalog", "testdata", "crds")}, ErrorIfPathMissing: true,
		})
		Expect(err).NotTo(HaveOccurred())
		profile := phitest.Profile("cloud").Selecting("mode", "cloud").EncryptedClass(phitest.EncryptedClass).Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		Eventually(func() error { return gate.Loader.Cache.Get(ctx, client.ObjectKeyFromObject(profile), profile) }, "30s", "5ms").Should(Succeed())
		ns = namespace(ctx, "cloud")
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "edge"}})).To(Succeed(), "where Gateways are")
		declare(ctx, ns, "patient-api")
	})

	for _, r := range catalog.Rules() {
		It("is admitted where "+r.ID+" calls it good", func(ctx SpecContext) {
			for _, good := range r.Good {
				object := declared(good, ns)
				Expect(admin.Create(ctx, object, client.DryRunAll)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
			}
		})
	}
	for _, c := range catalog.All() {
		for what, violation := range c.Breaks {
			if violation.Kind != control.Resources || violation.Reported {
				continue
			}
			It("is refused by "+c.ID+": "+what, func(ctx SpecContext) {
				s := controltest.Baseline(control.Resources)
				before := len(s.World.Reports)
				violation.Apply(&s)
				for _, made := range s.World.Reports[before:] {
					Expect(admin.Create(ctx, made)).To(Succeed())
					DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, made)).To(Succeed()) })
				}
				Expect(admin.Create(ctx, declared(s.Resource.Object, ns), client.DryRunAll)).To(MatchError(ContainSubstring("\n  " + c.ID + " ")))
			})
		}
	}

	// A type of each cloud stands for all: the lists of webhooks come from the rules alike.
	DescribeTable("is judged as its elder sister where Crossplane 2 has it in a namespace", func(ctx SpecContext, crd string) {
		elder, younger := inNamespaces(crd)
		try := func(object map[string]any) (bool, error) {
			u := (&unstructured.Unstructured{Object: object}).DeepCopy()
			if u.GroupVersionKind().GroupKind() != elder {
				return false, nil
			}
			u.SetGroupVersionKind(younger)
			u.SetLabels(nil)
			u.SetNamespace(ns)
			return true, admin.Create(ctx, u, client.DryRunAll)
		}
		var good, bad int
		for _, r := range catalog.Rules() {
			for _, object := range r.Good {
				if tried, err := try(object); tried {
					Expect(err).NotTo(HaveOccurred(), r.ID)
					good++
				}
			}
			for what, object := range r.Breaks {
				if tried, err := try(object); tried {
					Expect(err).To(MatchError(ContainSubstring("\n  "+r.ID+" ")), what)
					bad++
				}
			}
		}
		Expect(min(good, bad)).To(BeNumerically(">=", 2), "resources of the type in rules")
	},
		Entry("of AWS", "instances.rds.aws.upbound.io"),
		Entry("of Google Cloud", "databaseinstances.sql.gcp.upbound.io"),
		Entry("of Azure", "flexibleservers.dbforpostgresql.azure.upbound.io"))

	It("is admitted where controls that are code call it good", func(ctx SpecContext) {
		var tried int
		for _, c := range catalog.All() {
			if !c.Judges.Has(control.Resources) || slices.ContainsFunc(catalog.Rules(), func(r *rule.Rule) bool { return r.ID == c.ID }) {
				continue
			}
			s := controltest.Baseline(control.Workloads)
			c.Satisfy(&s)
			for _, good := range s.World.Resources {
				Expect(admin.Create(ctx, declared(good.Object, ns), client.DryRunAll)).To(Succeed(), "%s %s", good.GetKind(), good.GetName())
				tried++
			}
		}
		Expect(tried).NotTo(BeZero())
	})

	// key is a key of AWS Controllers for Kubernetes, and claim one of Crossplane.
	key := func(ns string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": "Key",
			"metadata": map[string]any{"generateName": "key-", "namespace": ns}, "spec": spec,
		}}
	}
	claim := func(ns string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kms.aws.upbound.io/v1beta1", "kind": "Key",
			"metadata": map[string]any{"generateName": "key-"}, "spec": map[string]any{"forProvider": map[string]any{"region": "us-east-1"}},
		}}
		if ns != "" {
			u.SetLabels(map[string]string{control.LabelClaimNamespace: ns})
		}
		return u
	}
	plain := func(ctx context.Context) string {
		other := phitest.Namespace("").Obj()
		other.Labels, other.GenerateName = nil, "plain-"
		Expect(admin.Create(ctx, other)).To(Succeed())
		return other.Name
	}

	It("is nobody's business outside PHI namespaces", func(ctx SpecContext) {
		other := plain(ctx)
		Expect(admin.Create(ctx, key(other, map[string]any{}))).To(Succeed())
		Expect(admin.Create(ctx, claim(other))).To(Succeed())
		Expect(admin.Create(ctx, claim("there-is-no-such-namespace"))).To(Succeed())
		Expect(admin.Create(ctx, claim(""))).To(Succeed())
	})

	It("is warned about where the mode is Warn", func(ctx SpecContext) {
		tess := as("tess@example.org", "system:masters")
		Expect(tess.Create(ctx, key(namespace(ctx, "warn"), map[string]any{}))).To(Succeed())
		Expect(tess.warned.texts).To(ContainElement(And(ContainSubstring("key-rotation"), ContainSubstring("spec.enableKeyRotation is not true"))))
	})

	It("is refused for what a change makes worse, and for no more", func(ctx SpecContext) {
		other := plain(ctx)
		old := key(other, map[string]any{})
		Expect(admin.Create(ctx, old)).To(Succeed())
		good := key(ns, map[string]any{"enableKeyRotation": true})
		Expect(admin.Create(ctx, good)).To(Succeed())
		spoilt := good.DeepCopy()
		Expect(unstructured.SetNestedField(spoilt.Object, false, "spec", "enableKeyRotation")).To(Succeed())
		Expect(admin.Update(ctx, spoilt)).To(MatchError(ContainSubstring("\n  key-rotation ")))

		By("not for what stood before")
		ofOther := &unstructured.Unstructured{}
		ofOther.SetGroupVersionKind(old.GroupVersionKind())
		declareNamespace(ctx, other, "cloud")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(old), ofOther)).To(Succeed())
		Expect(unstructured.SetNestedField(ofOther.Object, "PHI of the EHR", "spec", "description")).To(Succeed())
		Expect(admin.Update(ctx, ofOther)).To(Succeed())
		Expect(admin.Delete(ctx, ofOther)).To(Succeed())
	})

	It("that is a route is refused as a whole: a new opening would hide behind one of before", func(ctx SpecContext) {
		other := plain(ctx)
		route := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": other, "name": "early"},
			"spec": map[string]any{
				"hostnames": []any{"portal.example.org"}, "parentRefs": []any{map[string]any{"namespace": "edge", "name": "nowhere"}},
				"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "patient-api", "port": int64(80)}}}},
			},
		}}
		Expect(admin.Create(ctx, route)).To(Succeed())
		declareNamespace(ctx, other, "cloud")
		declare(ctx, other, "patient-api")
		wider := route.DeepCopy()
		Expect(unstructured.SetNestedSlice(wider.Object, []any{"portal.example.org", "api.example.org"}, "spec", "hostnames")).To(Succeed())
		Expect(admin.Update(ctx, wider)).To(MatchError(ContainSubstring("\n  no-public-exposure ")))
		route.SetLabels(map[string]string{"team": "ehr"})
		Expect(admin.Update(ctx, route)).To(Succeed(), "what does not change it")
	})

	It("is refused by what a profile brings, and a profile for what nobody can judge", func(ctx SpecContext) {
		described := hipaav1.CustomControl{
			ID: "custom-described-keys", Cites: []string{"164.312(b)"}, Remedy: "say what the key is for",
			Checks: []hipaav1.CustomCheck{{
				Match:      []hipaav1.MatchedType{{Group: "kms.services.k8s.aws", Version: "v1alpha1", Resource: "keys", Kind: "Key"}},
				Expression: "has(object.spec.description)", Path: "spec.description", Message: "is missing", Met: "is there",
			}},
		}
		broken := described.DeepCopy()
		broken.Checks[0].Expression = "has(object.spec.description)\n  && object.spec.description.siz() > 3"
		profile := phitest.Profile("custom").Selecting("mode", "custom").EncryptedClass(phitest.EncryptedClass).Brings(*broken).Obj()
		err := admin.Create(ctx, profile)
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(
			ContainSubstring(`complianceprofile "custom" brings controls that cannot be judged`),
			ContainSubstring("spec.customControls[0].checks[0].expression: line 2, column 33: undeclared reference to 'siz'"))))
		profile = phitest.Profile("custom").Selecting("mode", "custom").EncryptedClass(phitest.EncryptedClass).Brings(described).Obj()
		other := profile.DeepCopy()
		other.Spec.CustomControls[0].ID = "key-rotation"
		Expect(apierrors.IsInvalid(admin.Create(ctx, other))).To(BeTrue())
		Expect(admin.Create(ctx, profile)).To(Succeed())
		Eventually(func() error { return gate.Loader.Cache.Get(ctx, client.ObjectKeyFromObject(profile), profile) }, "30s", "5ms").Should(Succeed())

		mine := namespace(ctx, "custom")
		err = admin.Create(ctx, key(mine, map[string]any{"enableKeyRotation": true}))
		Expect(err).To(MatchError(ContainSubstring("\n  custom-described-keys  45 CFR 164.312(b): spec.description is missing; say what the key is for")))
		Expect(admin.Create(ctx, key(mine, map[string]any{"enableKeyRotation": true, "description": "PHI"}))).To(Succeed())
		Expect(admin.Create(ctx, key(ns, map[string]any{"enableKeyRotation": true}), client.DryRunAll)).To(Succeed(), "another profile's namespace")

		By("an exception may be about it, and about nothing that no profile brings")
		excuse := func(id string) *hipaav1.ControlException {
			return phitest.Exception("undescribed", "patient-api", id).Namespace(mine).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		}
		Expect(admin.Create(ctx, excuse("custom-named-keys"), client.DryRunAll)).To(MatchError(ContainSubstring("no profile brings it")))
		Expect(admin.Create(ctx, excuse("custom-described-keys"), client.DryRunAll)).To(Succeed())

		By("and a broken one is no way to change one that is in force")
		profile.Spec.CustomControls = []hipaav1.CustomControl{*broken}
		Expect(admin.Update(ctx, profile)).To(MatchError(ContainSubstring("cannot be judged")))
		Expect(admin.Delete(ctx, profile)).To(Succeed())
	})

	It("that lets in too many is not opened any further", func(ctx SpecContext) {
		other := plain(ctx)
		rule := func(port int64) any {
			return map[string]any{"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": []any{map[string]any{"cidrIP": "0.0.0.0/0"}}}
		}
		group := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "ec2.services.k8s.aws/v1alpha1", "kind": "SecurityGroup", "metadata": map[string]any{"name": "callers", "namespace": other},
			"spec": map[string]any{"name": "callers", "description": "callers", "ingressRules": []any{rule(443)}},
		}}
		Expect(admin.Create(ctx, group)).To(Succeed())
		declareNamespace(ctx, other, "cloud")
		Expect(unstructured.SetNestedField(group.Object, "those who call", "spec", "description")).To(Succeed())
		Expect(admin.Update(ctx, group)).To(Succeed())
		Expect(unstructured.SetNestedSlice(group.Object, []any{rule(443), rule(22)}, "spec", "ingressRules")).To(Succeed())
		Expect(admin.Update(ctx, group)).To(MatchError(ContainSubstring("\n  vpc-isolation ")))
	})

	It("is held to the namespace of its claim when that is taken away", func(ctx SpecContext) {
		good := claim(ns)
		Expect(unstructured.SetNestedField(good.Object, true, "spec", "forProvider", "enableKeyRotation")).To(Succeed())
		Expect(admin.Create(ctx, good)).To(Succeed())
		good.SetLabels(nil)
		Expect(unstructured.SetNestedField(good.Object, false, "spec", "forProvider", "enableKeyRotation")).To(Succeed())
		Expect(admin.Update(ctx, good)).To(MatchError(ContainSubstring("\n  key-rotation ")))
	})

	It("is asked about by its API group where no rule knows its type, and by what the profile says of its service", func(ctx SpecContext) {
		agreed := hipaav1.Statement{StatedBy: "Dana Reyes", Reason: "our agreement lists it", Expires: metav1.NewTime(time.Now().Add(time.Hour))}
		service := func(name string) hipaav1.CloudService {
			return hipaav1.CloudService{Cloud: hipaav1.CloudAWS, Service: name}
		}
		profile := phitest.Profile("agreed").Selecting("mode", "agreed").EncryptedClass(phitest.EncryptedClass).CloudServices(hipaav1.CloudServiceParameters{
			Covered:  []hipaav1.CoveredService{{Cloud: hipaav1.CloudAWS, Service: "newcomer", Statement: agreed}},
			Withheld: []hipaav1.CloudService{service("kms")},
		}).Obj()
		nameless := profile.DeepCopy()
		nameless.Spec.CloudServices.Withheld[0].Service = "kms.services.k8s.aws/v1"
		Expect(apierrors.IsInvalid(admin.Create(ctx, nameless))).To(BeTrue())
		early := profile.DeepCopy()
		early.Spec.CloudServices.ListCompared = &hipaav1.ListComparison{ComparedOn: agreed.Expires, Statement: agreed}
		Expect(admin.Create(ctx, early)).To(MatchError(ContainSubstring("has to be later than comparedOn")))
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		Eventually(func() error { return gate.Loader.Cache.Get(ctx, client.ObjectKeyFromObject(profile), profile) }, "30s", "5ms").Should(Succeed())
		mine := namespace(ctx, "agreed")
		gadget := func(ns string) *unstructured.Unstructured {
			return &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "newcomer.services.k8s.aws/v1alpha1", "kind": "Gadget", "metadata": map[string]any{"generateName": "gadget-", "namespace": ns},
				"spec": map[string]any{"size": "small"},
			}}
		}
		Expect(admin.Create(ctx, gadget(mine))).To(Succeed())
		Expect(admin.Create(ctx, gadget(plain(ctx)))).To(Succeed())
		err := admin.Create(ctx, key(mine, map[string]any{"enableKeyRotation": true}))
		Expect(err).To(MatchError(And(ContainSubstring("\n  eligible-services "), ContainSubstring("withholds"))))
		err = admin.Create(ctx, gadget(ns))
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(ContainSubstring(`"cloud-services.hipaa-operator.io"`), ContainSubstring("\n  eligible-services "),
			ContainSubstring(`apiVersion is of "newcomer" of AWS, which is not on AWS's list of HIPAA eligible services of `))))

		By("once, where a rule knows its type as well")
		tess := as("tess@example.org", "system:masters")
		warned := key(namespace(ctx, "warn"), map[string]any{})
		Expect(tess.Create(ctx, warned)).To(Succeed())
		Expect(tess.warned.texts).To(HaveLen(1))

		By("and what stood before the namespace was declared may be changed and deleted")
		other := plain(ctx)
		old := gadget(other)
		Expect(admin.Create(ctx, old)).To(Succeed())
		declareNamespace(ctx, other, "cloud")
		Expect(unstructured.SetNestedField(old.Object, "large", "spec", "size")).To(Succeed())
		Expect(admin.Update(ctx, old)).To(Succeed())
		Expect(admin.Delete(ctx, old)).To(Succeed())
	})

	It("waits for the operator in PHI namespaces, and claims do not", func(ctx SpecContext) {
		operator.stop()
		DeferCleanup(func() { operator.start() })
		Expect(apierrors.IsInternalError(admin.Create(ctx, key(ns, map[string]any{"enableKeyRotation": true})))).To(BeTrue())
		Expect(admin.Create(ctx, key(plain(ctx), map[string]any{}))).To(Succeed())
		Expect(admin.Create(ctx, claim(ns))).To(Succeed())

		By("as does what is of a cloud's API group, and nothing beside it")
		gadget := declared(map[string]any{"apiVersion": "newcomer.services.k8s.aws/v1alpha1", "kind": "Gadget", "metadata": map[string]any{"name": "late"}}, ns)
		Expect(apierrors.IsInternalError(admin.Create(ctx, gadget))).To(BeTrue())
		snapshot := declared(map[string]any{
			"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": map[string]any{"name": "late"},
			"spec": map[string]any{"source": map[string]any{"persistentVolumeClaimName": "data"}},
		}, ns)
		Expect(admin.Create(ctx, snapshot)).To(Succeed())
		report := declared(map[string]any{"apiVersion": "aquasecurity.github.io/v1alpha1", "kind": "VulnerabilityReport", "metadata": map[string]any{"name": "late"}, "report": map[string]any{
			"artifact": map[string]any{}, "registry": map[string]any{}, "os": map[string]any{}, "scanner": map[string]any{"name": "Trivy", "vendor": "Aqua Security", "version": "0"},
			"summary":         map[string]any{"criticalCount": int64(0), "highCount": int64(0), "lowCount": int64(0), "mediumCount": int64(0), "unknownCount": int64(0)},
			"updateTimestamp": "2026-11-01T00:00:00Z", "vulnerabilities": []any{},
		}}, ns)
		Expect(admin.Create(ctx, report)).To(Succeed())

		By("as do profiles that bring no control")
		Expect(admin.Create(ctx, phitest.Profile("plain").OnlyByName().Obj())).To(Succeed())
	})
})

// declareNamespace declares a namespace that is there to hold PHI.
func declareNamespace(ctx context.Context, name, mode string) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true","mode":"`+mode+`"}}}`))
	Expect(admin.Patch(ctx, phitest.Namespace(name).Obj(), patch)).To(Succeed())
	Eventually(func() error {
		return admin.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": "Key", "metadata": map[string]any{"name": "probe", "namespace": name}, "spec": map[string]any{},
		}}, client.DryRunAll)
	}).Should(MatchError(ContainSubstring("\n  key-rotation ")))
}
