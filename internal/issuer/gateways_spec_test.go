package issuer

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

var _ = Describe("A gateway", func() {
	var (
		clock    *clocktesting.FakeClock
		gateways *Gateways
		in       string
	)

	BeforeEach(func(ctx SpecContext) {
		begin(ctx)
		clock = clocktesting.NewFakeClock(start)
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		gateways = &Gateways{Client: a.Client, Authority: a}
		in = namespaceOf(ctx)
		profile := phitest.Profile(in).Gateway("edge", in, "app", "nginx").GatewayAt("cloud", "10.0.0.0/8").Obj()
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
	})

	// standing is the Secret of the gateway.
	standing := func(ctx context.Context) *corev1.Secret {
		GinkgoHelper()
		var s corev1.Secret
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: in, Name: "hipaa-gateway-edge"}, &s)).To(Succeed())
		return &s
	}
	holder := func(s *corev1.Secret) pki.ID {
		GinkgoHelper()
		chain, err := x509.ParseCertificates(derOf(s.Data["tls.crt"]))
		Expect(err).NotTo(HaveOccurred())
		id, err := pki.Verify(chain, gateways.Authority.Bundle(), pki.Acceptance{At: clock.Now(), Usage: x509.ExtKeyUsageClientAuth})
		Expect(err).NotTo(HaveOccurred())
		return id
	}

	It("gets none where nobody has let the issuer in", func(ctx SpecContext) {
		Expect(gateways.Refresh(ctx)).To(Succeed())
		Expect(gateways.told).To(HaveLen(1))
		Expect(gateways.told).To(ContainElement(ContainSubstring("get, create and patch Secret hipaa-gateway-edge")))
		var secrets corev1.SecretList
		Expect(admin.List(ctx, &secrets, client.InNamespace(in))).To(Succeed())
		Expect(secrets.Items).To(BeEmpty())
	})

	It("gets a client certificate of its own, and nothing is written until half of its life is over", func(ctx SpecContext) {
		letIn(ctx, in, "edge")
		Eventually(func() error { return refreshed(ctx, gateways) }).Should(Succeed())
		first := standing(ctx)
		Expect(first.Type).To(Equal(corev1.SecretTypeTLS))
		Expect(first.Labels).To(HaveKeyWithValue(hipaav1.LabelManagedBy, hipaav1.ManagedByValue))
		Expect(holder(first).String()).To(Equal("spiffe://cluster.local/ns/" + in + "/gateway/edge"))
		Expect(first.Data["ca.crt"]).To(Equal(published(ctx).PEM()))

		clock.Step(11 * time.Hour)
		Expect(refreshed(ctx, gateways)).To(Succeed())
		Expect(standing(ctx).ResourceVersion).To(Equal(first.ResourceVersion))
		clock.Step(time.Hour + time.Minute)
		Expect(refreshed(ctx, gateways)).To(Succeed())
		second := standing(ctx)
		Expect(second.Data["tls.key"]).NotTo(Equal(first.Data["tls.key"]), "a new key each time")
		Expect(holder(second)).To(Equal(holder(first)))
	})

	DescribeTable("has it put right", func(ctx SpecContext, change func(*corev1.Secret)) {
		letIn(ctx, in, "edge")
		Eventually(func() error { return refreshed(ctx, gateways) }).Should(Succeed())
		s := standing(ctx)
		change(s)
		Expect(admin.Update(ctx, s)).To(Succeed())
		Expect(refreshed(ctx, gateways)).To(Succeed())
		now := standing(ctx)
		Expect(holder(now).Name).To(Equal("edge"))
		Expect(now.Data["ca.crt"]).To(Equal(published(ctx).PEM()))
		Expect(now.Labels).To(HaveKey(hipaav1.LabelManagedBy))
	},
		Entry("where the key was exchanged", func(s *corev1.Secret) { s.Data["tls.key"] = []byte("x") }),
		Entry("where the roots were exchanged", func(s *corev1.Secret) { s.Data["ca.crt"] = s.Data["tls.crt"] }),
		Entry("where it was taken out of our care", func(s *corev1.Secret) { s.Labels = nil }),
	)

	It("has it put back where it was deleted", func(ctx SpecContext) {
		letIn(ctx, in, "edge")
		Eventually(func() error { return refreshed(ctx, gateways) }).Should(Succeed())
		Expect(admin.Delete(ctx, standing(ctx))).To(Succeed())
		Expect(refreshed(ctx, gateways)).To(Succeed())
		Expect(holder(standing(ctx)).Name).To(Equal("edge"))
	})

	It("opens no other Secret to the issuer", func(ctx SpecContext) {
		letIn(ctx, in, "edge")
		Eventually(func() error { return refreshed(ctx, gateways) }).Should(Succeed())
		issuer := gateways.Client
		other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "other"}}
		Expect(admin.Create(ctx, other)).To(Succeed())
		for what, err := range map[string]error{
			"another one":         issuer.Get(ctx, client.ObjectKeyFromObject(other), &corev1.Secret{}),
			"all of them":         issuer.List(ctx, &corev1.SecretList{}, client.InNamespace(in)),
			"those of the others": issuer.Get(ctx, client.ObjectKey{Namespace: "default", Name: "hipaa-gateway-edge"}, &corev1.Secret{}),
			"to take it away":     issuer.Delete(ctx, standing(ctx)),
		} {
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", what, err)
		}
	})

	It("has its Secret written by the issuer alone", func(ctx SpecContext) {
		letIn(ctx, in, "edge")
		Eventually(func() error { return refreshed(ctx, gateways) }).Should(Succeed())
		install(ctx, "../../config/admission/owned_objects.yaml")
		DeferCleanup(func(ctx SpecContext) { uninstall(ctx, "../../config/admission/owned_objects.yaml") })
		editor := as("mallory", "writers")
		Expect(admin.Create(ctx, &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "writers"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}}},
		})).To(Succeed())
		binding(ctx, in, "writers", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "writers"}, rbacv1.Subject{Kind: rbacv1.UserKind, Name: "mallory"})
		Eventually(func() error {
			s := standing(ctx)
			s.Annotations = map[string]string{"x": time.Now().String()}
			return editor.Update(ctx, s)
		}).Should(MatchError(ContainSubstring("belongs to hipaa-operator")))
		clock.Step(13 * time.Hour)
		was := standing(ctx)
		Expect(refreshed(ctx, gateways)).To(Succeed())
		Expect(standing(ctx).Data["tls.key"]).NotTo(Equal(was.Data["tls.key"]))
	})
})

var _ = DescribeTable("A gateway is declared with what it can show", func(ctx SpecContext, change func(*hipaav1.Gateway), refusal string) {
	profile := phitest.Profile("declared").Gateway("edge", "ingress", "app", "nginx").GatewayAt("cloud", "10.0.0.0/8").Obj()
	for i := range profile.Spec.Network.Gateways {
		change(&profile.Spec.Network.Gateways[i])
	}
	err := admin.Create(ctx, profile, client.DryRunAll)
	if refusal == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(err).To(MatchError(ContainSubstring(refusal)))
},
	Entry("as before, by nothing", func(*hipaav1.Gateway) {}, ""),
	Entry("pods by a certificate, and addresses by themselves", func(g *hipaav1.Gateway) {
		g.Authentication = hipaav1.GatewayCertificate
		if g.Namespace == "" {
			g.Authentication = hipaav1.GatewayAddress
		}
	}, ""),
	Entry("plaintext, while it is moved", func(g *hipaav1.Gateway) { g.Authentication = hipaav1.GatewayPlaintext }, ""),
	Entry("addresses by a certificate", func(g *hipaav1.Gateway) { g.Authentication = hipaav1.GatewayCertificate }, "spec.network.gateways[1].authentication: Invalid value: is Certificate beside namespace only"),
	Entry("pods by addresses", func(g *hipaav1.Gateway) { g.Authentication = hipaav1.GatewayAddress }, "spec.network.gateways[0].authentication: Invalid value: is Address beside cidrs only"),
	Entry("something else", func(g *hipaav1.Gateway) { g.Authentication = "Trust" }, "supported values"),
)

// refreshed looks once, and says what a gateway lacks.
func refreshed(ctx context.Context, g *Gateways) error {
	if err := g.Refresh(ctx); err != nil {
		return err
	}
	for id, why := range g.told {
		return fmt.Errorf("%s: %s", id, why)
	}
	return nil
}

func namespaceOf(ctx context.Context) string {
	GinkgoHelper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ingress-"}}
	Expect(admin.Create(ctx, n)).To(Succeed())
	return n.Name
}

// letIn lets the issuer write the Secret of one gateway, as docs/gateways.md says.
func letIn(ctx context.Context, namespace, gateway string) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hipaa-gateway-" + gateway},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"hipaa-gateway-" + gateway}, Verbs: []string{"get", "create", "patch"},
		}},
	})).To(Succeed())
	binding(ctx, namespace, "hipaa-gateway-"+gateway,
		rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "hipaa-gateway-" + gateway},
		rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: "hipaa-operator-issuer"})
}

func binding(ctx context.Context, namespace, name string, role rbacv1.RoleRef, who rbacv1.Subject) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, RoleRef: role, Subjects: []rbacv1.Subject{who},
	})).To(Succeed())
}

// derOf is the certificates of a file.
func derOf(text []byte) []byte {
	var der []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		der = append(der, block.Bytes...)
	}
	return der
}

func uninstall(ctx context.Context, file string) {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
	}
}
