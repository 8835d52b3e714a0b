package e2e_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("Secrets that the API server stores in the clear", func() {
	It("pass by what people state of etcd's disks, as Attested, until that has ended", func() {
		namespace := phiNamespace("etcd-disks")
		end := time.Now().Add(15 * time.Second)
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.Platform(hipaav1.PlatformParameters{SecretEncryption: &hipaav1.Statement{
				StatedBy: "Dana Reyes", Reason: "the disks of etcd are LUKS volumes", Expires: metav1.NewTime(end),
			}})
		})
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		result := func() hipaav1.ControlResult { return resultOf(workload, "secret-encryption") }
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictPass), HaveField("Class", hipaav1.EvidenceAttested),
			HaveField("Message", ContainSubstring("in the clear, and what etcd writes is stated to be encrypted"))))
		// Nothing but time passes.
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictFail), HaveField("Message", ContainSubstring("in the clear (identity)"))))
	})
})
