package phitest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// PodBuilder builds a Pod.
type PodBuilder struct{ pod corev1.Pod }

// Pod has one container "app", the label app=name, a ServiceAccount of that name,
// and satisfies Pod Security restricted.
func Pod(name string) *PodBuilder {
	b := &PodBuilder{corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: DefaultNamespace,
			Labels: map[string]string{"app": name},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName:           name,
			AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		},
	}}
	return b.Container("app")
}

// Namespace moves it to another namespace.
func (b *PodBuilder) Namespace(name string) *PodBuilder {
	b.pod.Namespace = name
	return b
}

// UID makes it a pod that the API server knows.
func (b *PodBuilder) UID(uid string) *PodBuilder {
	b.pod.UID = types.UID(uid)
	return b
}

// Of makes it one of a workload's pods: its namespace, the exact labels of its
// selector instead of app=name, and a ServiceAccount of its name.
func (b *PodBuilder) Of(w *hipaav1.PHIWorkload) *PodBuilder {
	b.pod.Namespace, b.pod.Spec.ServiceAccountName = w.Namespace, w.Name
	delete(b.pod.Labels, "app")
	b.pod.Labels = merged(b.pod.Labels, w.Spec.Selector.MatchLabels)
	return b
}

// Label adds a label.
func (b *PodBuilder) Label(key, value string) *PodBuilder {
	b.pod.Labels = merged(b.pod.Labels, map[string]string{key: value})
	return b
}

// Container adds a restricted container.
func (b *PodBuilder) Container(name string) *PodBuilder {
	b.pod.Spec.Containers = append(b.pod.Spec.Containers, corev1.Container{
		Name:  name,
		Image: "registry.example.org/" + name + ":1.0.0",
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	})
	return b
}

// Sidecar adds a restricted native sidecar.
func (b *PodBuilder) Sidecar(name string) *PodBuilder {
	b.Container(name)
	last := len(b.pod.Spec.Containers) - 1
	sidecar := b.pod.Spec.Containers[last]
	b.pod.Spec.Containers = b.pod.Spec.Containers[:last]
	sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	b.pod.Spec.InitContainers = append(b.pod.Spec.InitContainers, sidecar)
	return b
}

// Debugged adds a restricted ephemeral container, as kubectl debug does.
func (b *PodBuilder) Debugged(name string) *PodBuilder {
	b.Container(name)
	last := len(b.pod.Spec.Containers) - 1
	c := b.pod.Spec.Containers[last]
	b.pod.Spec.Containers = b.pod.Spec.Containers[:last]
	b.pod.Spec.EphemeralContainers = append(b.pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: c.Name, Image: c.Image, SecurityContext: c.SecurityContext,
		},
	})
	return b
}

// Listens adds a port to the first container.
func (b *PodBuilder) Listens(name string, number int32) *PodBuilder {
	first := &b.pod.Spec.Containers[0]
	first.Ports = append(first.Ports, corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP})
	return b
}

// Tells gives the first container a variable.
func (b *PodBuilder) Tells(name, value string) *PodBuilder {
	first := &b.pod.Spec.Containers[0]
	first.Env = append(first.Env, corev1.EnvVar{Name: name, Value: value})
	return b
}

// Mounts adds a volume of the given name that is a claim, under /name in the
// first container.
func (b *PodBuilder) Mounts(volume, claim string) *PodBuilder {
	return b.Volume(volume, corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	})
}

// Ephemeral adds a generic ephemeral volume whose claim has the spec of a
// builder, under /name in the first container.
func (b *PodBuilder) Ephemeral(volume string, claim *ClaimBuilder) *PodBuilder {
	return b.Volume(volume, corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
		VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: claim.Obj().Spec},
	}})
}

// Volume adds a volume, under /name in the first container.
func (b *PodBuilder) Volume(name string, source corev1.VolumeSource) *PodBuilder {
	b.pod.Spec.Volumes = append(b.pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	first := &b.pod.Spec.Containers[0]
	first.VolumeMounts = append(first.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
	return b
}

// Unhardened takes away everything that Pod Security restricted asks for.
func (b *PodBuilder) Unhardened() *PodBuilder {
	b.pod.Spec.SecurityContext = nil
	for i := range b.pod.Spec.Containers {
		b.pod.Spec.Containers[i].SecurityContext = nil
	}
	for i := range b.pod.Spec.InitContainers {
		b.pod.Spec.InitContainers[i].SecurityContext = nil
	}
	return b
}

// With applies any other change.
func (b *PodBuilder) With(change func(*corev1.Pod)) *PodBuilder {
	change(&b.pod)
	return b
}

// Obj returns the object.
func (b *PodBuilder) Obj() *corev1.Pod { return b.pod.DeepCopy() }

// MountedClaims lists the volumes of a pod in their order, each with the claim
// that it mounts: data=data-db-0.
func MountedClaims(pod *corev1.Pod) []string {
	var list []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			v.Name += "=" + v.PersistentVolumeClaim.ClaimName
		}
		list = append(list, v.Name)
	}
	return list
}
