package storage

// Source names the object on which a verdict rests.
type Source uint8

const (
	// FromNothing: no object decided. The zero value; it goes with the grade Unknown.
	FromNothing Source = iota
	// FromPersistentVolume: the volume itself, the strongest evidence inside the cluster.
	FromPersistentVolume
	// FromStorageClass: the class by which the volume was or would be made.
	FromStorageClass
	// FromClaimAnnotation: an annotation of a claim that is not bound yet. Afterwards its owner may have changed it.
	FromClaimAnnotation
	// FromPodVolume: the entry under spec.volumes of a pod.
	FromPodVolume
	// FromAttestation: a person's word. This package never returns it; a control sets it when it lays an Attestation
	// over an Unknown verdict.
	FromAttestation
)

var sourceNames = [...]string{"None", "PersistentVolume", "StorageClass", "ClaimAnnotation", "PodVolume", "Attestation"}

// String returns the name that reports use, for example PersistentVolume.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return sourceNames[FromNothing]
}
