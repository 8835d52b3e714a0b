package egress_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

const system = "hipaa-operator-system"

// inForce opens what stands as phi-egress does.
func inForce(ctx context.Context) func(Gomega) *config.Configuration {
	return func(g Gomega) *config.Configuration {
		m := &corev1.ConfigMap{}
		g.Expect(cluster.Admin.Get(ctx, client.ObjectKey{Namespace: system, Name: control.EgressName}, m)).To(Succeed())
		id, err := pki.ConfigurationSigner("cluster.local")
		g.Expect(err).NotTo(HaveOccurred())
		opened, err := seal.Open([]byte(m.Data["config.json"]), []byte(m.Data["config.sig"]), seal.Expectation{
			Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: gate.UID, Generation: 1}, Roots: signer.Bundle(), Signer: id, At: time.Now(),
		})
		g.Expect(err).NotTo(HaveOccurred())
		c, err := config.Parse([]byte(m.Data["config.json"]))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.Workload.Generation).To(Equal(opened.Generation))
		return c
	}
}

func exits(ctx context.Context) func(Gomega) map[control.Exit]bool {
	return func(g Gomega) map[control.Exit]bool { return gate.Exits(inForce(ctx)(g), time.Now()) }
}

var _ = Describe("What phi-egress goes by", Ordered, func() {
	to := control.Exit{From: "spiffe://cluster.local/ns/clinic/sa/api", Host: "api.eprescribe.example", Port: 443}
	var (
		vendor   *hipaav1.Vendor
		workload *hipaav1.PHIWorkload
		object   = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: control.EgressName}}
		policy   = &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: gate.PolicyName}}
	)

	BeforeAll(func(ctx SpecContext) {
		controllerstest.Create(ctx, cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}})
		controllerstest.Create(ctx, cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "clinic", Labels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue},
		}})
		controllerstest.Create(ctx, cluster, phitest.Service("kube-dns").Namespace(metav1.NamespaceSystem).Port("dns", 53, intstr.FromInt32(53)).Obj())
		vendor = phitest.Vendor("eprescribe").Obj()
		vendor.Spec.Agreement.Signed, vendor.Spec.Agreement.Effective = metav1.NewTime(time.Now().Add(-time.Hour)), metav1.NewTime(time.Now().Add(-time.Hour))
		vendor.Spec.Agreement.Expires = metav1.NewTime(time.Now().Add(1000 * 24 * time.Hour))
		controllerstest.Create(ctx, cluster, vendor)
		workload = controllerstest.Create(ctx, cluster, phitest.Workload("api").Namespace("clinic").To(phitest.ToVendor("eprescribe")).Obj())
	})

	It("is not written where phi-egress is not installed", func(ctx SpecContext) {
		Consistently(func() error { return cluster.Admin.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy()) }, awhile, interval).ShouldNot(Succeed())
	})

	It("is sealed, and lets nobody out before a pod of theirs runs", func(ctx SpecContext) {
		controllerstest.Create(ctx, cluster, controllerstest.EgressService())
		Eventually(exits(ctx), patience, interval).Should(BeEmpty())
		Eventually(func(g Gomega) {
			g.Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
			g.Expect(policy.Spec.Egress).To(ConsistOf(HaveField("To", ConsistOf(HaveField("IPBlock", BeNil())))), "but to name servers")
		}, patience, interval).Should(Succeed())
	})

	It("lets out who names a vendor, where that is, and no further", func(ctx SpecContext) {
		Eventually(func() error {
			if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(workload), workload); err != nil {
				return err
			}
			workload.Status.Proxy = &hipaav1.ProxyStatus{
				ConfigurationGeneration: 1, Plaintext: hipaav1.PlaintextClosed, ServiceAccounts: []string{"api"}, IssuerNamespace: system,
			}
			return cluster.Admin.Status().Update(ctx, workload)
		}, patience, interval).Should(Succeed())
		Eventually(exits(ctx), patience, interval).Should(Equal(map[control.Exit]bool{to: true}))
		Eventually(func(g Gomega) {
			g.Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
			g.Expect(policy.Spec.Egress).To(HaveLen(2))
			g.Expect(policy.Spec.Egress[1].Ports).To(ConsistOf(HaveField("Port.IntVal", int32(443))))
			g.Expect(policy.Spec.Egress[1].To[0].IPBlock.Except).To(ContainElement("10.0.0.0/8"))
		}, patience, interval).Should(Succeed())
		c := inForce(ctx)(Default)
		Expect(c.Egress.Refuse).To(ContainElements("10.0.0.0/8", "169.254.0.0/16", "fc00::/7"))
	})

	It("speaks and waits as profiles of callers say, the strictest of them", func(ctx SpecContext) {
		says := func(version hipaav1.TLSVersion, grace time.Duration) func(*hipaav1.ComplianceProfileSpec) {
			return func(p *hipaav1.ComplianceProfileSpec) {
				p.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{MinimumTLS: version, OutageGrace: &metav1.Duration{Duration: grace}}}
			}
		}
		speaks := func() string {
			c := inForce(ctx)(Default)
			return c.TLS.MinVersion + " " + time.Duration(c.OutageGrace).String()
		}
		Expect(speaks()).To(HaveSuffix("72h0m0s"))
		// Nobody is governed by it whose namespace lacks the label.
		lax := controllerstest.Create(ctx, cluster, phitest.Profile("lax").Mode(hipaav1.ModeAudit).Selecting("calls", "vendors").With(says(hipaav1.TLS12, 100*time.Hour)).Obj())
		Consistently(speaks, awhile, interval).Should(HaveSuffix("72h0m0s"))
		clinic := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clinic"}}
		Expect(cluster.Admin.Patch(ctx, clinic, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"calls":"vendors"}}}`)))).To(Succeed())
		Eventually(speaks, patience, interval).Should(Equal("1.2 100h0m0s"))
		strict := controllerstest.Create(ctx, cluster, phitest.Profile("strict").Mode(hipaav1.ModeAudit).With(says(hipaav1.TLS13, 150*time.Hour)).Obj())
		Eventually(speaks, patience, interval).Should(Equal("1.3 100h0m0s"))
		controllerstest.Update(ctx, cluster, strict, func(p *hipaav1.ComplianceProfile) { says(hipaav1.TLS13, time.Hour)(&p.Spec) })
		Eventually(speaks, patience, interval).Should(Equal("1.3 1h0m0s"))
		for _, p := range []*hipaav1.ComplianceProfile{lax, strict} {
			Expect(cluster.Admin.Delete(ctx, p)).To(Succeed())
		}
		Eventually(speaks, patience, interval).Should(HaveSuffix("72h0m0s"))
	})

	DescribeTable("is put back, and taken by those who have what was before", func(ctx SpecContext, spoil func(context.Context) error) {
		before := inForce(ctx)(Default).Workload.Generation
		Expect(spoil(ctx)).To(Succeed())
		Eventually(func(g Gomega) {
			c := inForce(ctx)(g)
			g.Expect(c.Workload.Generation).To(BeNumerically(">", before))
			g.Expect(gate.Exits(c, time.Now())).To(Equal(map[control.Exit]bool{to: true}))
		}, patience, interval).Should(Succeed())
	},
		Entry("after an edit", func(ctx context.Context) error {
			return cluster.Admin.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"config.json":"{}"}}`)))
		}),
		Entry("without its seal", func(ctx context.Context) error {
			return cluster.Admin.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"config.sig":"{}"}}`)))
		}),
		Entry("once it is gone", func(ctx context.Context) error { return cluster.Admin.Delete(ctx, object.DeepCopy()) }),
	)

	It("is given anew where an older one that says the same is put in its place, which its pods do not take", func(ctx SpecContext) {
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		older, before := object.Data, inForce(ctx)(Default).Workload.Generation
		generation := func(g Gomega) int64 { return inForce(ctx)(g).Workload.Generation }
		Expect(cluster.Admin.Delete(ctx, object.DeepCopy())).To(Succeed())
		Eventually(generation, patience, interval).Should(BeNumerically(">", before))
		latest := generation(Default)
		controllerstest.Update(ctx, cluster, object, func(m *corev1.ConfigMap) { m.Data = older })
		Eventually(generation, patience, interval).Should(BeNumerically(">", latest))
	})

	It("is what the verdict on the workload goes by, with the pods that take calls", func(ctx SpecContext) {
		profile := controllerstest.Create(ctx, cluster, phitest.Profile("egress").Mode(hipaav1.ModeAudit).Obj())
		DeferCleanup(func(ctx SpecContext) { Expect(cluster.Admin.Delete(ctx, profile)).To(Succeed()) })
		verdict := func() (string, error) {
			err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(workload), workload)
			for _, result := range workload.Status.Controls {
				if result.ID == "vendor-tls" {
					return string(result.Verdict) + " " + result.Message, err
				}
			}
			return "", err
		}
		Eventually(verdict, patience, interval).Should(And(HavePrefix("Unknown"), ContainSubstring("no pod of phi-egress takes calls")))
		pod := phitest.Pod(control.EgressName).Namespace(system).Obj()
		pod.Labels, pod.Spec.ServiceAccountName, pod.Spec.Volumes, pod.Spec.Containers[0].VolumeMounts = control.EgressLabels(), "", nil, nil
		controllerstest.Create(ctx, cluster, pod)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		Expect(cluster.Admin.Status().Update(ctx, pod)).To(Succeed())
		Eventually(verdict, patience, interval).Should(And(HavePrefix("Pass"), ContainSubstring("no pod runs that calls it")))

		Expect(cluster.Admin.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(verdict, patience, interval).Should(HavePrefix("Unknown"))
	})

	It("has its policy put back, and people hear of it", func(ctx SpecContext) {
		Expect(cluster.Admin.Patch(ctx, policy.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"egress":[{}]}}`)))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
			g.Expect(policy.Spec.Egress).To(HaveLen(2))
		}, patience, interval).Should(Succeed())
		service := &corev1.Service{}
		Expect(cluster.Admin.Get(ctx, client.ObjectKey{Namespace: system, Name: control.EgressName}, service)).To(Succeed())
		Eventually(cluster.Events(ctx, service), patience, interval).Should(ContainElements(hipaav1.EventDriftDetected, hipaav1.EventDriftCorrected))
	})

	It("knows the end that was chosen beforehand, and lets nobody out once a vendor is gone", func(ctx SpecContext) {
		controllerstest.Update(ctx, cluster, vendor, func(v *hipaav1.Vendor) {
			v.Spec.OnEnd, v.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityBusiness
		})
		Eventually(func(g Gomega) {
			vendors := inForce(ctx)(g).Egress.Vendors
			g.Expect(vendors).NotTo(BeEmpty())
			g.Expect(vendors[0].Until.Equal(vendor.Spec.Agreement.Expires.Time)).To(BeTrue())
		}, patience, interval).Should(Succeed())
		Expect(cluster.Admin.Delete(ctx, vendor)).To(Succeed())
		Eventually(exits(ctx), patience, interval).Should(BeEmpty())
	})

	It("is not touched while nothing changes", func(ctx SpecContext) {
		Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		version := object.ResourceVersion
		Consistently(func() string {
			Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			return object.ResourceVersion
		}, awhile, interval).Should(Equal(version))
	})
})
