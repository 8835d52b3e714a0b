package node_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// enforcePolicies starts the agent by which the node drops what policies forbid, until the
// spec or its container ends.
func enforcePolicies() {
	GinkgoHelper()
	agent := exec.CommandContext(ctx, os.Getenv(tool), "policies")
	agent.Stdout, agent.Stderr = GinkgoWriter, GinkgoWriter
	Expect(agent.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(agent.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(agent.Wait()).To(Succeed())
		By("taking every rule away when the agent goes")
		Expect(exec.CommandContext(ctx, "nft", "list", "table", "inet", "localcluster-policies").Run()).NotTo(Succeed())
	})
}

// A dropped packet has no answer; a refused one would have one at once, and so would a broken name.
func isCutOff(from *corev1.Pod, address string) {
	GinkgoHelper()
	Eventually(func() error {
		_, err := asks(from, address)
		return err
	}).Should(MatchError(ContainSubstring("deadline exceeded")))
}

var _ = Describe("Network policies", Ordered, func() {
	var (
		in, other              string
		web, friend, neighbour *corev1.Pod
		stranger               *corev1.Pod
	)

	BeforeAll(func() {
		in, other = namespace(nil), namespace(map[string]string{"team": "other"})
		server := peer(in, "web", "-listen", "80,81,82,"+orders)
		server.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 80}}
		web, friend, neighbour = running(server), running(peer(in, "friend")), running(peer(in, "neighbour"))
		stranger = running(peer(other, "stranger"))
	})

	to := func(pod *corev1.Pod, port string) string { return net.JoinHostPort(pod.Status.PodIP, port) }
	reaches := func(from *corev1.Pod, address string) {
		GinkgoHelper()
		Eventually(func() (string, error) { return asks(from, address) }).ShouldNot(BeEmpty())
	}
	apply := func(name string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
		GinkgoHelper()
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: name}, Spec: spec}
		Expect(admin.Create(ctx, p)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, p)).To(Succeed()) })
		return p
	}
	labelled := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	denyIngress := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}

	It("drop nothing where nobody enforces them", func() {
		apply("deny", denyIngress)
		Consistently(func() (string, error) { return asks(friend, to(web, "80")) }, "2s", "200ms").Should(Equal("web"))
	})

	Context("with an agent that enforces them", Ordered, func() {
		BeforeAll(enforcePolicies)

		It("drop what a default deny does not allow, and let in again what is allowed", func() {
			reaches(friend, to(web, "80"))
			apply("deny", denyIngress)
			isCutOff(friend, to(web, "80"))
			Expect(request(to(web, orders), "/", nil)).To(Equal("web"), "the node itself is always allowed")
			Expect(asks(web, "127.0.0.1:80")).To(Equal("web"))
			apply("friends", networkingv1.NetworkPolicySpec{
				PodSelector: *labelled("web"),
				Ingress: []networkingv1.NetworkPolicyIngressRule{{
					From:  []networkingv1.NetworkPolicyPeer{{PodSelector: labelled("friend")}},
					Ports: []networkingv1.NetworkPolicyPort{{Port: ptr.To(intstr.FromString("http"))}},
				}},
			})
			reaches(friend, to(web, "80"))
			isCutOff(friend, to(web, "81"))
			isCutOff(neighbour, to(web, "80"))
			isCutOff(stranger, to(web, "80"))
		})

		It("tell namespaces, ranges of ports and addresses apart", func() {
			apply("deny", denyIngress)
			apply("team", networkingv1.NetworkPolicySpec{
				PodSelector: *labelled("web"),
				Ingress: []networkingv1.NetworkPolicyIngressRule{
					{
						From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{
							MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []string{"other"}}},
						}}},
						Ports: []networkingv1.NetworkPolicyPort{{Port: ptr.To(intstr.FromInt32(80)), EndPort: ptr.To[int32](81)}},
					},
					{
						From: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{
							CIDR: "10.244.0.0/16", Except: []string{neighbour.Status.PodIP + "/32", stranger.Status.PodIP + "/32"},
						}}},
						Ports: []networkingv1.NetworkPolicyPort{{Port: ptr.To(intstr.FromInt32(82))}},
					},
				},
			})
			reaches(stranger, to(web, "80"))
			reaches(stranger, to(web, "81"))
			isCutOff(stranger, to(web, "82"))
			isCutOff(friend, to(web, "81"))
			reaches(friend, to(web, "82"))
			isCutOff(neighbour, to(web, "82"))
		})

		It("hold egress, where a Service's name and address are what its pods are", func() {
			s := service(in, "web", corev1.ServicePort{Port: 8000, TargetPort: intstr.FromInt32(80)})
			Expect(admin.Create(ctx, s)).To(Succeed())
			reaches(friend, "web:8000")
			apply("out", networkingv1.NetworkPolicySpec{
				PodSelector: *labelled("friend"),
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			})
			isCutOff(friend, to(web, "80"))
			Eventually(func() error {
				_, err := resolves(friend, "web")
				return err
			}).Should(HaveOccurred())
			apply("names", networkingv1.NetworkPolicySpec{
				PodSelector: *labelled("friend"),
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
				Egress: []networkingv1.NetworkPolicyEgressRule{
					{
						To: []networkingv1.NetworkPolicyPeer{{
							NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}},
							PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
						}},
						Ports: []networkingv1.NetworkPolicyPort{{Protocol: ptr.To(corev1.ProtocolUDP)}},
					},
					{
						To:    []networkingv1.NetworkPolicyPeer{{PodSelector: labelled("web")}},
						Ports: []networkingv1.NetworkPolicyPort{{Port: ptr.To(intstr.FromString("http"))}},
					},
				},
			})
			reaches(friend, "web:8000")
			isCutOff(friend, to(web, "81"))
			isCutOff(friend, to(neighbour, orders))
			reaches(neighbour, to(friend, orders))
		})

		It("leave a connection alone that was let in before", func() {
			held, err := request(to(friend, orders), "/hold", url.Values{"to": {to(web, "80")}})
			Expect(err).NotTo(HaveOccurred())
			apply("deny", denyIngress)
			isCutOff(friend, to(web, "80"))
			Expect(request(to(friend, orders), "/held", url.Values{"id": {held}})).To(Equal("web"))
		})
	})
})
