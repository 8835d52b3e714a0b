package phitest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// NodeName is the node that running pods of tests are on.
	NodeName = "node-1"
	// Region is where it stands.
	Region = "us-east-2"
)

// NodeBuilder builds a Node.
type NodeBuilder struct{ node corev1.Node }

// Node stands in Region.
func Node(name string) *NodeBuilder {
	return &NodeBuilder{corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyRegion: Region}},
	}}
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
