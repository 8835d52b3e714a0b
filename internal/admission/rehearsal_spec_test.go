package admission_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// rehearsalName is the name that is kept for rehearsals.
const rehearsalName = "hipaa-operator-rehearsal"

var _ = Describe("The rehearsal of a pod", Ordered, func() {
	var (
		ns       string
		operator *person
	)
	BeforeAll(func(ctx SpecContext) {
		ns = namespaceWithoutPHI(ctx)
		role := &rbacv1.ClusterRole{}
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "manager_role.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.UnmarshalStrict(text, role)).To(Succeed())
		Expect(admin.Create(ctx, role)).To(Succeed())
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: manager}},
		})).To(Succeed())
		// With no rights but those of its role.
		alone := rest.CopyConfig(apiConfig)
		alone.Impersonate = rest.ImpersonationConfig{UserName: manager, Groups: []string{"system:authenticated"}}
		operator = personWith(alone)
	})

	apply := func(ctx context.Context, by client.Client, name string, options ...client.ApplyOption) error {
		pod := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": ns},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": "example.org/app:1"}}},
		}}
		return by.Apply(ctx, client.ApplyConfigurationFromUnstructured(pod), append(options, client.FieldOwner("rehearsing"))...)
	}

	It("is all that the operator may do with pods", func(ctx SpecContext) {
		Eventually(func() error { return apply(ctx, operator, rehearsalName, client.DryRunAll) }).Should(Succeed())
		Expect(apply(ctx, operator, rehearsalName)).To(MatchError(ContainSubstring("is kept for pods that hipaa-operator rehearses")))
		Expect(apply(ctx, operator, "other", client.DryRunAll)).To(MatchError(ContainSubstring(`cannot patch resource "pods"`)))
		for _, name := range []string{rehearsalName, "other"} {
			Expect(operator.Create(ctx, phitest.Pod(name).Namespace(ns).Obj(), client.DryRunAll)).To(MatchError(ContainSubstring(`cannot create resource "pods"`)))
		}
	})

	It("finds its name free, because nobody may take it", func(ctx SpecContext) {
		refusal := MatchError(ContainSubstring("is kept for pods that hipaa-operator rehearses"))
		tenant := as("tess@example.org")
		Expect(apply(ctx, tenant, rehearsalName)).To(refusal)
		Expect(tenant.Create(ctx, phitest.Pod(rehearsalName).Namespace(ns).Obj())).To(refusal)
		Expect(tenant.Create(ctx, phitest.Pod("other").Namespace(ns).Obj())).To(Succeed())
	})
})
