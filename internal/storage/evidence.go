package storage

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// evidence is what the objects show about one volume of one driver, and how far each of them counts.
type evidence struct {
	row *Driver
	// name is the driver's or provisioner's name as written in the object.
	name string

	// volume is the bound volume, nil for a claim without one or for a class.
	volume *corev1.PersistentVolume
	// origin says why the volume does not speak for what its driver did when it made it.
	origin flaw

	class *storagev1.StorageClass
	// classFlaw says why the class does not speak for the volume.
	classFlaw flaw

	// unboundClaim is the claim whose annotations the driver will read. Nil once bound: they may have changed since.
	unboundClaim *corev1.PersistentVolumeClaim

	// bare is true for a volume inline in a pod: there is no class and no parameter that anybody decided.
	bare bool
}

// place is where the parameters of a rule are to be read, and whether they count there.
type place struct {
	parameters
	source Source
	flaw   flaw
}

// placeOf picks the place for a rule: the volume where the rule's parameters are found on it, else the class.
func (e *evidence) placeOf(r *Rule) place {
	if e.volume == nil || e.volume.Spec.CSI == nil || r.Carried == Nowhere {
		p := place{source: FromStorageClass, flaw: e.classFlaw}
		p.fold = e.row.FoldNames
		if e.class != nil {
			p.values = e.class.Parameters
		}
		if e.volume == nil && e.classFlaw == restored && r.Carried == Applied {
			// Whatever the data came from, the node plugin will obey the class's parameters at each mount.
			p.flaw = sound
		}
		return p
	}
	p := place{source: FromPersistentVolume, flaw: e.origin}
	p.values, p.volume, p.fold = e.volume.Spec.CSI.VolumeAttributes, e.volume.Spec.CSI, e.row.FoldNames
	if r.Carried == Applied {
		p.flaw = sound
	}
	return p
}

// source is the object that is there at all, for verdicts that follow from the driver alone.
func (e *evidence) source() Source {
	switch {
	case e.bare:
		return FromPodVolume
	case e.volume != nil:
		return FromPersistentVolume
	case e.class != nil:
		return FromStorageClass
	default:
		return FromNothing
	}
}
