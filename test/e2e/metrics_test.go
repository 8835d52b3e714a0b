package e2e_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("The metrics", func() {
	It("are for those whom the API server lets read them, and count the fleet", func() {
		namespace := phiNamespace("counted-ward")
		Expect(admin.Create(ctx, phitest.Workload("api").Namespace(namespace).Obj())).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())

		status, _, err := operator.Metrics(ctx, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(http.StatusUnauthorized))

		token, err := kube.MetricsReader(ctx)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			status, text, err := operator.Metrics(ctx, token)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(status).To(Equal(http.StatusOK))
			g.Expect(text).To(ContainSubstring(`hipaa_operator_workloads{stage="Enforced"}`))
			g.Expect(text).NotTo(ContainSubstring(namespace), "no label is a name")
		}).Should(Succeed())
	})
})
