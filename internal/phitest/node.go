package phitest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	// NodeName is the node that running pods of tests are on.
	NodeName = "node-1"
	// Region is where it stands.
	Region = "us-east-2"
)

// NodeBuilder builds a Node.
type NodeBuilder struct{ node corev1.Node }

// Node stands in Region and runs what is supported.
func Node(name string) *NodeBuilder {
	return &NodeBuilder{corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyRegion: Region}},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: "v1.36.4", OSImage: "Ubuntu 24.04.4 LTS", ContainerRuntimeVersion: "containerd://2.3.1",
		}},
	}}
}

// Runs changes what the node reports of its software.
func (b *NodeBuilder) Runs(change func(*corev1.NodeSystemInfo)) *NodeBuilder {
	change(&b.node.Status.NodeInfo)
	return b
}

// Region moves it; empty takes the label away.
func (b *NodeBuilder) Region(name string) *NodeBuilder {
	b.node.Labels[corev1.LabelTopologyRegion] = name
	if name == "" {
		delete(b.node.Labels, corev1.LabelTopologyRegion)
	}
	return b
}

// Obj returns the object.
func (b *NodeBuilder) Obj() *corev1.Node { return b.node.DeepCopy() }

// Agent is the ready pod of a DaemonSet on a node, in the namespace of its name.
func Agent(daemonSet, node string) *corev1.Pod {
	return Pod(daemonSet + "-on-" + node).Namespace(daemonSet).With(func(p *corev1.Pod) {
		p.Spec.NodeName = node
		p.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: "DaemonSet", Name: daemonSet, UID: "uid-of-daemonset", Controller: ptr.To(true),
		}}
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}).Obj()
}
