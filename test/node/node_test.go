package node_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("The node", func() {
	It("is ready and runs containers, not a simulation of them", func() {
		var nodes corev1.NodeList
		Expect(admin.List(ctx, &nodes)).To(Succeed())
		Expect(nodes.Items).To(HaveLen(1))
		Expect(nodes.Items[0].Status.NodeInfo.ContainerRuntimeVersion).To(HavePrefix("containerd://"))
		Expect(nodes.Items[0].Status.Conditions).To(ContainElement(And(
			HaveField("Type", corev1.NodeReady), HaveField("Status", corev1.ConditionTrue),
		)))
	})

	It("runs a Deployment whose native sidecar serves the init containers behind it", func() {
		const helper = "9090"
		sidecar := peerContainer("sidecar", "-listen", helper)
		sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		sidecar.ReadinessProbe, sidecar.StartupProbe = nil, probeOf(helper)
		waits := peerContainer("waits", "-get", "127.0.0.1:"+helper)
		waits.ReadinessProbe = nil
		d := deployment(namespace(nil), "web", 2)
		d.Spec.Template.Spec.InitContainers = []corev1.Container{sidecar, waits}
		for _, pod := range available(d) {
			for _, port := range []string{orders, helper} {
				Expect(request(net.JoinHostPort(pod.Status.PodIP, port), "/", nil)).To(Equal(pod.Name))
			}
		}
	})

	It("answers a Service's name, from every pod behind it", func() {
		in := namespace(nil)
		d := deployment(in, "web", 2)
		s := service(in, "web", corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("http")})
		Expect(admin.Create(ctx, s)).To(Succeed())
		pods := available(d)
		client := running(peer(in, "client"))
		for _, name := range []string{"web", "web." + in, "web." + in + ".svc.cluster.local", s.Spec.ClusterIP} {
			seen := map[string]bool{}
			Eventually(func(g Gomega) {
				answer, err := asks(client, name+":80")
				g.Expect(err).NotTo(HaveOccurred())
				seen[answer] = true
				g.Expect(seen).To(HaveLen(len(pods)))
			}).Should(Succeed(), name)
		}
		Expect(resolves(client, "web")).To(ConsistOf(s.Spec.ClusterIP))
		Expect(request(s.Spec.ClusterIP+":80", "/", nil)).To(HavePrefix("web-"), "from the node itself")
	})

	It("resolves the names of a StatefulSet's pods to their addresses", func() {
		in := namespace(nil)
		s := service(in, "db", corev1.ServicePort{Port: 8080})
		s.Spec.ClusterIP = corev1.ClusterIPNone
		Expect(admin.Create(ctx, s)).To(Succeed())
		labels := map[string]string{"app": "db"}
		Expect(admin.Create(ctx, &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "db"},
			Spec: appsv1.StatefulSetSpec{
				Replicas: ptr.To[int32](2), ServiceName: "db", Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
			},
		})).To(Succeed())
		client := running(peer(in, "client"))
		for n := range 2 {
			name := fmt.Sprintf("db-%d", n)
			Eventually(func(g Gomega) {
				g.Expect(asks(client, name+".db:8080")).To(Equal(name))
			}).Should(Succeed())
			var pod corev1.Pod
			Expect(admin.Get(ctx, key(in, name), &pod)).To(Succeed())
			Expect(resolves(client, name+".db."+in+".svc.cluster.local")).To(ConsistOf(pod.Status.PodIP))
		}
	})

	It("lets a pod under restricted be its own resolver and listen on low ports", func() {
		in := namespace(map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
		restricted := func(name string) *corev1.Pod {
			pod := peer(in, name, "-listen", "80,"+orders, "-resolve", "127.0.0.7")
			pod.Spec.DNSPolicy = corev1.DNSNone
			pod.Spec.DNSConfig = &corev1.PodDNSConfig{Nameservers: []string{"127.0.0.1"}}
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			}
			pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			return pod
		}
		with := restricted("with")
		with.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}
		running(with)
		Expect(resolves(with, "db.prod")).To(ConsistOf("127.0.0.7"))
		Expect(asks(with, "db.prod:80")).To(Equal("with"))

		By("showing that the sysctl is what opens the ports")
		without := restricted("without")
		Expect(admin.Create(ctx, without)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(without), without)).To(Succeed())
			g.Expect(without.Status.ContainerStatuses).To(HaveLen(1))
			g.Expect(without.Status.ContainerStatuses[0].RestartCount).To(BeNumerically(">", 0))
		}).Should(Succeed())
	})

	It("starts a program from a file tree, as packages unpack to one", func() {
		tree := GinkgoT().TempDir()
		Expect(os.CopyFS(filepath.Join(tree, "opt", "peer"), os.DirFS(filepath.Dir(peerProgram)))).To(Succeed())
		Expect(os.Symlink("opt/peer/peer", filepath.Join(tree, "start"))).To(Succeed())
		importImage("--name", "localcluster.local/tree:1", "--rootfs", tree, "--user", "65532", "--entrypoint", "/start -listen 9091,"+orders)
		pod := peer(namespace(nil), "tree")
		pod.Spec.Containers[0].Image = "localcluster.local/tree:1"
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true)}
		running(pod)
		Expect(request(net.JoinHostPort(pod.Status.PodIP, "9091"), "/", nil)).To(Equal("tree"))
	})

	It("shows what a container logs and runs commands in it", func() {
		in := namespace(nil)
		pod := running(peer(in, "web"))
		Expect(kubectl("exec", "-n", in, pod.Name, "--", "/peer", "-get", "127.0.0.1:"+orders)).To(BeEmpty())
		failing := peer(in, "failing", "-listen", "not-a-port")
		Expect(admin.Create(ctx, failing)).To(Succeed())
		Eventually(func() (string, error) { return kubectl("logs", "-n", in, failing.Name) }).Should(ContainSubstring("not-a-port"))
	})
})

func deployment(namespace, name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	spec := podSpec()
	spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

// available creates a Deployment and returns its pods once all are ready.
func available(d *appsv1.Deployment) []corev1.Pod {
	GinkgoHelper()
	Expect(admin.Create(ctx, d)).To(Succeed())
	var pods corev1.PodList
	Eventually(func(g Gomega) {
		g.Expect(admin.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels))).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(int(*d.Spec.Replicas)))
		for _, pod := range pods.Items {
			g.Expect(isReady(&pod)).To(BeTrue(), "%s is not ready", pod.Name)
		}
	}).Should(Succeed())
	return pods.Items
}
