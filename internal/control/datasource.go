package control

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// restoredByVelero stands on every object that Velero restores.
const restoredByVelero = "velero.io/restore-name"

// DataSource is what the data of a claim begins as.
type DataSource struct {
	// Kind is that of the object it is copied from, such as PersistentVolumeClaim or
	// VolumeSnapshot; Backup where it was restored from one.
	Kind string
	// Group is that of the kind; empty is the core group.
	Group string
	// Name of that object, and its namespace.
	types.NamespacedName
}

// Backup is the kind of data source that is no object of the cluster.
const Backup = "Backup"

// DataSourceOf says what a claim is copied from. A claim that starts empty has none.
func DataSourceOf(claim *corev1.PersistentVolumeClaim) (DataSource, bool) {
	if ref := claim.Spec.DataSourceRef; ref != nil {
		from := DataSource{ref.Kind, ptr.Deref(ref.APIGroup, ""), types.NamespacedName{Namespace: claim.Namespace, Name: ref.Name}}
		if ref.Namespace != nil && *ref.Namespace != "" {
			from.Namespace = *ref.Namespace
		}
		return from, true
	}
	if ref := claim.Spec.DataSource; ref != nil {
		return DataSource{ref.Kind, ptr.Deref(ref.APIGroup, ""), types.NamespacedName{Namespace: claim.Namespace, Name: ref.Name}}, true
	}
	if name := claim.Labels[restoredByVelero]; name != "" {
		return DataSource{Backup, "", types.NamespacedName{Namespace: claim.Namespace, Name: name}}, true
	}
	return DataSource{}, false
}

// IsClaim reports whether the data is copied from another claim.
func (d DataSource) IsClaim() bool { return d.Kind == "PersistentVolumeClaim" && d.Group == "" }

// IsSnapshot reports whether the data is that of a VolumeSnapshot.
func (d DataSource) IsSnapshot() bool {
	return d.Kind == "VolumeSnapshot" && d.Group == "snapshot.storage.k8s.io"
}
