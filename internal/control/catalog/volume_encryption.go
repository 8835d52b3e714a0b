package catalog

import (
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "volume-encryption",
	Title:    "Keep PHI on encrypted volumes only",
	Cites:    []hipaa.Citation{hipaa.EncryptionAtRest},
	Severity: control.Critical,
	Since:    1,
	Why: "A disk that leaves the data centre, a snapshot that is shared by mistake, a volume that is attached elsewhere: what was " +
		"encrypted is no breach (45 CFR 164.402, guidance on unsecured PHI), what was not has to be notified.",
	Remedy: "use a claim whose StorageClass turns encryption on",
	Decides: "The chain from the pod's volume over its claim to the PersistentVolume, its driver's parameters and its StorageClass decides; " +
		"the volume's own evidence comes before that of the class. A claim that is not bound is judged by its class, at admission and live; once " +
		"bound, by its volume. A generic ephemeral volume is judged by its template until its claim exists. A class that turns encryption " +
		"off and a chain that shows nothing are refused. What no field shows, such as EFS or disks that the node encrypts, " +
		"a statement of the profile can settle until it ends; it never outweighs evidence, and the verdict is then Attested. Claims without a " +
		"class get the profile's, also where the cluster's default class was already filled in. Volumes on the node's own disk (emptyDir, " +
		"hostPath) are not this control's; a CSI volume without a claim is. Whose the key is customer-managed-keys asks.",
	Parameters: []control.Parameter{
		{
			Path: "storage.encryptedClass", Basis: control.BasisProfile,
			Meaning: "The StorageClass that claims without one get, and that refusals name.",
		},
		{
			Path: "storage.statements", Basis: control.BasisProfile,
			Meaning: "What a person states about a StorageClass whose encryption no field shows, by name and until an end date.",
		},
	},
	Example: `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: ehr}
spec:
  storageClassName: hipaa-encrypted
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Gi}}
`,
	Judges: control.Pods | control.Claims,
	Needs:  control.StorageChain,
	Check: func(s control.Subject) []control.Finding {
		return eachVolume(&s, (*volumeChain).finding)
	},
	Default:  defaultClass,
	Replaces: true,
	Satisfy:  hasEncryptedClass,
	Breaks:   volumeBreaks,
})
