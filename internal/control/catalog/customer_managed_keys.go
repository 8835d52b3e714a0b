package catalog

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

var _ = add(control.Control{
	ID:       "customer-managed-keys",
	Title:    "Encrypt PHI with a key of your own",
	Cites:    []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.AccessAuthorization},
	Severity: control.Medium,
	Since:    1,
	Why: "Under the provider's default key everybody whom the account lets reach the disk reads it, and nobody sees when. A key of your own has " +
		"a policy that names who decrypts, a record of each use, and an end: without it, every copy of the data is noise.",
	Remedy: "use a StorageClass that names a key",
	Decides: "The same chain as for volume-encryption, at admission and live alike: the volume, or the class that will make it, names a key that " +
		"is not the provider's default one. A volume that is encrypted with the provider's key fails. Where a key is named and does not count - it " +
		"has not the form of a key id, the volume was restored from a copy - the verdict is Unknown, which refuses. A statement of the profile " +
		"about a class settles the key as it settles encryption, and then the evidence is Attested. What shows no encryption at all is refused by " +
		"volume-encryption and only reported here. Who may decrypt with the key, that each use is on record and that the key rotates no object " +
		"of the cluster shows: this control passes without it.",
	Parameters: []control.Parameter{
		{
			Path: "controls", Basis: control.BasisProfile,
			Meaning: "The mode says whether a key of your own is asked for: the rule asks for encryption, is addressable, and names no holder of the key. " +
				"NIST SP 800-111, which HHS names in its guidance on unsecured PHI, has keys managed apart from the data.",
		},
		{
			Path: "storage.statements", Basis: control.BasisProfile,
			Meaning: "EncryptedCustomerKey states of a StorageClass, until an end date, that a key of yours encrypts it although no field shows one.",
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
	Judges:  control.Pods | control.Claims,
	Needs:   control.StorageChain,
	Check:   func(s control.Subject) []control.Finding { return eachVolume(&s, (*volumeChain).holder) },
	Satisfy: hasEncryptedClass,
	Breaks: control.Breaks{
		"a claim of a class with the provider's key": claimOf(func(s *control.Subject) string {
			return provides(s, encryptingClass("provider", "true"))
		}),
		"a claim of a class that names the provider's default key": claimOf(func(s *control.Subject) string {
			class := encryptingClass("default-key", "true")
			class.Parameters["kmsKeyId"] = "alias/aws/ebs"
			return provides(s, class)
		}),
		"a claim of a class whose key is none": claimOf(func(s *control.Subject) string {
			class := encryptingClass("no-key", "true")
			class.Parameters["kmsKeyId"] = "to be filled in"
			return provides(s, class)
		}),
		"a pod that mounts a claim with the provider's key": mountingClaimOf(encryptingClass("provider", "true")),
		"a volume that nothing encrypts": {Kind: control.Claims, Reported: true, Apply: func(s *control.Subject) {
			name := provides(s, encryptingClass("plain", "false"))
			s.Claim.Spec.StorageClassName = &name
		}},
	},
})

// holder says whose key encrypts what is behind the volume.
func (c *volumeChain) holder() control.Finding {
	if c.missing != "" {
		return control.Undecided(c.path, "mounts claim %q, which does not exist", c.missing).OnlyLive().But("create the claim")
	}
	seen, statement := c.seen()
	remedy := "use a StorageClass that names a key" + ofClass(c.subject, ", such as %q")
	switch {
	case statement != nil && statement.Grade == hipaav1.StorageGradeCustomerKey:
		return c.stands(statement)
	case statement != nil:
		return control.Failed(c.at(), "%s is stated to be encrypted with a key of the provider: StorageClass %s", c.what(), statement.StorageClass).
			But("%s", remedy)
	case seen.Grade == storage.CustomerKey:
		return control.Met("", "%s: %s", c.name(), seen.Evidence)
	case seen.Grade == storage.ProviderKey && seen.Why != "":
		return control.Undecided(c.at(), "%s is encrypted, and nothing shows that it is with a key of yours: %s", c.what(), why(seen)).But("%s", remedy)
	case seen.Grade == storage.ProviderKey:
		return control.Failed(c.at(), "%s is encrypted with a key of the provider: %s", c.what(), seen.Evidence).But("%s", remedy)
	case seen.Grade == storage.NotEncrypted:
		return control.Failed(c.at(), "%s is not encrypted, with no key: %s", c.what(), why(seen)).But("%s", c.remedy(seen)).OnlyLive()
	default:
		return control.Undecided(c.at(), "%s shows no evidence of a key: %s", c.what(), why(seen)).But("%s", c.remedy(seen)).OnlyLive()
	}
}
