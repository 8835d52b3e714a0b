package node_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const (
	system = "hipaa-operator-system"
	// governed is the label by which namespaces choose a profile. The values are its names: one enforces
	// everything, one nothing, one mutual TLS alone.
	governed  = "governed"
	enforcing = "enforcing"
	auditing  = "auditing"
	proxied   = "proxied"
)

// installed installs the operator with its issuer, as docs/install.md says, when the first spec
// asks for it. It stays: namespaces without the label of PHI do not notice.
var installed = sync.OnceFunc(func() {
	for _, process := range []string{"manager", "issuer", "phi-proxy"} {
		importImage("--archive", filepath.Join(os.Getenv(images), process+".oci.tar"))
	}
	said, err := kubectl("apply", "--server-side", "-k", filepath.Join("..", "..", "config", "proxy"))
	Expect(err).NotTo(HaveOccurred(), said)
	// The kubelet of this node tells its pods of changes within seconds: nobody waits minutes for them.
	start("manager", "--proxy-settles=40s")
	for _, process := range []string{"manager", "issuer"} {
		said, err := kubectl("-n", system, "rollout", "status", "deployment/hipaa-operator-"+process, "--timeout=2m")
		Expect(err).NotTo(HaveOccurred(), said)
	}
	for value, profile := range map[string]*phitest.ProfileBuilder{
		enforcing: phitest.Profile(enforcing), auditing: phitest.Profile(auditing).Mode(hipaav1.ModeAudit),
		proxied: phitest.Profile(proxied).Mode(hipaav1.ModeAudit).Control("mutual-tls", hipaav1.ModeEnforce),
	} {
		profile := profile.Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, value).Obj()
		// The webhooks are registered with their certificate a moment after the pods are ready.
		Eventually(func() error { return admin.Create(ctx, profile) }).Should(Succeed())
	}
})

// start adds an argument to a process of the operator.
func start(process, argument string) {
	GinkgoHelper()
	said, err := kubectl("-n", system, "patch", "deployment/hipaa-operator-"+process, "--type=json",
		fmt.Sprintf(`--patch=[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":%q}]`, argument))
	Expect(err).NotTo(HaveOccurred(), said)
}

// phiNamespace makes a namespace for PHI that a profile governs.
func phiNamespace(profile string) string {
	GinkgoHelper()
	return namespace(map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue, governed: profile})
}

// operatorPods are those of a process of the operator that are not going.
func operatorPods(process string) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(system), client.MatchingLabels{"app.kubernetes.io/component": process})).To(Succeed())
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp.IsZero() {
			pods = append(pods, pod)
		}
	}
	return pods
}

// declare creates a PHIWorkload and the ServiceAccount of its pods.
func declare(w *hipaav1.PHIWorkload) *hipaav1.PHIWorkload {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name}})).To(Succeed())
	Expect(admin.Create(ctx, w)).To(Succeed())
	return w
}

// verdict is what the status of a PHIWorkload says of a control, and by what it is known.
func verdict(namespace, name, control string) func() (string, error) {
	return func() (string, error) {
		var w hipaav1.PHIWorkload
		if err := admin.Get(ctx, key(namespace, name), &w); err != nil {
			return "", err
		}
		for _, c := range w.Status.Controls {
			if c.ID == control {
				return fmt.Sprintf("%s %s: %s", c.Verdict, c.Class, c.Message), nil
			}
		}
		return "", nil
	}
}

// phiPod is a peer that a control has nothing against, but what the spec does to it.
func phiPod(w *hipaav1.PHIWorkload, name string) *corev1.Pod {
	pod := phitest.Pod(name).Of(w).Obj()
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
	c := &pod.Spec.Containers[0]
	c.Image, c.ImagePullPolicy = peerImage, corev1.PullNever
	c.SecurityContext.RunAsUser = ptr.To[int64](65532)
	c.ReadinessProbe = probeOf(orders)
	return pod
}

var _ = Describe("The operator as pods", Ordered, ContinueOnFailure, func() {
	var (
		in       string
		workload *hipaav1.PHIWorkload
	)

	BeforeAll(func() {
		installed()
		in = phiNamespace(enforcing)
		workload = declare(phitest.Workload("api").Namespace(in).Obj())
		Eventually(func() error {
			return admin.Get(ctx, key(in, "hipaa-api"), &networkingv1.NetworkPolicy{})
		}).Should(Succeed())
	})

	It("has two replicas of manager and issuer on one node, under Pod Security restricted, one of them leading", func() {
		var ns corev1.Namespace
		Expect(admin.Get(ctx, key("", system), &ns)).To(Succeed())
		Expect(ns.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
		names := map[string]bool{}
		for _, process := range []string{"manager", "issuer"} {
			pods := operatorPods(process)
			Expect(pods).To(HaveLen(2), process)
			for _, pod := range pods {
				Expect(isReady(&pod)).To(BeTrue(), pod.Name)
				Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeZero(), pod.Name)
				names[pod.Name] = true
			}
		}
		Eventually(func(g Gomega) { // one that was killed leads until its lease ends
			var leases coordinationv1.LeaseList
			g.Expect(admin.List(ctx, &leases, client.InNamespace(system))).To(Succeed())
			g.Expect(leases.Items).To(HaveLen(1))
			holder, _, _ := strings.Cut(*leases.Items[0].Spec.HolderIdentity, "_")
			g.Expect(names).To(HaveKey(holder))
		}).Should(Succeed())
	})

	It("refuses a bare pod of a PHI namespace by its webhooks, and lets a hardened one run", func() {
		bare := peer(in, "bare")
		bare.Labels = workload.Spec.Selector.MatchLabels
		err := admin.Create(ctx, bare)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring("admission webhook"), ContainSubstring("pod-hardening"))))
		running(phiPod(workload, "hardened"))
	})

	It("puts back a policy that was deleted", func() {
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "hipaa-api"}}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
		was := p.UID
		Expect(admin.Delete(ctx, p)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			g.Expect(p.UID).NotTo(Equal(was))
		}).Should(Succeed())
	})

	It("is reached by those whom its policies name and nobody else, where they are enforced", func() {
		enforcePolicies()
		stranger, declared := running(peer(namespace(nil), "stranger")), running(peer(phiNamespace(auditing), "declared"))
		at := func(process, port string) string {
			return net.JoinHostPort(operatorPods(process)[0].Status.PodIP, port)
		}
		isCutOff(stranger, at("issuer", "9443"))
		isCutOff(declared, at("issuer", "8081"))
		// It speaks TLS to who comes through.
		Eventually(func() (string, error) { return asks(declared, at("issuer", "9443")) }).Should(ContainSubstring("HTTP request to an HTTPS server"))
		running(phiPod(workload, "judged")) // by webhooks that the API server still reaches
	})

	It("sees whether the network plugin enforces policies, by dialling itself", func() {
		anew := func() { // as it does when it starts, and every ten minutes
			replicas("manager", 0)
			replicas("manager", 2)
		}
		anew()
		Eventually(verdict(in, "api", "network-isolation"), "2m").Should(And(HavePrefix("Fail"), ContainSubstring("connections passed that NetworkPolicies forbid")))
		enforcePolicies()
		anew()
		Eventually(verdict(in, "api", "network-isolation")).Should(And(HavePrefix("Pass Tested"), ContainSubstring("were dropped")))
	})

	It("finds its issuer by name where policies are enforced, and so does what dials vendors", func() {
		enforcePolicies()
		egress := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: control.EgressName}}
		replicas("manager", 0)
		replicas("manager", 2)
		By("sealing a new workload's configuration by a certificate that the new managers fetched")
		late := declare(phitest.Workload("late").Namespace(phiNamespace(proxied)).Obj())
		Eventually(func(g Gomega) {
			var sealed corev1.ConfigMap
			g.Expect(admin.Get(ctx, key(late.Namespace, injection.ConfigMapOf(late.Name)), &sealed)).To(Succeed())
			g.Expect(sealed.Data).NotTo(BeEmpty())
		}).Should(Succeed())
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(system),
			client.MatchingLabels{"app.kubernetes.io/component": "egress"}, client.GracePeriodSeconds(1))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(egress), egress)).To(Succeed())
			g.Expect(egress.Status.ReadyReplicas).To(BeEquivalentTo(2))
		}).Should(Succeed())
	})

	It("is held up by the API server where care depends on it, while all of its pods are gone", func() {
		care := namespace(map[string]string{
			hipaav1.LabelPHI: hipaav1.LabelPHIValue, governed: enforcing, hipaav1.LabelContinuity: string(hipaav1.ContinuityPatientCare),
		})
		cared := declare(phitest.Workload("api").Namespace(care).Continuity(hipaav1.ContinuityPatientCare).Obj())
		admitted := phiPod(cared, "admitted")
		Expect(admin.Create(ctx, admitted, client.DryRunAll)).To(Succeed())
		admitted.ResourceVersion, admitted.UID = "", ""
		// A first pod has told the operator what probes ask: that goes into what all of them are configured by.
		running(phiPod(cared, "before"))

		replicas("manager", 0)
		DeferCleanup(replicas, "manager", int32(2))
		bare := peer(care, "bare")
		bare.Labels = cared.Spec.Selector.MatchLabels
		Expect(admin.Create(ctx, bare)).To(MatchError(And(
			ContainSubstring(backstop.PodPolicy), ContainSubstring("pod-hardening"), Not(ContainSubstring("webhook")),
		)))
		running(admitted)
		elsewhere := phiPod(workload, "elsewhere")
		Expect(admin.Create(ctx, elsewhere)).To(MatchError(ContainSubstring("failed calling webhook")), "where care does not depend on it, pods wait")
	})
})

// replicas scales a process of the operator, and waits until all of it is as wanted. Pods that are
// not wanted are killed after a second: how they end in order is not what is asked.
func replicas(process string, want int32) {
	GinkgoHelper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hipaa-operator-" + process}}
	Expect(admin.Patch(ctx, d, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, want)))).To(Succeed())
	if want == 0 {
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(system),
			client.MatchingLabels{"app.kubernetes.io/component": process}, client.GracePeriodSeconds(1))).To(Succeed())
	}
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(d), d)).To(Succeed())
		g.Expect(d.Status.ReadyReplicas).To(Equal(want))
		var pods corev1.PodList
		g.Expect(admin.List(ctx, &pods, client.InNamespace(system), client.MatchingLabels{"app.kubernetes.io/component": process})).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(int(want)), "a pod that is going still answers")
	}).Should(Succeed())
}
