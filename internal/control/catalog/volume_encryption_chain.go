package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

// volumeChain is what stands behind one claim, and where people find it.
type volumeChain struct {
	subject *control.Subject
	// claim is the claim itself, or what a template would make.
	claim *corev1.PersistentVolumeClaim
	// path is the volume of the pod; empty where the claim itself is judged.
	path string
	// missing names a claim that does not exist; there is nothing behind it yet.
	missing string
	// attached is the verdict on a volume that no claim stands for.
	attached *storage.Verdict
}

// eachVolume judges the claim under judgement, or every volume of the pod that lives
// outside the node.
func eachVolume(s *control.Subject, judge func(*volumeChain) control.Finding) []control.Finding {
	if s.Claim != nil {
		return []control.Finding{judge(&volumeChain{subject: s, claim: s.Claim})}
	}
	if s.Pod == nil {
		return nil
	}
	var findings []control.Finding
	for i := range s.Pod.Spec.Volumes {
		if chain := podVolume(s, i); chain != nil {
			findings = append(findings, judge(chain))
		}
	}
	if len(findings) == 0 {
		return []control.Finding{control.NotApplicable("no volume outside the node is mounted")}
	}
	return findings
}

// podVolume is what stands behind a volume of the pod; nil where it is on the node.
func podVolume(s *control.Subject, i int) *volumeChain {
	v, chain := &s.Pod.Spec.Volumes[i], &volumeChain{subject: s, path: fmt.Sprintf("spec.volumes[%d]", i)}
	verdict, kind := storage.OfPodVolume(v)
	switch kind {
	case storage.KindClaim:
		name := v.PersistentVolumeClaim.ClaimName
		if chain.claim = s.World.Claims[name]; chain.claim == nil {
			chain.missing = name
		}
	case storage.KindClaimTemplate:
		chain.claim = ephemeralClaim(s, v)
	case storage.KindAttached, storage.KindUnrecognised:
		chain.attached = &verdict
	default:
		return nil
	}
	return chain
}

// ephemeralClaim is the claim of a generic ephemeral volume: the live one where
// it exists and is this pod's, else what admission would make of the template.
func ephemeralClaim(s *control.Subject, v *corev1.Volume) *corev1.PersistentVolumeClaim {
	if live := s.World.Claims[s.Pod.Name+"-"+v.Name]; live != nil {
		for _, owner := range live.OwnerReferences {
			if owner.UID != "" && owner.UID == s.Pod.UID {
				return live
			}
		}
	}
	template := storage.TemplateOf(v)
	if template == nil {
		return nil
	}
	template = template.DeepCopy()
	defaultClass(*s, template)
	return template
}

// finding says whether what is behind the volume is encrypted.
func (c *volumeChain) finding() control.Finding {
	if c.missing != "" {
		return control.Undecided(c.path, "mounts claim %q, which does not exist", c.missing).
			But("create the claim first%s", ofClass(c.subject, ", of StorageClass %q"))
	}
	verdict, statement := c.seen()
	if statement != nil {
		return c.stands(statement)
	}
	return c.graded(verdict)
}

// seen is what the chain shows, and the statement of the profile that settles it
// where it shows nothing.
func (c *volumeChain) seen() (storage.Verdict, *hipaav1.StorageStatement) {
	switch {
	case c.attached != nil:
		return *c.attached, nil
	case c.claim == nil:
		return storage.OfVolume(nil, nil, nil), nil
	}
	volume, class := c.behind()
	verdict := storage.OfVolume(volume, c.claim, class)
	if verdict.Grade != storage.Unknown {
		return verdict, nil
	}
	return verdict, c.stated(volume, class, verdict)
}

// behind finds the volume of the claim, and the class by which it is judged.
func (c *volumeChain) behind() (*corev1.PersistentVolume, *storagev1.StorageClass) {
	name := claimClass(c.claim)
	volume := c.subject.World.Volumes[c.claim.Spec.VolumeName]
	if volume != nil {
		name = volumeClass(volume)
	}
	return volume, c.subject.World.Classes[name]
}

// graded turns a verdict into a finding.
func (c *volumeChain) graded(v storage.Verdict) control.Finding {
	switch {
	case v.Grade.Encrypted():
		return control.Met("", "%s: %s", c.name(), v.Evidence)
	case v.Grade == storage.NotEncrypted:
		return control.Failed(c.at(), "%s is not encrypted: %s", c.what(), why(v)).But("%s", c.remedy(v))
	case c.awaitsAdmission():
		return control.Undecided(c.at(), "%s will be judged when it is made", c.what()).But("%s", c.remedy(v)).OnlyLive()
	default:
		return control.Undecided(c.at(), "%s shows no evidence of encryption: %s", c.what(), why(v)).But("%s", c.remedy(v))
	}
}

// awaitsAdmission reports whether the claim is one that admission will give the
// profile's class, and that class was not read because nobody names it yet.
func (c *volumeChain) awaitsAdmission() bool {
	class := c.subject.Profile.Storage.EncryptedClass
	return c.path != "" && c.claim != nil && c.claim.Name == "" && class != "" && claimClass(c.claim) == class && c.subject.World.Classes[class] == nil
}
