package e2e_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// scene stages a break and says what becomes of it.
type scene = struct {
	stage   func(namespace string) *hipaav1.PHIWorkload
	verdict hipaav1.Verdict
	says    string
}

// platformScenes stage what stands under PHI: nodes, and what other systems report.
var platformScenes = map[string]scene{
	"a kubelet that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "v1.30.14" }), hipaav1.VerdictFail, "is v1.30.14, whose support ended",
	},
	"an operating system that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.OSImage = "Ubuntu 20.04.6 LTS" }), hipaav1.VerdictFail, "is Ubuntu 20.04.6 LTS, whose support ended",
	},
	"a container runtime that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.ContainerRuntimeVersion = "containerd://1.6.39" }), hipaav1.VerdictFail, "is containerd://1.6.39, whose support ended",
	},
	"an operating system that the table does not know": {
		onNode(func(i *corev1.NodeSystemInfo) { i.OSImage = "Homegrown Linux 7" }), hipaav1.VerdictUnknown, "is Homegrown Linux 7, which the operator's table",
	},
	"a node that reports no version of its kubelet": {
		onNode(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "" }), hipaav1.VerdictUnknown, "status.nodeInfo.kubeletVersion is not reported",
	},
}

// sceneOf finds the scene of a break.
func sceneOf(name string) (scene, bool) {
	if found, known := scenes[name]; known {
		return found, true
	}
	found, known := platformScenes[name]
	return found, known
}

// onNode is a workload whose pod was on a node before people declared the namespace.
func onNode(change func(*corev1.NodeSystemInfo)) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		node := phitest.Node(namespace).Runs(change).Obj()
		reports := node.Status
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
		before := node.DeepCopy()
		node.Status.NodeInfo = reports.NodeInfo
		Expect(admin.Status().Patch(ctx, node, client.MergeFrom(before))).To(Succeed())
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		running := phitest.Pod("api-0").Of(workload).Obj()
		running.Spec.NodeName = node.Name
		return later(namespace, workload, running)
	}
}

// later is a workload over pods that ran before people declared the namespace.
func later(namespace string, workload *hipaav1.PHIWorkload, pods ...*corev1.Pod) *hipaav1.PHIWorkload {
	GinkgoHelper()
	undeclared := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(admin.Create(ctx, undeclared)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, undeclared)).To(Succeed()) })
	for _, pod := range pods {
		run(fresh(pod, namespace))
	}
	declared := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`))
	Expect(admin.Patch(ctx, undeclared, declared)).To(Succeed())
	Eventually(func() error { return admin.Create(ctx, workload) }).Should(Succeed())
	return workload
}
