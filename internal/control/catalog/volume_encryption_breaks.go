package catalog

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var volumeBreaks = control.Breaks{
	"a claim of a class that is not encrypted": claimOf(func(s *control.Subject) string {
		return provides(s, encryptingClass("plain", "false"))
	}),
	"a claim of a class that says nothing": claimOf(func(s *control.Subject) string {
		class := encryptingClass("silent", "")
		class.Parameters = nil
		return provides(s, class)
	}),
	"a claim of a class that does not exist":          claimOf(func(*control.Subject) string { return "no-such-class" }),
	"a pod that mounts a claim that is not encrypted": mountingClaimOf(encryptingClass("plain", "false")),
	"a pod that mounts a claim that does not exist": mounting(func(*control.Subject) corev1.VolumeSource {
		return fromClaim("no-such-claim")
	}),
	"an ephemeral volume that is not encrypted": mounting(func(s *control.Subject) corev1.VolumeSource {
		template := &corev1.PersistentVolumeClaimTemplate{Spec: claimSpec(provides(s, encryptingClass("plain", "false")))}
		return corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: template}}
	}),
}

func claimOf(class func(*control.Subject) string) control.Break {
	return control.Break{Kind: control.Claims, Apply: func(s *control.Subject) {
		name := class(s)
		s.Claim.Spec.StorageClassName = &name
	}}
}

func mounting(source func(*control.Subject) corev1.VolumeSource) control.Break {
	return control.Break{Kind: control.Pods, Apply: func(s *control.Subject) {
		s.Pod.Spec.Volumes = append(s.Pod.Spec.Volumes, corev1.Volume{Name: "broken", VolumeSource: source(s)})
	}}
}

// mountingClaimOf mounts a claim of a class; both have its name.
func mountingClaimOf(class *storagev1.StorageClass) control.Break {
	return mounting(func(s *control.Subject) corev1.VolumeSource {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: class.Name, Namespace: s.Namespace.Name}}
		claim.Spec = claimSpec(provides(s, class.DeepCopy()))
		if s.World.Claims == nil {
			s.World.Claims = map[string]*corev1.PersistentVolumeClaim{}
		}
		s.World.Claims[claim.Name] = claim
		return fromClaim(claim.Name)
	})
}

// hasEncryptedClass gives the profile a class that encrypts with a key of the
// customer.
func hasEncryptedClass(s *control.Subject) {
	class := encryptingClass("hipaa-encrypted", "true")
	class.Parameters["kmsKeyId"] = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	s.Profile.Storage.EncryptedClass = provides(s, class)
}

// provides adds a class to the world and returns its name.
func provides(s *control.Subject, class *storagev1.StorageClass) string {
	if s.World.Classes == nil {
		s.World.Classes = map[string]*storagev1.StorageClass{}
	}
	s.World.Classes[class.Name] = class
	return class.Name
}

func encryptingClass(name, encrypted string) *storagev1.StorageClass {
	return &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: name},
		Provisioner: "ebs.csi.aws.com",
		Parameters:  map[string]string{"encrypted": encrypted},
	}
}

func fromClaim(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

func claimSpec(class string) corev1.PersistentVolumeClaimSpec {
	return corev1.PersistentVolumeClaimSpec{
		StorageClassName: &class,
		AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		},
	}
}
