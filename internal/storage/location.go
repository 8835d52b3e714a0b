package storage

import corev1 "k8s.io/api/core/v1"

// location is where the data of a volume source lives.
type location struct {
	kind Kind
	// driver is the name under which the table is asked; empty where the source itself decides.
	driver string
	// field is the name of the source, as in the manifest.
	field string
}

// locate finds the source of a persistent volume. Fields from before CSI name the driver that now serves them.
func locate(s *corev1.PersistentVolumeSource) location {
	switch {
	case s.CSI != nil:
		return location{KindAttached, s.CSI.Driver, "csi"}
	case s.AWSElasticBlockStore != nil:
		return location{KindAttached, "kubernetes.io/aws-ebs", "awsElasticBlockStore"}
	case s.GCEPersistentDisk != nil:
		return location{KindAttached, "kubernetes.io/gce-pd", "gcePersistentDisk"}
	case s.AzureDisk != nil:
		return location{KindAttached, "kubernetes.io/azure-disk", "azureDisk"}
	case s.AzureFile != nil:
		return location{KindAttached, "kubernetes.io/azure-file", "azureFile"}
	case s.Cinder != nil:
		return location{KindAttached, "kubernetes.io/cinder", "cinder"}
	case s.VsphereVolume != nil:
		return location{KindAttached, "kubernetes.io/vsphere-volume", "vsphereVolume"}
	case s.PortworxVolume != nil:
		return location{KindAttached, "kubernetes.io/portworx-volume", "portworxVolume"}
	case s.HostPath != nil:
		return location{kind: KindNodeDisk, field: "hostPath"}
	case s.Local != nil:
		return location{kind: KindNodeDisk, field: "local"}
	case s.NFS != nil:
		return location{kind: KindAttached, field: "nfs"}
	case s.ISCSI != nil:
		return location{kind: KindAttached, field: "iscsi"}
	case s.FC != nil:
		return location{kind: KindAttached, field: "fc"}
	default:
		return location{}
	}
}

// locateInPod finds the source of a pod's volume other than claims and memory.
func locateInPod(s *corev1.VolumeSource) location {
	switch {
	case s.CSI != nil:
		return location{KindAttached, s.CSI.Driver, "csi"}
	case s.HostPath != nil:
		return location{kind: KindNodeDisk, field: "hostPath"}
	case s.GitRepo != nil:
		return location{kind: KindNodeDisk, field: "gitRepo"}
	case s.AWSElasticBlockStore != nil:
		return location{KindAttached, "kubernetes.io/aws-ebs", "awsElasticBlockStore"}
	case s.GCEPersistentDisk != nil:
		return location{KindAttached, "kubernetes.io/gce-pd", "gcePersistentDisk"}
	case s.AzureDisk != nil:
		return location{KindAttached, "kubernetes.io/azure-disk", "azureDisk"}
	case s.AzureFile != nil:
		return location{KindAttached, "kubernetes.io/azure-file", "azureFile"}
	case s.Cinder != nil:
		return location{KindAttached, "kubernetes.io/cinder", "cinder"}
	case s.VsphereVolume != nil:
		return location{KindAttached, "kubernetes.io/vsphere-volume", "vsphereVolume"}
	case s.PortworxVolume != nil:
		return location{KindAttached, "kubernetes.io/portworx-volume", "portworxVolume"}
	case s.NFS != nil:
		return location{kind: KindAttached, field: "nfs"}
	case s.ISCSI != nil:
		return location{kind: KindAttached, field: "iscsi"}
	case s.FC != nil:
		return location{kind: KindAttached, field: "fc"}
	default:
		return location{}
	}
}

// verdict grades a location without a driver: all of them are Unknown, each for its reason.
func (l location) verdict(source Source) Verdict {
	v := Verdict{Source: source, Evidence: l.field}
	switch l.kind {
	case KindNodeDisk:
		v.Why = "the data is on the node's own disk, whose encryption the cluster does not show"
		v.Remedy = "use a claim of an encrypted StorageClass, or attest the encryption of the node's disks with an end date"
	case KindAttached:
		v.Why = "the data is on a server whose disks the cluster does not show"
		v.Remedy = "use a claim of an encrypted StorageClass, or attest the encryption of the server's disks with an end date"
	default:
		v.Evidence = "a source that is not in the table"
		v.Why = "this kind of volume is not known here, so nothing is known about its encryption"
		v.Remedy = "use a claim of an encrypted StorageClass"
	}
	return v
}
