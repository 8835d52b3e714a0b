package admission_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
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

	It("is not opened ahead of the PHIWorkload that would have to declare it", func(ctx SpecContext) {
		early := phitest.Policy("early").Namespace(ns).Selecting("app", "lab").Ingress(phitest.Peer(nil, phitest.Labels("app", "patient-api")), phitest.TCP(8080)).Obj()
		refused := MatchError(And(ContainSubstring("spec.ingress[0].from[0] opens pods that no PHIWorkload claims"), ContainSubstring("apply the PHIWorkload first")))
		err := tenant.Create(ctx, early.DeepCopy())
		AddReportEntry("refusal", err.Error())
		Expect(err).To(refused)
		Expect(tenant.Create(ctx, closing(ns, "closes-what-nobody-claims"))).To(Succeed())

		By("and is admitted at once when that has been applied, whatever the cache knows")
		lab := phitest.Workload("lab").Namespace(ns).Port("http", 8080).From(phitest.FromWorkload("patient-api")).Obj()
		Expect(tenant.Create(ctx, lab)).To(Succeed())
		Expect(tenant.Create(ctx, early.DeepCopy())).To(Succeed())

		By("and not widened beyond the pods of that workload")
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(early), early)).To(Succeed())
		early.Spec.PodSelector = *phitest.Labels()
		Expect(tenant.Update(ctx, early)).To(refused)
	})

	It("is not opened where no PHIWorkload is", func(ctx SpecContext) {
		empty := namespace(ctx, "enforce")
		Expect(tenant.Create(ctx, opening(empty, "let-in"))).To(MatchError(ContainSubstring("opens pods that no PHIWorkload claims: anyone may connect")))
		Expect(tenant.Create(ctx, closing(empty, "shut"))).To(Succeed())
	})

	It("is exposed by Services to declared addresses only, and where policies see them", func(ctx SpecContext) {
		service := func(name, app string, change func(*corev1.ServiceSpec)) *corev1.Service {
			built := phitest.Service(name).Namespace(ns).Selecting("app", app).Port("http", 80, intstr.FromString("http")).Obj()
			change(&built.Spec)
			return built
		}
		nodePort := func(spec *corev1.ServiceSpec) { spec.Type = corev1.ServiceTypeNodePort }
		local := func(spec *corev1.ServiceSpec) {
			spec.Type, spec.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal
		}
		err := tenant.Create(ctx, service("out", "patient-api", nodePort))
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(ContainSubstring("no-public-exposure"), ContainSubstring("spec.type is NodePort"), ContainSubstring("use type ClusterIP"))))
		Expect(tenant.Create(ctx, service("out", "patient-api", local))).To(MatchError(ContainSubstring("declares no caller by address")))
		Expect(tenant.Create(ctx, service("out", "nobody", local))).To(MatchError(ContainSubstring("reach pods that no PHIWorkload claims")))
		Expect(tenant.Create(ctx, service("out", "patient-api", func(spec *corev1.ServiceSpec) { spec.ExternalIPs = []string{"203.0.113.9"} }))).
			To(MatchError(ContainSubstring("spec.externalIPs[0] lets callers")))
		inside := service("inside", "patient-api", func(*corev1.ServiceSpec) {})
		Expect(tenant.Create(ctx, inside)).To(Succeed())
		nodePort(&inside.Spec)
		Expect(tenant.Update(ctx, inside)).To(MatchError(ContainSubstring("spec.type is NodePort")))

		By("and to a workload applied a moment ago as well")
		edge := phitest.Workload("edge").Namespace(ns).Port("http", 8080).From(phitest.FromBlock("198.51.100.0/24")).Obj()
		Expect(tenant.Create(ctx, edge)).To(Succeed())
		Expect(tenant.Create(ctx, service("edge", "edge", local))).To(Succeed())
		Expect(tenant.Create(ctx, service("edge-everywhere", "edge", nodePort))).To(MatchError(ContainSubstring("spec.externalTrafficPolicy is not Local")))
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
		Expect(tenant.Update(ctx, changed)).To(MatchError(ContainSubstring("which writes it from PHIWorkloads and profiles: change those instead")))
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

	It("remembers who deleted what opened a workload, and nothing of what did not", func(ctx SpecContext) {
		began := time.Now().Add(-time.Minute)
		officer := as("sam@example.org", "security")
		warned := namespace(ctx, "warn")
		declare(ctx, warned, "patient-api")
		deleted := func(policy *networkingv1.NetworkPolicy) bool {
			GinkgoHelper()
			Expect(officer.Delete(ctx, policy)).To(Succeed())
			change, found, err := book.Who(ctx, witness.Object{Kind: "NetworkPolicy", Namespace: policy.Namespace, Name: policy.Name}, began)
			Expect(err).NotTo(HaveOccurred())
			return found && change.Operation == "DELETE" && change.User == "sam@example.org"
		}
		harmless := closing(ns, "harmless")
		Expect(officer.Create(ctx, harmless)).To(Succeed())
		Expect(deleted(harmless)).To(BeFalse(), "whoever deletes enough of them would make the book forget")
		open := opening(warned, "open")
		Expect(officer.Create(ctx, open)).To(Succeed(), "here it is only a warning")
		Expect(deleted(open)).To(BeTrue())
	})
})
