package node_test

import (
	"net"
	"net/url"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// orders is the port on which a peer takes orders, and answers like on any other.
const orders = "8080"

// podSpec is a pod with one peer.
func podSpec(args ...string) corev1.PodSpec {
	return corev1.PodSpec{
		TerminationGracePeriodSeconds: ptr.To[int64](1),
		Containers:                    []corev1.Container{peerContainer("peer", args...)},
	}
}

func peerContainer(name string, args ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: peerImage, ImagePullPolicy: corev1.PullNever, Args: args,
		ReadinessProbe: probeOf(orders),
	}
}

func probeOf(port string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.Parse(port)}},
		PeriodSeconds: 1,
	}
}

// running creates a pod and returns it with its address once it is ready.
func running(pod *corev1.Pod) *corev1.Pod {
	GinkgoHelper()
	Expect(admin.Create(ctx, pod)).To(Succeed())
	Eventually(func() (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return isReady(pod), err
	}).Should(BeTrue(), "%s does not become ready", pod.Name)
	return pod
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// peer is a pod that is named and labelled alike.
func peer(namespace, name string, args ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       podSpec(args...),
	}
}

// asks lets a pod ask an address, and returns what that answers.
func asks(from *corev1.Pod, address string) (string, error) {
	return request(net.JoinHostPort(from.Status.PodIP, orders), "/ask", url.Values{"to": {address}})
}

// resolves lets a pod look a name up.
func resolves(from *corev1.Pod, name string) ([]string, error) {
	text, err := request(net.JoinHostPort(from.Status.PodIP, orders), "/lookup", url.Values{"name": {name}})
	return strings.Fields(text), err
}

func service(namespace, name string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: ports},
	}
}

func key(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}

func kubectl(args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput()
	return string(out), err
}
