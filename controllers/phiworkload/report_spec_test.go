package phiworkload_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("What another system reports", Serial, func() {
	It("is read with its status, and people hear once of what will end", func(ctx context.Context) {
		p := newPlace(ctx, phitest.Profile("").Mode(hipaav1.ModeAudit))
		w := create(ctx, p.workload("api").Obj())
		watched := func() hipaav1.ControlResult {
			live := &hipaav1.PHIWorkload{}
			if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(w), live); err != nil {
				return hipaav1.ControlResult{Message: err.Error()}
			}
			for _, c := range live.Status.Controls {
				if c.ID == "certificate-expiry" {
					return c
				}
			}
			return hipaav1.ControlResult{}
		}
		Eventually(watched, patience, interval).Should(HaveField("Message", ContainSubstring("no certificate of the workload can be seen")))

		By("a Certificate that was not issued yet")
		create(ctx, definition("certificates.cert-manager.io"))
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition("certificates.cert-manager.io")) })
		certificate := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": map[string]any{"namespace": p.name, "name": "web"},
			"spec": map[string]any{"secretName": "web-tls", "issuerRef": map[string]any{"name": "ca"}, "dnsNames": []any{"a.example.org"}},
		}}
		Eventually(func() error { return cluster.Admin.Create(ctx, certificate) }, patience, interval).Should(Succeed())
		Eventually(watched, patience, interval).Should(HaveField("Message", ContainSubstring("cert-manager has not issued it")))

		By("its status, and nothing else")
		ends := func(at time.Time) {
			GinkgoHelper()
			before := certificate.DeepCopy()
			Expect(unstructured.SetNestedField(certificate.Object, at.UTC().Format(time.RFC3339), "status", "notAfter")).To(Succeed())
			Expect(cluster.Admin.Status().Patch(ctx, certificate, client.MergeFrom(before))).To(Succeed())
		}
		ends(time.Now().Add(10 * 24 * time.Hour))
		Eventually(watched, patience, interval).Should(And(
			HaveField("Verdict", hipaav1.VerdictPass), HaveField("Warning", ContainSubstring("in 14 days or less"))))
		Eventually(events(ctx, w), patience, interval).Should(ContainElement(hipaav1.EventSafeguardEnding))

		By("time alone")
		ends(time.Now().Add(4 * time.Second))
		Eventually(watched, patience, interval).Should(HaveField("Warning", ContainSubstring("in 3 days or less")))
		Eventually(watched, patience, interval).Should(And(
			HaveField("Verdict", hipaav1.VerdictFail), HaveField("Warning", ""), HaveField("Message", ContainSubstring("which has passed"))))

		By("the profile's word")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) {
			profile.Spec.Transmission = &hipaav1.TransmissionParameters{CertificatesElsewhere: &hipaav1.Statement{
				StatedBy: "Dana Reyes", Reason: "our load balancer's are", Expires: metav1.NewTime(time.Now().Add(time.Hour)),
			}}
		})
		gone(ctx, certificate)
		Eventually(watched, patience, interval).Should(And(HaveField("Verdict", hipaav1.VerdictPass), HaveField("Class", hipaav1.EvidenceAttested)))
	})
})
