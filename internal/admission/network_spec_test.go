package admission_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// opening lets everybody in.
func opening(ns, name string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}},
	}
}

// closing lets nobody in.
func closing(ns, name string) *networkingv1.NetworkPolicy {
	policy := opening(ns, name)
	policy.Spec.Ingress = nil
	return policy
}

func owned(policy *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	policy.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
	return policy
}

var _ = Describe("The network of a PHI namespace", func() {
	var (
		ns             string
		tenant, keeper *person
	)
	BeforeEach(func(ctx SpecContext) {
		tenant, keeper = as("tess@example.org"), as(manager)
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		Eventually(func() error { // the cache has seen the workload
			return tenant.Create(ctx, opening(ns, "probe"), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("opens PHIWorkload patient-api")))
	})

	It("is not opened by a policy", func(ctx SpecContext) {
		err := tenant.Create(ctx, opening(ns, "let-in"))
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(ContainSubstring(`networkpolicy "let-in" in PHI namespace`), ContainSubstring("network-isolation"), ContainSubstring("spec.ingress[0]"))))
		Expect(tenant.Create(ctx, closing(ns, "shut"))).To(Succeed())
		opened := closing(ns, "shut")
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(opened), opened)).To(Succeed())
		opened.Spec.Ingress = opening(ns, "").Spec.Ingress
		Expect(tenant.Update(ctx, opened)).To(MatchError(ContainSubstring("network-isolation")))
	})

	It("is not rerouted by endpoints that somebody wrote", func(ctx SpecContext) {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: ns, Name: "aside", Labels: map[string]string{discoveryv1.LabelServiceName: "patient-api"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"203.0.113.7"}}},
			Ports:       []discoveryv1.EndpointPort{{Port: ptr.To[int32](443)}},
		}
		Expect(tenant.Create(ctx, slice)).To(MatchError(And(ContainSubstring("network-isolation"), ContainSubstring("endpoints[0].addresses[0]"))))
		endpoints := &corev1.Endpoints{ //nolint:staticcheck // deprecated, and still served
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "patient-api"},
			Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
				Addresses: []corev1.EndpointAddress{{IP: "203.0.113.7"}}, Ports: []corev1.EndpointPort{{Port: 443}},
			}},
		}
		Expect(tenant.Create(ctx, endpoints)).To(MatchError(And(
			ContainSubstring(`endpoints "patient-api"`), ContainSubstring("subsets[0].addresses[0].ip"))))
		controllers := as("system:serviceaccount:kube-system:endpointslice-controller", "system:masters")
		Expect(controllers.Create(ctx, slice)).To(Succeed())
	})

	It("is classified by its Services as its workloads are", func(ctx SpecContext) {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "patient-api", Labels: map[string]string{hipaav1.DefaultOwnerKey: "someone-else"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "patient-api"}, Ports: []corev1.ServicePort{{Port: 80}}},
		}
		Expect(tenant.Create(ctx, service)).To(MatchError(ContainSubstring("data-classification")))
		service.Labels = nil
		Expect(tenant.Create(ctx, service)).To(Succeed())
		service.Labels = map[string]string{hipaav1.DefaultOwnerKey: "someone-else"}
		Expect(tenant.Update(ctx, service)).To(MatchError(ContainSubstring("data-classification")))
	})

	It("is written by the operator where the operator owns it", func(ctx SpecContext) {
		theirs := owned(closing(ns, "hipaa-patient-api"))
		Expect(tenant.Create(ctx, theirs)).To(MatchError(ContainSubstring("belongs to hipaa-operator")))
		Expect(keeper.Create(ctx, theirs)).To(Succeed())

		changed := theirs.DeepCopy()
		changed.Spec.PodSelector.MatchLabels = map[string]string{"app": "other"}
		Expect(tenant.Update(ctx, changed)).To(MatchError(ContainSubstring("change their access and egress instead")))
		unlabelled := theirs.DeepCopy()
		unlabelled.Labels = nil
		Expect(tenant.Update(ctx, unlabelled)).To(MatchError(ContainSubstring("belongs to hipaa-operator")))
		Expect(tenant.Delete(ctx, theirs)).To(MatchError(ContainSubstring("belongs to hipaa-operator")))
		Expect(tenant.DeleteAllOf(ctx, &networkingv1.NetworkPolicy{}, client.InNamespace(ns))).To(MatchError(ContainSubstring("belongs to hipaa-operator")))

		Expect(keeper.Update(ctx, changed)).To(Succeed())
		Expect(as("system:serviceaccount:kube-system:namespace-controller", "system:masters").Delete(ctx, changed, client.DryRunAll)).To(Succeed())
		Expect(keeper.Delete(ctx, changed)).To(Succeed())
	})

	It("remembers who changed what the operator owns", func(ctx SpecContext) {
		began := time.Now().Add(-time.Minute)
		theirs := owned(closing(ns, "hipaa-patient-api"))
		Expect(keeper.Create(ctx, theirs)).To(Succeed())
		object := witness.Object{Kind: "NetworkPolicy", Namespace: ns, Name: theirs.Name}
		officer := as("sam@example.org", "security")

		theirs.Labels["note"] = "dry"
		Expect(officer.Update(ctx, theirs.DeepCopy(), client.DryRunAll)).To(Succeed())
		_, found, err := book.Who(ctx, object, began)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeFalse(), "a dry run changes nothing")

		Expect(officer.Update(ctx, theirs)).To(Succeed())
		elsewhere := witness.NewBook(admin, admin, operatorNamespace) // another replica
		change, found, err := elsewhere.Who(ctx, object, began)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue())
		Expect(change.User).To(Equal("sam@example.org"))
		Expect(change.Operation).To(Equal("UPDATE"))

		Expect(officer.DeleteAllOf(ctx, &networkingv1.NetworkPolicy{}, client.InNamespace(ns))).To(Succeed())
		change, _, err = elsewhere.Who(ctx, object, began)
		Expect(err).NotTo(HaveOccurred())
		Expect(change.Operation).To(Equal("DELETE"))
	})
})
