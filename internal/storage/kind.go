package storage

// Kind says where a pod's volume keeps its data, and so which control judges it.
type Kind uint8

const (
	// KindUnrecognised: a source that this package does not know. The zero value; the grade is Unknown.
	KindUnrecognised Kind = iota
	// KindClaim: a PersistentVolumeClaim. Judge its chain with OfVolume.
	KindClaim
	// KindClaimTemplate: a generic ephemeral volume. Judge its claim, or before there is one TemplateOf, with OfVolume.
	KindClaimTemplate
	// KindAttached: storage outside the node, reached without a claim: inline CSI, nfs, iscsi, cloud disks.
	KindAttached
	// KindNodeDisk: the node's own disk.
	KindNodeDisk
	// KindMemory: the node's memory. Nothing is at rest.
	KindMemory
	// KindAPI: a copy of what the API server keeps, and so a matter of etcd encryption. NotApplicable here.
	KindAPI
	// KindImage: read-only content of a container image. NotApplicable here: nothing the workload writes is kept there.
	KindImage
)

var kindNames = [...]string{"Unrecognised", "Claim", "ClaimTemplate", "Attached", "NodeDisk", "Memory", "API", "Image"}

// String returns the name that reports use, for example NodeDisk.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[KindUnrecognised]
}

// AtRest reports whether the grade of a volume of this kind means anything: false for Memory, API and Image, where the
// verdict explains why encryption at rest does not apply.
func (k Kind) AtRest() bool { return k != KindMemory && k != KindAPI && k != KindImage }
