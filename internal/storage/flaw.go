package storage

// flaw says why a piece of evidence does not count. The zero value means that it does.
type flaw uint8

const (
	sound flaw = iota

	// Nothing to look at.
	nothingRead
	volumeUnread
	claimUnread
	classUnread
	classUnnamed

	// The objects do not belong together.
	otherClaim
	otherClass
	otherProvisioner

	// The volume was not made by the class that was read.
	handMade
	restored
	preMade
	inline
	classYounger
	classAgeless

	// The parameters cannot be relied on.
	disputedParameter
	unreadableValue
	refusedValue
	contradiction
	keyWithoutForm
	keyUnused
	keyReplaceable
	backendDecides
)

// flawTexts hold what follows the subject. The subject is the parameter for flaws of parameters, else see subjectOf.
var flawTexts = [...]string{
	nothingRead:       "neither volume, claim nor class was read",
	volumeUnread:      "is the volume of the claim and was not read",
	claimUnread:       "the claim was not read, so a restored snapshot cannot be ruled out",
	classUnread:       "does not exist or was not read, and the volume shows no evidence of its own",
	classUnnamed:      "the claim names no StorageClass, and no default class was read",
	otherClaim:        "belongs to another claim",
	otherClass:        "is the class that was read, and not the one that is named",
	otherProvisioner:  "is the class's provisioner, and not the driver of the volume",
	handMade:          "was not made by its driver from a class, so no class says anything about it",
	restored:          "a snapshot or another volume is its source, so the class does not say how the data is encrypted",
	preMade:           "the claim asks for a volume made by hand, which no class says anything about",
	inline:            "a volume that a pod brings along has no class, and its author does not decide how it is encrypted",
	classYounger:      "was created after the volume: the class it was made by is gone",
	classAgeless:      "or the volume has no creation time, so they cannot be shown to belong together",
	disputedParameter: "is set twice in different case with different values",
	unreadableValue:   "has a value that says neither yes nor no to this driver",
	refusedValue:      "has a value that this driver refuses",
	contradiction:     "says no while a key is named",
	keyWithoutForm:    "does not have the form of a key id",
	keyUnused:         "names a key for which the driver has no use with these parameters",
	keyReplaceable:    "names a key that the provisioner's Secret may replace",
	backendDecides:    "says no, and what is below the driver may encrypt all the same",
}

const (
	remedyAttest = "attest this volume's encryption with an end date, connect the cloud's API, or copy the data to a volume of an encrypted StorageClass"
	remedyCopy   = "copy the data to a volume of an encrypted StorageClass; neither a class nor a VolumeAttributesClass encrypts a volume that exists"
	remedyRead   = "let PersistentVolumes, claims and StorageClasses be read, and look again"
	remedyName   = "name a StorageClass that turns encryption on"
)

// remedy says what a person can do where a flaw made the grade Unknown. Empty: the driver's own remedy.
func (f flaw) remedy() string {
	switch f {
	case nothingRead, volumeUnread, claimUnread, otherClaim, otherClass:
		return remedyRead
	case classUnnamed, preMade, inline:
		return remedyName
	case classUnread, otherProvisioner, handMade, restored, classYounger, classAgeless:
		return remedyAttest
	default:
		return ""
	}
}
