package phitest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// NamespaceBuilder builds a Namespace.
type NamespaceBuilder struct{ namespace corev1.Namespace }

// Namespace is a PHI namespace.
func Namespace(name string) *NamespaceBuilder {
	return &NamespaceBuilder{corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			hipaav1.LabelPHI:         hipaav1.LabelPHIValue,
			corev1.LabelMetadataName: name,
		},
	}}}
}

// Label adds a label.
func (b *NamespaceBuilder) Label(key, value string) *NamespaceBuilder {
	b.namespace.Labels[key] = value
	return b
}

// WithoutPHI takes the PHI label away.
func (b *NamespaceBuilder) WithoutPHI() *NamespaceBuilder {
	delete(b.namespace.Labels, hipaav1.LabelPHI)
	return b
}

// Obj returns the object.
func (b *NamespaceBuilder) Obj() *corev1.Namespace { return b.namespace.DeepCopy() }
