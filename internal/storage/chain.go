package storage

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

const (
	// provisionedBy is written by provisioners on every volume they make, with their own name.
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	// restoredBy is written by Velero on every object it restores.
	restoredBy = "velero.io/restore-name"
)

// chain is what was read on the way from a claim to its data. Any link may be missing.
type chain struct {
	volume *corev1.PersistentVolume
	claim  *corev1.PersistentVolumeClaim
	class  *storagev1.StorageClass
}

// OfVolume grades the volume of a claim. The volume's own evidence comes first, then the class it was made by, if it
// can be shown that the class that was read is the one. With a nil volume the claim is unbound and judged by its class;
// a claim that is bound or bespoken to a volume which was not read is Unknown. With only a class it is [OfClass].
//
// A class says nothing about a volume that is static, restored, cloned, or older than the class. Where the provider
// encrypts every volume, that still holds and the grade is ProviderKey.
//
// The arguments are not changed. Nil means not found or not read.
func OfVolume(volume *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) Verdict {
	c := chain{volume: volume, claim: claim, class: class}
	switch {
	case volume != nil:
		return c.bound()
	case claim != nil:
		return c.unbound()
	default:
		return OfClass(class)
	}
}

// OfClass grades the volumes that a class would make from nothing.
func OfClass(class *storagev1.StorageClass) Verdict {
	if class == nil {
		return unknown(nothingRead, "")
	}
	return chain{class: class}.byClass(sound)
}

// unbound grades a claim without a volume.
func (c chain) unbound() Verdict {
	if name := c.claim.Spec.VolumeName; name != "" {
		return unknown(volumeUnread, name)
	}
	name, named := claimClass(c.claim)
	switch {
	case named && name == "", c.claim.Spec.Selector != nil:
		// Provisioners do not serve selectors, so only a volume that exists can satisfy one.
		return unknown(preMade, "")
	case !named && c.class == nil:
		return unknown(classUnnamed, "")
	case c.class == nil:
		return unknown(classUnread, name)
	case named && name != c.class.Name:
		return unknown(otherClass, c.class.Name)
	case c.fromCopy():
		return c.byClass(restored)
	default:
		return c.byClass(sound)
	}
}

// byClass grades what a class makes.
func (c chain) byClass(f flaw) Verdict {
	row := find(c.class.Provisioner)
	if row == nil {
		return unlisted(c.class.Provisioner, FromStorageClass)
	}
	e := evidence{row: row, name: c.class.Provisioner, class: c.class, classFlaw: f, unboundClaim: c.claim}
	return e.judge()
}

// bound grades a volume.
func (c chain) bound() Verdict {
	if !c.belongs() {
		return unknown(otherClaim, c.volume.Name)
	}
	at := locate(&c.volume.Spec.PersistentVolumeSource)
	if at.driver == "" {
		return at.verdict(FromPersistentVolume)
	}
	row := find(at.driver)
	if row == nil {
		return unlisted(at.driver, FromPersistentVolume)
	}
	e := evidence{row: row, name: at.driver, volume: c.volume, class: c.class, origin: c.originOf(row)}
	e.classFlaw = c.classFlaw(&e)
	return e.judge()
}

// belongs reports whether volume and claim, where both were read, are bound to each other and to nobody else.
func (c chain) belongs() bool {
	if c.claim == nil {
		return true
	}
	if name := c.claim.Spec.VolumeName; name != "" && name != c.volume.Name {
		return false
	}
	ref := c.volume.Spec.ClaimRef
	switch {
	case ref == nil:
		return c.claim.Spec.VolumeName != ""
	case ref.Namespace != c.claim.Namespace || ref.Name != c.claim.Name:
		return false
	default:
		// A claim deleted and created again under its name has another uid, and not the old one's volume.
		return ref.UID == "" || c.claim.UID == "" || ref.UID == c.claim.UID
	}
}

// originOf says why the volume cannot be taken for one that its driver made, empty, from a class.
func (c chain) originOf(row *Driver) flaw {
	maker := c.volume.Annotations[provisionedBy]
	switch {
	case maker == "" || !row.serves(maker, locate(&c.volume.Spec.PersistentVolumeSource).driver):
		return handMade
	case c.claim == nil:
		return claimUnread
	case c.fromCopy() || c.volume.Labels[restoredBy] != "":
		return restored
	default:
		return sound
	}
}

// classFlaw says why the class that was read cannot be taken for the one by which the volume was made.
func (c chain) classFlaw(e *evidence) flaw {
	switch {
	case e.origin != sound:
		return e.origin
	case c.class == nil:
		return classUnread
	case c.class.Name != volumeClass(c.volume):
		return otherClass
	case !e.row.serves(c.class.Provisioner, e.name):
		return otherProvisioner
	case c.class.CreationTimestamp.IsZero() || c.volume.CreationTimestamp.IsZero():
		return classAgeless
	case c.class.CreationTimestamp.After(c.volume.CreationTimestamp.Time):
		// Parameters of a class never change, so an older class is the same class.
		return classYounger
	default:
		return sound
	}
}

// fromCopy reports whether the claim starts from a snapshot, another volume or a backup.
func (c chain) fromCopy() bool {
	return c.claim.Spec.DataSource != nil || c.claim.Spec.DataSourceRef != nil || c.claim.Labels[restoredBy] != ""
}

// claimClass returns the class that a claim names; named is false where it leaves the choice to the cluster. The
// annotation of the beta still takes precedence over the field.
func claimClass(claim *corev1.PersistentVolumeClaim) (name string, named bool) {
	if name, named = claim.Annotations[corev1.BetaStorageClassAnnotation]; named {
		return name, true
	}
	if claim.Spec.StorageClassName == nil {
		return "", false
	}
	return *claim.Spec.StorageClassName, true
}

func volumeClass(volume *corev1.PersistentVolume) string {
	if name, ok := volume.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return name
	}
	return volume.Spec.StorageClassName
}

// unknown is the verdict where the chain itself is broken. The name is that of the object the flaw is about.
func unknown(f flaw, name string) Verdict {
	var s sentence
	switch f {
	case volumeUnread, otherClaim:
		s.add("PersistentVolume ")
	case classUnread, otherClass:
		s.add("StorageClass ")
	}
	if name != "" {
		s.quoted(name)
		s.add(" ")
	}
	if f == classUnread {
		// There is no volume yet that could show or be attested anything.
		s.add("does not exist or was not read")
		return Verdict{Why: s.upTo(WhyLimit), Remedy: remedyName}
	}
	s.add(flawTexts[f])
	return Verdict{Why: s.upTo(WhyLimit), Remedy: f.remedy()}
}

// unlisted is the verdict for a driver without a row in the table.
func unlisted(name string, source Source) Verdict {
	var saw, why sentence
	saw.value(name)
	why.quoted(name)
	why.add(" is not in the table of drivers, so nothing is known about its parameters")
	return Verdict{
		Source: source, Evidence: saw.upTo(EvidenceLimit), Why: why.upTo(WhyLimit),
		Remedy: "use a driver of the table, or attest this volume's encryption with an end date",
	}
}
