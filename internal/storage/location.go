package storage

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// location is where the data of a volume source lives.
type location struct {
	kind Kind
	// driver is the name under which the table is asked; empty where the source itself decides.
	driver string
	// field is the name of the source, as in the manifest.
	field string
}

// locations are where each volume source other than CSI keeps its data, by the name of its field, which is the same in
// persistent volumes and in pods. Fields from before CSI name the driver that now serves them.
var locations = map[string]location{
	"awsElasticBlockStore": {kind: KindAttached, driver: "kubernetes.io/aws-ebs"},
	"gcePersistentDisk":    {kind: KindAttached, driver: "kubernetes.io/gce-pd"},
	"azureDisk":            {kind: KindAttached, driver: "kubernetes.io/azure-disk"},
	"azureFile":            {kind: KindAttached, driver: "kubernetes.io/azure-file"},
	"cinder":               {kind: KindAttached, driver: "kubernetes.io/cinder"},
	"vsphereVolume":        {kind: KindAttached, driver: "kubernetes.io/vsphere-volume"},
	"portworxVolume":       {kind: KindAttached, driver: "kubernetes.io/portworx-volume"},
	"nfs":                  {kind: KindAttached},
	"iscsi":                {kind: KindAttached},
	"fc":                   {kind: KindAttached},
	"hostPath":             {kind: KindNodeDisk},
	"local":                {kind: KindNodeDisk},
	"gitRepo":              {kind: KindNodeDisk},
}

// fieldsOf are the names of the fields of a volume source, of which one is set, in the order of the type.
func fieldsOf(source reflect.Type) []string {
	var names []string
	for field := range source.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

var (
	volumeFields = fieldsOf(reflect.TypeFor[corev1.PersistentVolumeSource]())
	podFields    = fieldsOf(reflect.TypeFor[corev1.VolumeSource]())
)

// locate finds the source of a persistent volume.
func locate(s *corev1.PersistentVolumeSource) location {
	if s.CSI != nil {
		return location{KindAttached, s.CSI.Driver, "csi"}
	}
	return locateField(reflect.ValueOf(s).Elem(), volumeFields)
}

// locateInPod finds the source of a pod's volume other than claims and memory.
func locateInPod(s *corev1.VolumeSource) location {
	if s.CSI != nil {
		return location{KindAttached, s.CSI.Driver, "csi"}
	}
	return locateField(reflect.ValueOf(s).Elem(), podFields)
}

// locateField finds the field that is set in the table.
func locateField(source reflect.Value, fields []string) location {
	for i, name := range fields {
		if at, known := locations[name]; known && !source.Field(i).IsNil() {
			at.field = name
			return at
		}
	}
	return location{}
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
