package phitest

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// DeploymentBuilder builds a Deployment.
type DeploymentBuilder struct {
	deployment appsv1.Deployment
	pod        *PodBuilder
}

// Deployment builds a Deployment of hardened pods.
func Deployment(name string, replicas int32) *DeploymentBuilder {
	return &DeploymentBuilder{
		deployment: appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
			Spec:       appsv1.DeploymentSpec{Replicas: ptr.To(replicas)},
		},
		pod: Pod(name),
	}
}

// Namespace puts it elsewhere.
func (b *DeploymentBuilder) Namespace(name string) *DeploymentBuilder {
	b.deployment.Namespace = name
	return b
}

// Label adds a label to the template and to the selector.
func (b *DeploymentBuilder) Label(key, value string) *DeploymentBuilder {
	b.pod.Label(key, value)
	return b
}

// Pod changes the template.
func (b *DeploymentBuilder) Pod(change func(*PodBuilder)) *DeploymentBuilder {
	change(b.pod)
	return b
}

// Obj is the Deployment.
func (b *DeploymentBuilder) Obj() *appsv1.Deployment {
	d := b.deployment.DeepCopy()
	pod := b.pod.Obj()
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: pod.Labels}
	d.Spec.Template.Labels = pod.Labels
	d.Spec.Template.Spec = pod.Spec
	return d
}
