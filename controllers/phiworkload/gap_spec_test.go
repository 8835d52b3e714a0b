package phiworkload_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A resolver that is not found", func() {
	discovering := func() *phitest.ProfileBuilder {
		return phitest.Profile("").IsolationStated(metav1.NewTime(time.Now().Add(time.Hour))).Control("data-classification", hipaav1.ModeOff).
			Control("mutual-tls", hipaav1.ModeOff)
	}
	resolver := func() *corev1.Service {
		s := phitest.Service("kube-dns").Namespace(metav1.NamespaceSystem).Selecting("k8s-app", "kube-dns").Obj()
		s.Spec.Ports = []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}}
		return s
	}
	said := func(ctx context.Context, p place, workload string) func() string {
		return func() string {
			w := &hipaav1.PHIWorkload{}
			if err := cluster.Admin.Get(ctx, p.key(workload), w); err != nil {
				return err.Error()
			}
			for _, c := range w.Status.Controls {
				if c.ID == "network-isolation" {
					return string(c.Verdict) + ": " + c.Message
				}
			}
			return ""
		}
	}

	It("for a moment cuts nothing, and is said", func(ctx context.Context) {
		dns := create(ctx, resolver())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(cluster.Admin.Delete(ctx, resolver()))).To(Succeed())
		})
		p := newPlace(ctx, discovering())
		create(ctx, p.workload("api").Port("http", 8080).Obj())
		p.settled(ctx, "api")
		before := p.policy(ctx, "hipaa-api")
		Expect(before.Spec.Egress).To(HaveLen(1), "the way to the resolver")

		Expect(cluster.Admin.Delete(ctx, dns)).To(Succeed())
		Eventually(said(ctx, p, "api"), patience, interval).Should(And(HavePrefix("Unknown: "), ContainSubstring("name the resolvers in network.dns of the profile")))
		Consistently(func() networkingv1.NetworkPolicySpec { return p.policy(ctx, "hipaa-api").Spec }, awhile, interval).Should(Equal(before.Spec))
		Expect(p.drift(ctx, "api")()).To(BeEmpty())

		create(ctx, resolver())
		p.settled(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("from the start leaves the rest of what is declared open, and closes the namespace all the same", func(ctx context.Context) {
		p := newPlace(ctx, discovering())
		create(ctx, p.workload("api").Port("http", 8080).From(phitest.FromPods(nil, phitest.Labels("app", "portal"))).Obj())
		Eventually(func(g Gomega) {
			g.Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-default-deny"))).To(BeTrue())
			g.Expect(exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-api"))).To(BeTrue())
		}, patience, interval).Should(Succeed())
		Eventually(said(ctx, p, "api"), patience, interval).Should(And(HavePrefix("Unknown: "), ContainSubstring("network.dns of the profile")))

		By("and follows the declaration, for that cuts no way out")
		update(ctx, get(ctx, &hipaav1.PHIWorkload{}, p.key("api")), func(w *hipaav1.PHIWorkload) { w.Spec.Access = nil })
		Eventually(func() []networkingv1.NetworkPolicyIngressRule { return p.policy(ctx, "hipaa-api").Spec.Ingress }, patience, interval).Should(BeEmpty())
		p.lawful(ctx, "api")
	})
})
