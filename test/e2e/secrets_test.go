package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("Secrets that the API server stores in the clear", func() {
	It("pass by what people state of etcd's disks, as Attested, until that has ended", func() {
		namespace := phiNamespace("etcd-disks")
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.Platform(hipaav1.PlatformParameters{SecretEncryption: &hipaav1.Statement{
				StatedBy: "Dana Reyes", Reason: "the disks of etcd are LUKS volumes", Expires: metav1.NewTime(time.Now().Add(time.Hour)),
			}})
		})
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		result := func() hipaav1.ControlResult { return resultOf(workload, "secret-encryption") }
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictPass), HaveField("Class", hipaav1.EvidenceAttested),
			HaveField("Message", ContainSubstring("in the clear, and what etcd writes is stated to be encrypted"))))
		ends(namespace, `{"spec":{"platform":{"secretEncryption":{"expires":%q}}}}`)
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictFail), HaveField("Message", ContainSubstring("in the clear (identity)"))))
	})
})

var _ = Describe("A Secret that a workload takes from", func() {
	It("is shown to come from outside once an ExternalSecret has made it", func() {
		workload := takingSecret(externalSecret("Owner", "True"))("external-secret")
		Eventually(func(g Gomega) {
			result := resultOf(workload, "no-embedded-credentials")
			g.Expect(result.Verdict).To(Equal(hipaav1.VerdictPass), result.Message)
			g.Expect(result.Message).To(ContainSubstring("Secret/eprescribe is kept by ExternalSecret/eprescribe"))
		}).Should(Succeed())
	})
})

// takingSecret is a workload whose pod takes variables from the Secret eprescribe, under
// a profile that asks where it comes from.
func takingSecret(made *unstructured.Unstructured) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.ExternalSecrets().SecretsReviewed(metav1.NewTime(time.Now().Add(time.Hour)))
		})
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		running := phitest.Pod("api-0").Of(workload).With(func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "eprescribe"}}}}
		}).Obj()
		later(namespace, workload, running)
		if made == nil {
			return workload
		}
		serve("externalsecrets.external-secrets.io")
		report := fresh(made.DeepCopy(), namespace)
		Eventually(func() error { return admin.Create(ctx, report) }).Should(Succeed())
		before := report.DeepCopy()
		report.Object["status"] = made.Object["status"]
		Expect(admin.Status().Patch(ctx, report, client.MergeFrom(before))).To(Succeed())
		return workload
	}
}

func externalSecret(policy, ready string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"name": "eprescribe"},
		"spec": map[string]any{
			"secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": "vault"}, "target": map[string]any{"creationPolicy": policy},
		},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": ready}}},
	}}
}

// readingAlike is a workload of production whose namespace reads from a store what that of
// a test workload reads, which comes later.
func readingAlike(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	serve("externalsecrets.external-secrets.io")
	workload := closed(namespace)
	declareElsewhere(map[string][]hipaav1.Environment{namespace + "-test": {hipaav1.EnvironmentTest}})
	for _, in := range []string{namespace, namespace + "-test"} {
		Eventually(func() error {
			return admin.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"namespace": in, "name": "database"},
				"spec": map[string]any{
					"secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": "vault"},
					"data":           []any{map[string]any{"secretKey": "password", "remoteRef": map[string]any{"key": "ehr/database"}}},
				},
			}})
		}).Should(Succeed())
	}
	return workload
}
