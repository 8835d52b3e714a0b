package phitest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// ClaimBuilder builds a PersistentVolumeClaim.
type ClaimBuilder struct{ claim corev1.PersistentVolumeClaim }

// Claim asks for one gibibyte of the encrypted class and is not bound.
func Claim(name string) *ClaimBuilder {
	return &ClaimBuilder{corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: ptr.To(EncryptedClass),
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}}
}

// Namespace moves it to another namespace.
func (b *ClaimBuilder) Namespace(name string) *ClaimBuilder {
	b.claim.Namespace = name
	return b
}

// Label adds a label.
func (b *ClaimBuilder) Label(key, value string) *ClaimBuilder {
	b.claim.Labels = merged(b.claim.Labels, map[string]string{key: value})
	return b
}

// Class names another class.
func (b *ClaimBuilder) Class(name string) *ClaimBuilder {
	b.claim.Spec.StorageClassName = &name
	return b
}

// WithoutClass leaves the class to the cluster.
func (b *ClaimBuilder) WithoutClass() *ClaimBuilder {
	b.claim.Spec.StorageClassName = nil
	return b
}

// ClassFromCluster is how a claim without a class arrives at webhooks where the
// cluster has a default class: filled in, and owned by no field manager.
func (b *ClaimBuilder) ClassFromCluster(name string) *ClaimBuilder {
	b.Class(name)
	return b.managed(`{"f:spec":{"f:accessModes":{},"f:resources":{"f:requests":{".":{},"f:storage":{}}}}}`)
}

// ClassFromPerson is how a claim whose author named the class arrives at webhooks.
func (b *ClaimBuilder) ClassFromPerson(name string) *ClaimBuilder {
	b.Class(name)
	return b.managed(`{"f:spec":{"f:accessModes":{},"f:resources":{"f:requests":{".":{},"f:storage":{}}},"f:storageClassName":{}}}`)
}

func (b *ClaimBuilder) managed(fields string) *ClaimBuilder {
	owned := metav1.NewFieldsV1(fields)
	b.claim.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kubectl-create", Operation: metav1.ManagedFieldsOperationUpdate,
		APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: owned,
	}}
	b.claim.Status.Phase = corev1.ClaimPending
	return b
}

// BoundTo binds it to a volume.
func (b *ClaimBuilder) BoundTo(volume string) *ClaimBuilder {
	b.claim.Spec.VolumeName = volume
	b.claim.Status.Phase = corev1.ClaimBound
	return b
}

// With applies any other change.
func (b *ClaimBuilder) With(change func(*corev1.PersistentVolumeClaim)) *ClaimBuilder {
	change(&b.claim)
	return b
}

// Obj returns the object.
func (b *ClaimBuilder) Obj() *corev1.PersistentVolumeClaim { return b.claim.DeepCopy() }
