package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("A Secret in a PHI namespace", func() {
	secret := func(ns, name string, of corev1.SecretType) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Type: of}
	}
	token := func(ns, name string) *corev1.Secret {
		asking := secret(ns, name, corev1.SecretTypeServiceAccountToken)
		asking.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
		return asking
	}

	It("is refused where it asks for a token that never ends", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		tenant := as("tess@example.org")
		Eventually(func() error { return tenant.Create(ctx, token(ns, "deployer"), client.DryRunAll) }).Should(MatchError(And(
			ContainSubstring(`secret "deployer" in PHI namespace`), ContainSubstring("no-embedded-credentials"),
			ContainSubstring("type is kubernetes.io/service-account-token"), ContainSubstring("mount a projected token"),
			ContainSubstring("kubectl create token"), ContainSubstring(`workload "patient-api"`))), "the cache has seen the workload")
		Expect(tenant.Create(ctx, secret(ns, "database", corev1.SecretTypeOpaque))).To(Succeed())
	})

	It("is not sent where it holds something, nor when it changes: no policy of the backstop is here", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "default"}}
		Expect(client.IgnoreAlreadyExists(admin.Create(ctx, account))).To(Succeed())
		Expect(admin.Create(ctx, token(ns, "refused"))).To(MatchError(ContainSubstring("no-embedded-credentials")))
		for _, fill := range []func(*corev1.Secret){
			func(s *corev1.Secret) { s.Data = map[string][]byte{"token": []byte("old")} },
			func(s *corev1.Secret) { s.StringData = map[string]string{"token": "old"} },
		} {
			held := token(ns, "held")
			fill(held)
			Expect(admin.Create(ctx, held, client.DryRunAll)).To(Succeed())
		}
		held := token(ns, "held")
		held.Data = map[string][]byte{"token": []byte("old")}
		Expect(admin.Create(ctx, held)).To(Succeed())
		held.Data = nil
		Expect(admin.Update(ctx, held)).To(Succeed())
	})

	It("is warned of where the profile warns", func(ctx SpecContext) {
		tenant := as("tess@example.org")
		Expect(tenant.Create(ctx, token(namespace(ctx, "warn"), "deployer"))).To(Succeed())
		Expect(tenant.warned.texts).To(ContainElement(ContainSubstring("no-embedded-credentials")))
	})
})
