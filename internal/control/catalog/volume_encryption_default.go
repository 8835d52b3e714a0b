package catalog

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// defaultClass gives a claim whose author named no class that of the profile. A
// claim that asks for a certain volume keeps what it has: there a class decides
// nothing, and another one would only keep it from binding. So does one that
// exists already, which its UID tells: nothing else does, for a new claim comes
// to webhooks with phase Pending.
func defaultClass(s control.Subject, claim *corev1.PersistentVolumeClaim) {
	class := s.Profile.Storage.EncryptedClass
	if class == "" || claim.UID != "" || claim.Spec.VolumeName != "" || claim.Spec.Selector != nil || namesClass(claim) {
		return
	}
	claim.Spec.StorageClassName = &class
}

// namesClass reports whether the claim's author named a class. Where the cluster
// has a default class its plugin fills it in before webhooks look; the class is
// then there, and no field manager owns it. Without managed fields (a file) what
// is there was written.
func namesClass(claim *corev1.PersistentVolumeClaim) bool {
	if _, named := claim.Annotations[corev1.BetaStorageClassAnnotation]; named {
		return true
	}
	if claim.Spec.StorageClassName == nil {
		return false
	}
	if len(claim.ManagedFields) == 0 {
		return true
	}
	for _, entry := range claim.ManagedFields {
		if entry.FieldsV1 == nil || ownsClass(entry.FieldsV1.GetRawBytes()) {
			return true
		}
	}
	return false
}

// ownsClass reports whether a set of managed fields has the class. One that
// cannot be read may have it.
func ownsClass(fields []byte) bool {
	var owned struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(fields, &owned); err != nil {
		return true
	}
	_, owns := owned.Spec["f:storageClassName"]
	return owns
}

// claimClass is the class that a claim names; empty where it names none.
func claimClass(claim *corev1.PersistentVolumeClaim) string {
	if name, named := claim.Annotations[corev1.BetaStorageClassAnnotation]; named {
		return name
	}
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// volumeClass is the class that a volume carries; empty where it carries none.
func volumeClass(volume *corev1.PersistentVolume) string {
	if name, named := volume.Annotations[corev1.BetaStorageClassAnnotation]; named {
		return name
	}
	return volume.Spec.StorageClassName
}
