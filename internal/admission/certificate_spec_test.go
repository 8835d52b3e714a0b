package admission_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/admission/certificates"
)

var _ = Describe("The webhook certificate", func() {
	// The rights are those that are installed: one Secret, by its name.
	grant := func(ctx context.Context) {
		GinkgoHelper()
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "own_namespace.yaml"))
		Expect(err).NotTo(HaveOccurred())
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
			Expect(admin.Create(ctx, object)).To(Succeed())
		}
		Expect(admin.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "configures-webhooks"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"admissionregistration.k8s.io"}, Verbs: []string{"get", "list", "watch", "update"},
			Resources: []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations"},
		}}})).To(Succeed())
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "configures-webhooks"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "configures-webhooks"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: operatorNamespace, Name: "hipaa-operator-manager"}},
		})).To(Succeed())
	}
	hook := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
		Namespace: operatorNamespace, Name: certificates.ServiceName, Path: ptr.To("/x"),
	}}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "rotating"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "a.rotating.test", ClientConfig: hook, SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "rotating"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "a.rotating.test", ClientConfig: hook, SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}

	It("is made, mounted and trusted with the right on one Secret alone", func(ctx SpecContext) {
		grant(ctx)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: certificates.SecretName}}
		for _, o := range []client.Object{
			secret, validating, mutating,
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "root-of-the-issuer"}},
		} {
			Expect(admin.Create(ctx, o)).To(Succeed())
		}
		limited := rest.CopyConfig(apiConfig)
		limited.Impersonate = rest.ImpersonationConfig{UserName: manager, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
		mgr, err := ctrl.NewManager(limited, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
		Expect(err).NotTo(HaveOccurred())
		mount := GinkgoT().TempDir()
		ready, err := certificates.Rotate(mgr, certificates.Options{
			Namespace: operatorNamespace, Directory: mount, Validating: "rotating", Mutating: "rotating",
		})
		Expect(err).NotTo(HaveOccurred())
		running, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- mgr.Start(running) }()

		Eventually(func(g Gomega) { // what the kubelet does
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			g.Expect(secret.Data).To(HaveKey("tls.crt"))
			g.Expect(os.WriteFile(filepath.Join(mount, "tls.crt"), secret.Data["tls.crt"], 0o600)).To(Succeed())
		}, 20*time.Second, 50*time.Millisecond).Should(Succeed())
		Eventually(ready, 30*time.Second).Should(BeClosed())

		Expect(admin.Get(ctx, client.ObjectKeyFromObject(validating), validating)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(mutating), mutating)).To(Succeed())
		trusted := validating.Webhooks[0].ClientConfig.CABundle
		Expect(mutating.Webhooks[0].ClientConfig.CABundle).To(Equal(trusted))
		roots := x509.NewCertPool()
		Expect(roots.AppendCertsFromPEM(trusted)).To(BeTrue())
		block, _ := pem.Decode(secret.Data["tls.crt"])
		certificate, err := x509.ParseCertificate(block.Bytes)
		Expect(err).NotTo(HaveOccurred())
		_, err = certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: "hipaa-operator-webhook.hipaa-operator-system.svc"})
		Expect(err).NotTo(HaveOccurred())
		Expect(certificate.NotAfter).To(BeTemporally(">", time.Now().Add(300*24*time.Hour)))

		cancel()
		Eventually(done, 10*time.Second).Should(Receive(BeNil()))
	})
})
