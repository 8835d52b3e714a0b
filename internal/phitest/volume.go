package phitest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	driver = "ebs.csi.aws.com"
	// KeyID is the customer's key of Class.
	KeyID = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// ClassBuilder builds a StorageClass.
type ClassBuilder struct{ class storagev1.StorageClass }

// Class encrypts EBS volumes with a customer's key. It is a day older than Epoch.
func Class(name string) *ClassBuilder {
	return &ClassBuilder{storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: name, CreationTimestamp: After(-24 * time.Hour)},
		Provisioner:       driver,
		Parameters:        map[string]string{"encrypted": "true", "kmsKeyId": KeyID},
		VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
	}}
}

// Provisioner sets another provisioner with its parameters.
func (b *ClassBuilder) Provisioner(name string, keysAndValues ...string) *ClassBuilder {
	b.class.Provisioner = name
	b.class.Parameters = pairs(keysAndValues)
	return b
}

// ProviderKey encrypts with the provider's key.
func (b *ClassBuilder) ProviderKey() *ClassBuilder {
	return b.Provisioner(driver, "encrypted", "true")
}

// Unencrypted declines encryption.
func (b *ClassBuilder) Unencrypted() *ClassBuilder {
	return b.Provisioner(driver, "encrypted", "false")
}

// CreatedAfter sets when it was created, from Epoch.
func (b *ClassBuilder) CreatedAfter(d time.Duration) *ClassBuilder {
	b.class.CreationTimestamp = After(d)
	return b
}

// Obj returns the object.
func (b *ClassBuilder) Obj() *storagev1.StorageClass { return b.class.DeepCopy() }

// VolumeBuilder builds a PersistentVolume.
type VolumeBuilder struct{ volume corev1.PersistentVolume }

// Volume is an EBS volume that was provisioned at Epoch by the encrypted class.
func Volume(name string) *VolumeBuilder {
	return &VolumeBuilder{corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: After(0),
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": driver},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              EncryptedClass,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: "vol-" + name},
			},
		},
	}}
}

// For binds it to a claim.
func (b *VolumeBuilder) For(claim *corev1.PersistentVolumeClaim) *VolumeBuilder {
	b.volume.Spec.ClaimRef = &corev1.ObjectReference{
		Kind: "PersistentVolumeClaim", APIVersion: "v1",
		Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
	}
	return b
}

// Class says by which class it was made.
func (b *VolumeBuilder) Class(name string) *VolumeBuilder {
	b.volume.Spec.StorageClassName = name
	return b
}

// Driver says by which driver it was made.
func (b *VolumeBuilder) Driver(name string) *VolumeBuilder {
	b.volume.Annotations["pv.kubernetes.io/provisioned-by"] = name
	b.volume.Spec.CSI.Driver = name
	return b
}

// Static makes it a volume that a person wrote.
func (b *VolumeBuilder) Static() *VolumeBuilder {
	b.volume.Annotations = nil
	return b
}

// With applies any other change.
func (b *VolumeBuilder) With(change func(*corev1.PersistentVolume)) *VolumeBuilder {
	change(&b.volume)
	return b
}

// Obj returns the object.
func (b *VolumeBuilder) Obj() *corev1.PersistentVolume { return b.volume.DeepCopy() }
