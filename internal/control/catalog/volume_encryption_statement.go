package catalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

// stated lets a statement of the profile settle what no field shows. It counts
// only for a chain that is whole and whose volume is of the stated class.
func (c *volumeChain) stated(volume *corev1.PersistentVolume, class *storagev1.StorageClass, v storage.Verdict) *hipaav1.StorageStatement {
	if class == nil || v.Source == storage.FromNothing || volume != nil && !madeBy(volume, class) {
		return nil
	}
	statement, exists := c.subject.Profile.Storage.Statements[class.Name]
	if !exists {
		return nil
	}
	return &statement
}

// stands is the evidence that a statement gives.
func (c *volumeChain) stands(statement *hipaav1.StorageStatement) control.Finding {
	return control.Met("", "%s: StorageClass %s is stated to be %s until %s", c.name(), statement.StorageClass, statement.Grade,
		statement.Expires.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
}

// noProvisioner is the provisioner of classes whose volumes people make.
const noProvisioner = "kubernetes.io/no-provisioner"

// madeBy reports whether a volume that carries the name of a class is of its kind.
func madeBy(volume *corev1.PersistentVolume, class *storagev1.StorageClass) bool {
	csi := volume.Spec.CSI
	return class.Provisioner == noProvisioner ||
		csi != nil && csi.Driver == class.Provisioner ||
		volume.Annotations["pv.kubernetes.io/provisioned-by"] == class.Provisioner
}
