package issuer

import (
	"crypto/x509"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

var _ = Describe("A pod that asks for a certificate", func() {
	var (
		clock *clocktesting.FakeClock
		r     replica
		roots pki.Bundle
	)

	BeforeEach(func(ctx SpecContext) {
		begin(ctx)
		clock = clocktesting.NewFakeClock(start)
		r = startReplica(ctx, clock, pki.DefaultPlan())
		roots = published(ctx)
	})

	It("gets the identity of its ServiceAccount, for a day, with the roots to trust", func(ctx SpecContext) {
		pod := newPod(ctx)
		a := ask(ctx, r, clock, pod.token(ctx), roots)
		Expect(a.LastError()).NotTo(HaveOccurred())
		Expect(a.ID().String()).To(Equal("spiffe://cluster.local/ns/" + pod.Namespace + "/sa/api"))
		Expect(a.Bundle().Equal(roots)).To(BeTrue())
		Expect(a.Certificate().Leaf.NotAfter).To(BeTemporally("~", clock.Now().Add(24*time.Hour), time.Second))
		Expect(a.Certificate().Leaf.ExtKeyUsage).To(ConsistOf(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth))
	})

	DescribeTable("is refused with a sentence", func(ctx SpecContext, want string, change func(SpecContext, phiPod) string) {
		pod := newPod(ctx)
		a := ask(ctx, r, clock, change(ctx, pod), roots)
		Expect(a.Certificate()).To(BeNil())
		Expect(a.Ready()).To(MatchError(MatchRegexp("^the issuer refused: " + want)))
	},
		Entry("from another address than its own", `the request for pod ehr-\w+/api-\w+ does not come from its address: .* \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				pod.at(ctx, "127.0.0.2", "::1")
				return pod.token(ctx)
			}),
		Entry("before it has an address, and told to ask again", `pod ehr-\w+/api-\w+ has no address in its status yet \(status 503\)`,
			func(ctx SpecContext, pod phiPod) string {
				pod.at(ctx)
				return pod.token(ctx)
			}),
		Entry("with another pod's token, which is to say not from that pod's address", `the request for pod ehr-\w+/db-\w+ does not come from its address`,
			func(ctx SpecContext, pod phiPod) string {
				other := podIn(ctx, pod.Namespace, "db")
				other.at(ctx, "127.0.0.3")
				return other.token(ctx)
			}),
		Entry("in a namespace that is not declared to hold PHI", `namespace ehr-\w+ is not declared to hold PHI: label it hipaa-operator.io/phi: "true" \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}}
				Expect(admin.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"hipaa-operator.io/phi":null}}}`)))).To(Succeed())
				return pod.token(ctx)
			}),
		Entry("that no PHIWorkload selects", `pod ehr-\w+/stranger-\w+ is selected by 0 PHIWorkloads instead of one \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string { return podIn(ctx, pod.Namespace, "stranger").token(ctx) }),
		Entry("that two PHIWorkloads select", `pod ehr-\w+/api-\w+ is selected by 2 PHIWorkloads instead of one \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				second := phitest.Workload("second").Namespace(pod.Namespace).Obj()
				second.Spec.Selector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "api"}}
				Expect(admin.Create(ctx, second)).To(Succeed())
				return pod.token(ctx)
			}),
		Entry("that was admitted without the proxy", `pod ehr-\w+/api-\w+ was admitted without the proxy: replace it \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string { return podIn(ctx, pod.Namespace, "api").token(ctx) }),
		Entry("whose container of that name ends and so is none", `pod ehr-\w+/api-\w+ was admitted without the proxy`,
			func(ctx SpecContext, pod phiPod) string {
				return podIn(ctx, pod.Namespace, "api", func(p *corev1.Pod) {
					p.Spec.InitContainers = []corev1.Container{{Name: "phi-proxy", Image: "phi-proxy:1", Args: pod.Spec.InitContainers[0].Args}}
				}).token(ctx)
			}),
		Entry("whose proxy serves another PHIWorkload", `the proxy of pod ehr-\w+/api-\w+ is that of another PHIWorkload than the one that selects it now: replace the pod \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				return podIn(ctx, pod.Namespace, "api", proxied("6f1c6d2e-1b7a-4c55-9d8e-1f2f3a4b5c6d")).token(ctx)
			}),
		Entry("that is being deleted", `pod ehr-\w+/api-\w+ is being deleted \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				token := pod.token(ctx)
				Expect(admin.Delete(ctx, pod.Pod, client.GracePeriodSeconds(600))).To(Succeed())
				return token
			}),
		Entry("that has ended", `pod ehr-\w+/api-\w+ has ended \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				token := pod.token(ctx)
				pod.Status.Phase = corev1.PodFailed
				Expect(admin.Status().Update(ctx, pod.Pod)).To(Succeed())
				return token
			}),
		// Which of the two it is depends on whether the API server's reviewer of tokens has
		// heard of it.
		Entry("that is gone, whose token went with it", `(the token is not one of audience issuer.hipaa-operator.io that counts now \(status 401\)|pod ehr-\w+/api-\w+ is gone \(status 403\))`,
			func(ctx SpecContext, pod phiPod) string {
				token := pod.token(ctx)
				Expect(admin.Delete(ctx, pod.Pod, client.GracePeriodSeconds(0))).To(Succeed())
				return token
			}),
		Entry("with a token of another audience", `the token is not one of audience issuer.hipaa-operator.io that counts now \(status 401\)`,
			func(ctx SpecContext, pod phiPod) string {
				token, err := mint(ctx, admin, pod.account(), pod.Pod, "https://kubernetes.default.svc")
				Expect(err).NotTo(HaveOccurred())
				return token
			}),
		Entry("with a token that is bound to no pod", `the token is not bound to a pod: ask with the one that the kubelet mounts \(status 403\)`,
			func(ctx SpecContext, pod phiPod) string {
				token, err := mint(ctx, node(), pod.account(), nil, enrol.Audience)
				Expect(err).NotTo(HaveOccurred())
				return token
			}),
		Entry("with anything else", `the token is not one of audience issuer.hipaa-operator.io that counts now \(status 401\)`,
			func(SpecContext, phiPod) string { return "a.b.c" }),
		Entry("from the operator's namespace, where it is neither the manager nor the gate", `pod hipaa-operator-system/thief-\w+ is neither the manager nor the gate of calls to vendors \(status 403\)`,
			func(ctx SpecContext, _ phiPod) string { return podIn(ctx, operatorNamespace, "thief").token(ctx) }),
	)

	It("cannot be stood in for by a tenant with the role edit, who mints a token bound to it", func(ctx SpecContext) {
		pod := newPod(ctx)
		// Of that role edit is made, by a controller that does not run here.
		Expect(admin.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "tina", Namespace: pod.Namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:aggregate-to-edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "tina@example.org"}},
		})).To(Succeed())
		tina := as("tina@example.org")
		_, err := mint(ctx, tina, pod.account(), pod.Pod, enrol.Audience)
		Expect(err).To(MatchError(ContainSubstring("only nodes get one")))
		By("minting one of another audience, which the role allows and the issuer does not take")
		token, err := mint(ctx, tina, pod.account(), pod.Pod, "https://kubernetes.default.svc")
		Expect(err).NotTo(HaveOccurred())
		Expect(ask(ctx, r, clock, token, roots).Certificate()).To(BeNil())
	})

	It("keeps its allowance while somebody asks with its token from elsewhere", func(ctx SpecContext) {
		pod := newPod(ctx)
		token := pod.token(ctx)
		pod.at(ctx, "127.0.0.2")
		for range podBurst + 1 {
			Expect(ask(ctx, r, clock, token, roots).LastError()).To(MatchError(ContainSubstring("does not come from its address")))
		}
		pod.at(ctx, here)
		Expect(ask(ctx, r, clock, token, roots).LastError()).NotTo(HaveOccurred())
	})

	It("is answered six times at once, and then told to wait", func(ctx SpecContext) {
		pod := newPod(ctx)
		token := pod.token(ctx)
		for range podBurst {
			Expect(ask(ctx, r, clock, token, roots).LastError()).NotTo(HaveOccurred())
		}
		Expect(ask(ctx, r, clock, token, roots).LastError()).To(MatchError(ContainSubstring("the issuer is asked more often than it answers (status 429)")))
		clock.Step(10 * time.Second)
		Expect(ask(ctx, r, clock, token, roots).LastError()).NotTo(HaveOccurred())
	})

	It("is no pod but the manager's, and gets the signer's identity, which is good for no TLS", func(ctx SpecContext) {
		manager := podIn(ctx, operatorNamespace, managerAccount)
		a := ask(ctx, r, clock, manager.token(ctx), roots)
		Expect(a.LastError()).NotTo(HaveOccurred())
		Expect(a.ID().String()).To(Equal("spiffe://cluster.local/signer/configuration"))
		Expect(a.Certificate().Leaf.ExtKeyUsage).To(ConsistOf(x509.ExtKeyUsageCodeSigning))
		Expect(a.Certificate().Leaf.NotAfter).To(BeTemporally("~", clock.Now().Add(7*24*time.Hour), time.Hour))
	})

	It("is the gate of calls to vendors, and gets an identity of the operator's namespace", func(ctx SpecContext) {
		a := ask(ctx, r, clock, podIn(ctx, operatorNamespace, egressAccount).token(ctx), roots)
		Expect(a.LastError()).NotTo(HaveOccurred())
		Expect(a.ID().String()).To(Equal("spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"))
	})

	DescribeTable("is neither signer nor gate where a tenant calls his ServiceAccount so", func(ctx SpecContext, account string) {
		namespace := newPod(ctx).Namespace
		workload := phitest.Workload(account).Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		a := ask(ctx, r, clock, podIn(ctx, namespace, account, proxied(workload.UID)).token(ctx), roots)
		Expect(a.LastError()).NotTo(HaveOccurred())
		Expect(a.ID().String()).To(Equal("spiffe://cluster.local/ns/" + namespace + "/sa/" + account))
	},
		Entry("the manager", managerAccount),
		Entry("the gate", egressAccount),
	)

	It("finds metrics closed to whoever shows no token", func(ctx SpecContext) {
		Expect(status(ctx, "http://"+r.health+"/healthz")).To(Equal(http.StatusOK))
		Eventually(func() (int, error) { return status(ctx, "https://"+r.metrics+"/metrics") }).Should(Equal(http.StatusUnauthorized))
	})
})

var _ = Describe("The roots", func() {
	// secretOf asks as somebody for the Secret.
	read := func(ctx SpecContext, c client.Client) error {
		return c.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: SecretName}, &corev1.Secret{})
	}

	It("are read by the issuer and not by the manager, which parses what tenants write", func(ctx SpecContext) {
		manager, err := newClient(asAccount(managerAccount))
		Expect(err).NotTo(HaveOccurred())
		issuer, err := newClient(asAccount("hipaa-operator-issuer"))
		Expect(err).NotTo(HaveOccurred())
		Expect(read(ctx, issuer)).To(Succeed())
		Expect(apierrors.IsForbidden(read(ctx, manager))).To(BeTrue())
		Expect(apierrors.IsForbidden(manager.List(ctx, &corev1.SecretList{}, client.InNamespace(operatorNamespace)))).To(BeTrue())
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
			for user, want := range map[string]bool{managerAccount: false, "hipaa-operator-issuer": verb == "get" || verb == "update"} {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User:   "system:serviceaccount:" + operatorNamespace + ":" + user,
					Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace, "system:authenticated"},
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: operatorNamespace, Verb: verb, Version: "v1", Resource: "secrets", Name: SecretName,
					},
				}}
				Expect(admin.Create(ctx, review)).To(Succeed())
				Expect(review.Status.Allowed).To(Equal(want), "%s %s", user, verb)
			}
		}
	})

	It("are no way for the issuer to other Secrets, pods or writes", func(ctx SpecContext) {
		issuer, err := newClient(asAccount("hipaa-operator-issuer"))
		Expect(err).NotTo(HaveOccurred())
		pod := newPod(ctx)
		for what, err := range map[string]error{
			"another Secret":       issuer.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "hipaa-operator-webhook-cert"}, &corev1.Secret{}),
			"a Secret of a tenant": issuer.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: SecretName}, &corev1.Secret{}),
			"all pods":             issuer.List(ctx, &corev1.PodList{}),
			"deleting a pod":       issuer.Delete(ctx, pod.Pod),
			"another ConfigMap":    issuer.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "other"}}),
			"a PHIWorkload":        issuer.Create(ctx, phitest.Workload("more").Namespace(pod.Namespace).Obj()),
		} {
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", what, err)
		}
		Expect(issuer.List(ctx, &hipaav1.PHIWorkloadList{}, client.InNamespace(pod.Namespace))).To(Succeed())
	})
})
