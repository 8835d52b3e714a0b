package phiworkload_test

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

var _ = Describe("What proxies go by", func() {
	var (
		p place
		w *hipaav1.PHIWorkload
	)

	BeforeEach(func(ctx context.Context) {
		p = newPlace(ctx, base().DNSAt("10.96.0.10/32", 53).With(func(spec *hipaav1.ComplianceProfileSpec) {
			spec.Controls = slices.DeleteFunc(spec.Controls, func(c hipaav1.ControlSetting) bool { return c.ID == "mutual-tls" })
		}))
		w = create(ctx, p.workload("api").Port("http", 8080).From(phitest.FromWorkload("portal")).To(phitest.ToWorkload("db")).Obj())
		create(ctx, p.workload("portal").To(phitest.ToWorkload("api")).Obj())
		create(ctx, p.workload("db").Port("postgres", 5432).From(phitest.FromWorkload("api")).Obj())
		p.settled(ctx, "api")
		DeferCleanup(func() { signer.SetAway(false) })
	})

	configMap := func(ctx context.Context) *corev1.ConfigMap {
		GinkgoHelper()
		return get(ctx, &corev1.ConfigMap{}, p.key("hipaa-api-proxy"))
	}
	// sealed is the configuration as a proxy takes it that was started with this
	// generation; empty where it takes none.
	sealed := func(ctx context.Context, least int64) func() config.Configuration {
		id, err := pki.ConfigurationSigner("cluster.local")
		Expect(err).NotTo(HaveOccurred())
		return func() config.Configuration {
			stands := &corev1.ConfigMap{}
			if cluster.Admin.Get(ctx, p.key("hipaa-api-proxy"), stands) != nil {
				return config.Configuration{}
			}
			payload := []byte(stands.Data[injection.FileConfiguration])
			opened, err := seal.Open(payload, []byte(stands.Data[injection.FileSeal]), seal.Expectation{
				Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: string(w.UID), Generation: least},
				Roots:     signer.Bundle(), Signer: id, At: time.Now(),
			})
			if err != nil {
				return config.Configuration{}
			}
			c, err := config.Parse(payload)
			Expect(err).NotTo(HaveOccurred())
			Expect(c.Workload.Generation).To(Equal(opened.Generation))
			return *c
		}
	}
	generation := func(c config.Configuration) int64 { return c.Workload.Generation }
	// run creates a pod of a workload as admission would change it.
	run := func(ctx context.Context, workload string, pod *phitest.PodBuilder) *corev1.Pod {
		GinkgoHelper()
		of := get(ctx, &hipaav1.PHIWorkload{}, p.key(workload))
		s := &control.Subject{Workload: of, Profile: &control.Profile{}, World: &control.World{Proxy: phitest.Proxy()}}
		proxied := pod.Of(of).Obj()
		injection.PlanOf(s).Apply(proxied)
		return create(ctx, proxied)
	}
	ports := func(ctx context.Context, policy string) func() []int {
		return func() []int {
			var numbers []int
			for _, rule := range p.policy(ctx, policy).Spec.Ingress {
				for _, port := range rule.Ports {
					numbers = append(numbers, port.Port.IntValue())
				}
			}
			return numbers
		}
	}
	plaintext := func(ctx context.Context) func() hipaav1.PlaintextAccess {
		return func() hipaav1.PlaintextAccess {
			if proxy := p.status(ctx, "api").Proxy; proxy != nil {
				return proxy.Plaintext
			}
			return ""
		}
	}
	verdict := func(ctx context.Context) func() string {
		return func() string {
			for _, c := range p.status(ctx, "api").Controls {
				if c.ID == "mutual-tls" {
					return string(c.Verdict) + " " + c.Message
				}
			}
			return "none"
		}
	}

	It("is there and sealed before the first pod", func(ctx context.Context) {
		Eventually(sealed(ctx, 1), patience, interval).Should(HaveField("Workload.Name", "api"))
		Expect(configMap(ctx).Labels).To(HaveKeyWithValue(hipaav1.LabelManagedBy, hipaav1.ManagedByValue))
		Expect(p.status(ctx, "api").Proxy).To(HaveField("ConfigurationGeneration", sealed(ctx, 1)().Workload.Generation))
		Expect(p.drift(ctx, "api")()).To(BeEmpty())
		Eventually(ports(ctx, "hipaa-api"), patience, interval).Should(ConsistOf(8080, 18080))
		Eventually(func() []networkingv1.NetworkPolicyEgressRule { return p.policy(ctx, "hipaa-api").Spec.Egress }, patience, interval).
			Should(ContainElement(HaveField("Ports", ContainElement(HaveField("Port", HaveValue(Equal(intstr.FromInt32(9443))))))), "where certificates come from")
		p.calm(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("closes the application's own ports once every pod has its proxy", func(ctx context.Context) {
		bare := create(ctx, p.pod("api-0").Of(w).Listens("http", 8080).Obj())
		Eventually(verdict(ctx), patience, interval).Should(ContainSubstring("Fail Pod/api-0: spec.initContainers has no container phi-proxy"))
		run(ctx, "api", p.pod("api-1").Listens("http", 8080))
		Eventually(func() []string { return p.status(ctx, "api").Proxy.ServiceAccounts }, patience, interval).Should(ConsistOf("api"))
		Expect(plaintext(ctx)()).To(Equal(hipaav1.PlaintextOpen))
		Expect(ports(ctx, "hipaa-api")()).To(ConsistOf(8080, 18080))

		Expect(cluster.Admin.Delete(ctx, bare)).To(Succeed())
		Eventually(plaintext(ctx), patience, interval).Should(Equal(hipaav1.PlaintextClosed))
		Eventually(ports(ctx, "hipaa-api"), patience, interval).Should(ConsistOf(18080))
		Eventually(verdict(ctx), patience, interval).Should(HavePrefix("Pass "))
		p.becomes(ctx, "api", hipaav1.ConditionDriftFree, "True NoDrift")
		Expect(p.drift(ctx, "api")()).To(BeEmpty())
		p.lawful(ctx, "api")
	})

	It("lets callers without a proxy in by plaintext until they have theirs, and then nobody", func(ctx context.Context) {
		bare := create(ctx, p.pod("portal").Obj())
		run(ctx, "api", p.pod("api-0").Listens("http", 8080))
		Eventually(sealed(ctx, 1), patience, interval).Should(HaveField("Inbound", ContainElement(HaveField("Plaintext", config.PlaintextPermitted))))
		Eventually(verdict(ctx), patience, interval).Should(ContainSubstring("Fail PHIWorkload/api: is called in plaintext by PHIWorkload " + p.name + "/portal, which has pods without a proxy"))
		Expect(plaintext(ctx)()).To(Equal(hipaav1.PlaintextOpen))
		Expect(ports(ctx, "hipaa-api")()).To(ConsistOf(8080, 18080))

		run(ctx, "portal", p.pod("portal-1"))
		Expect(cluster.Admin.Delete(ctx, bare)).To(Succeed())
		Eventually(plaintext(ctx), patience, interval).Should(Equal(hipaav1.PlaintextClosed))
		Eventually(sealed(ctx, 1), patience, interval).Should(HaveField("Inbound", HaveEach(HaveField("Plaintext", BeEmpty()))))
		Eventually(ports(ctx, "hipaa-api"), patience, interval).Should(ConsistOf(18080))
		Eventually(verdict(ctx), patience, interval).Should(HavePrefix("Pass "))

		create(ctx, p.pod("portal-2").Of(get(ctx, &hipaav1.PHIWorkload{}, p.key("portal"))).Obj())
		Consistently(plaintext(ctx), awhile, interval).Should(Equal(hipaav1.PlaintextClosed))
		p.lawful(ctx, "api")
	})

	It("follows who runs elsewhere, and keeps knowing them while they are away", func(ctx context.Context) {
		before := generation(sealed(ctx, 1)())
		portal := run(ctx, "portal", p.pod("portal"))
		from := func() []config.Peer { return sealed(ctx, before+1)().Inbound[0].From }
		Eventually(sealed(ctx, before+1), patience, interval).Should(HaveField("Inbound", ContainElement(HaveField("From", ContainElement(
			config.Peer{ID: "spiffe://cluster.local/ns/" + p.name + "/sa/portal"})))))
		Eventually(func() []string { return p.status(ctx, "portal").Proxy.ServiceAccounts }, patience, interval).Should(ConsistOf("portal"))
		Expect(cluster.Admin.Delete(ctx, portal)).To(Succeed())
		Consistently(from, awhile, interval).Should(HaveLen(1))

		create(ctx, phitest.Service("db").Namespace(p.name).Port("postgres", 5432, intstr.FromString("postgres")).Obj())
		run(ctx, "db", p.pod("db-0").Listens("postgres", 5432))
		Eventually(sealed(ctx, before+2), patience, interval).Should(HaveField("Outbound", ContainElement(HaveField("Upstream", "db."+p.name+".svc.cluster.local:5432"))))
		p.calm(ctx, "api")
		p.lawful(ctx, "api", "portal", "db")
	})

	DescribeTable("comes back as it was", func(ctx context.Context, change func(*corev1.ConfigMap), what string) {
		before := configMap(ctx)
		update(ctx, configMap(ctx), change)
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ContainElement("ConfigMap/hipaa-api-proxy " + what + ": Corrected"))
		Eventually(func() map[string]string { return configMap(ctx).Data }, patience, interval).Should(HaveLen(2))
		Expect(sealed(ctx, 1)()).To(HaveField("Workload.Name", "api"))
		Expect(configMap(ctx).UID).To(Equal(before.UID))
		Expect(p.status(ctx, "api").Drift).To(HaveEach(HaveField("Was", Or(Equal("(not shown)"), Equal("absent")))))
		p.lawful(ctx, "api")
	},
		Entry("after somebody let himself in", func(m *corev1.ConfigMap) {
			m.Data[injection.FileConfiguration] = strings.Replace(m.Data[injection.FileConfiguration], `"protocol"`, `"from":[{"id":"spiffe://cluster.local/ns/x/sa/mallory"}],"protocol"`, 1)
		}, "data.config.json by field manager kubectl-edit, user unknown"),
		Entry("after the seal was broken", func(m *corev1.ConfigMap) { m.Data[injection.FileSeal] = "{}" }, "data.config.sig by field manager kubectl-edit, user unknown"),
		Entry("after the seal was taken away", func(m *corev1.ConfigMap) { delete(m.Data, injection.FileSeal) }, "data.config.sig by unknown"),
		Entry("after something was added", func(m *corev1.ConfigMap) { m.Data["more"] = "x" }, "data.more by field manager kubectl-edit, user unknown"),
	)

	It("comes back after it was deleted, as something newer", func(ctx context.Context) {
		before := generation(sealed(ctx, 1)())
		seen.saw("DELETE", "mallory@example.org", "ConfigMap", p.name, "hipaa-api-proxy")
		Expect(cluster.Admin.Delete(ctx, configMap(ctx))).To(Succeed())
		Eventually(p.drift(ctx, "api"), patience, interval).Should(ConsistOf("ConfigMap/hipaa-api-proxy . by mallory@example.org: Corrected"))
		Eventually(sealed(ctx, before+1), patience, interval).Should(HaveField("Workload.Name", "api"))
		p.lawful(ctx, "api")
	})

	It("stays as it stands while nobody can seal, and says so", func(ctx context.Context) {
		before := configMap(ctx)
		signer.SetAway(true)
		update(ctx, w, func(w *hipaav1.PHIWorkload) {
			w.Spec.Ports = append(w.Spec.Ports, hipaav1.WorkloadPort{Name: "admin", Port: 9090, Protocol: hipaav1.PortProtocolHTTP})
		})
		p.becomes(ctx, "api", hipaav1.ConditionFlowsResolved, "False FlowUnresolved")
		Eventually(func() string {
			return meta.FindStatusCondition(p.status(ctx, "api").Conditions, hipaav1.ConditionFlowsResolved).Message
		}, patience, interval).Should(ContainSubstring("there is no certificate to seal by; the operator's log says why"))
		Expect(configMap(ctx).Data).To(Equal(before.Data))

		signer.SetAway(false)
		update(ctx, w, func(w *hipaav1.PHIWorkload) { w.Spec.Owner.Team = "another-team" })
		Eventually(sealed(ctx, 2), patience, interval).Should(HaveField("Inbound", HaveLen(2)))
		p.lawful(ctx, "api")
	})

	It("goes where proxies are not asked for any more, and no pod has one", func(ctx context.Context) {
		pod := run(ctx, "api", p.pod("api-0").Listens("http", 8080))
		Eventually(plaintext(ctx), patience, interval).Should(Equal(hipaav1.PlaintextClosed))
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			off := base().Obj().Spec.Controls
			profile.Spec.Controls = off
		})
		Consistently(plaintext(ctx), awhile, interval).Should(Equal(hipaav1.PlaintextClosed), "the pod's proxy listens on")
		Expect(cluster.Admin.Delete(ctx, pod)).To(Succeed())
		Eventually(func() *hipaav1.ProxyStatus { return p.status(ctx, "api").Proxy }, patience, interval).Should(BeNil())
		Eventually(func() bool { return exists(ctx, &corev1.ConfigMap{}, p.key("hipaa-api-proxy")) }, patience, interval).Should(BeFalse())
		Eventually(ports(ctx, "hipaa-api"), patience, interval).Should(ConsistOf(8080))
		p.lawful(ctx, "api")
	})
})
