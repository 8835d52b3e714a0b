package e2e_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A pause", Serial, Ordered, func() {
	const sue = "sue@example.org"
	pause := func(name string, d time.Duration) error {
		until := time.Now().Add(d).UTC().Format(time.RFC3339)
		return as(sue).Patch(ctx, phitest.Profile(name).Obj(), client.RawPatch(types.MergePatchType,
			[]byte(`{"spec":{"pause":{"reason":"a migration of the database","until":"`+until+`"}}}`)))
	}
	// row is what kubectl prints of an object, below its columns.
	row := func(args ...string) func() (string, error) {
		return func() (string, error) {
			out, err := kube.Run(ctx, append([]string{"get", "-o", "wide"}, args...)...)
			columns, row, _ := strings.Cut(out, "\n")
			Expect(columns).To(Or(And(ContainSubstring("PAUSED-UNTIL"), ContainSubstring("PAUSED-BY")), ContainSubstring("ENFORCED")))
			return row, err
		}
	}

	It("is seen where people look, with its end and who wrote it, and what came in meanwhile is told of after it", func() {
		namespace := phiNamespace("pausing")
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-default-deny")).Should(Succeed())
		stray := phitest.Pod("stray").Namespace(namespace).Obj()
		refused(admin.Create(ctx, stray.DeepCopy()), "undeclared-pod")
		grantCluster(sue, rbacv1.PolicyRule{APIGroups: []string{hipaav1.GroupName}, Resources: []string{"complianceprofiles"}, Verbs: []string{"patch", "weaken"}})

		refused(pause("hipaa-security-rule", 8*24*time.Hour), "spec.pause.until: a pause lasts seven days at most")
		start := time.Now()
		Expect(pause("hipaa-security-rule", 30*time.Second)).To(Succeed())
		Eventually(row("complianceprofiles", "hipaa-security-rule")).Should(And(ContainSubstring(sue), MatchRegexp(`20\d\d-\d\d-\d\dT`)))
		Eventually(row("phiworkloads", "api", "-n", namespace)).Should(ContainSubstring("Paused"))
		Eventually(eventsSince(corev1.NamespaceDefault, start)).Should(ContainElement(event(hipaav1.ReasonPaused, "ComplianceProfile/hipaa-security-rule", "paused by "+sue)))
		Eventually(func() error { return admin.Create(ctx, stray) }).Should(Succeed())

		Eventually(row("phiworkloads", "api", "-n", namespace), 2*time.Minute).ShouldNot(ContainSubstring("Paused"))
		Eventually(row("complianceprofiles", "hipaa-security-rule")).ShouldNot(ContainSubstring(sue))
		Eventually(undeclaredIn(namespace)).Should(Equal(int32(1)))
		Expect(eventsSince(namespace, start)()).To(ContainElement(event(hipaav1.EventPodUndeclared, "Pod/stray")))
		token, err := kube.MetricsReader(ctx)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() string { _, text, _ := operator.Metrics(ctx, token); return text }).Should(MatchRegexp(`hipaa_operator_undeclared_pods\{answer="Deny"\} [1-9]`))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(stray), stray)).To(Succeed(), "nothing evicts it")
		refused(admin.Create(ctx, phitest.Pod("late").Namespace(namespace).Obj()), "undeclared-pod")
	})
})
