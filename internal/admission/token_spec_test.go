package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
)

// mint asks for a token that is bound to a pod.
func mint(ctx SpecContext, c client.Client, pod *corev1.Pod, audiences ...string) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.ServiceAccountName, Namespace: pod.Namespace}}
	return c.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      audiences,
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}})
}

var _ = Describe("A token for the issuer", func() {
	const user = "tina@example.org"
	var pod *corev1.Pod

	BeforeEach(func(ctx SpecContext) {
		// What guards it is inside the API server: here it stands alone, in a namespace
		// where the gate has no say.
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "tokens-"}}
		Expect(admin.Create(ctx, ns)).To(Succeed())
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "api", Namespace: ns.Name}}
		Expect(admin.Create(ctx, account)).To(Succeed())
		pod = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "api", Namespace: ns.Name},
			Spec:       corev1.PodSpec{ServiceAccountName: "api", Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
		}
		Expect(admin.Create(ctx, pod)).To(Succeed())
		// Kubernetes' own role, as tenants have it.
		Expect(admin.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "tina", Namespace: ns.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})).To(Succeed())
	})

	It("is minted by no tenant, not among other audiences, not by a ServiceAccount of theirs, not by an administrator", func(ctx SpecContext) {
		for who, c := range map[string]client.Client{
			"a tenant":                      as(user),
			"one who is called as a node":   as("system:node:mine"),
			"one in the group of nodes":     as(user, "system:nodes"),
			"a ServiceAccount":              as("system:serviceaccount:"+pod.Namespace+":api", "system:serviceaccounts"),
			"an administrator":              admin,
			"the operator's own manager":    as(manager),
			"one whose name holds a node's": as("x:system:node:mine", "system:nodes"),
		} {
			for _, audiences := range [][]string{{enrol.Audience}, {"https://elsewhere.example", enrol.Audience}} {
				err := mint(ctx, c, pod, audiences...)
				Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s, %v: %v", who, audiences, err)
				Expect(err).To(MatchError(ContainSubstring("a token for issuer.hipaa-operator.io is worth the certificate of a workload")), who)
			}
		}
	})

	It("is minted by nodes, and tokens for others by whoever may", func(ctx SpecContext) {
		Expect(mint(ctx, as("system:node:mine", "system:nodes"), pod, enrol.Audience)).To(Succeed())
		Expect(mint(ctx, as(user), pod, "https://elsewhere.example")).To(Succeed())
		Expect(mint(ctx, as(user), pod)).To(Succeed())
		Expect(mint(ctx, as(user), pod, "https://"+enrol.Audience)).To(Succeed())
	})
})
