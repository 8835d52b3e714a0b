package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

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
}

// checkPodVolumes judges every volume of the pod that lives outside the node.
func checkPodVolumes(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for i := range s.Pod.Spec.Volumes {
		if f, ours := checkPodVolume(s, i); ours {
			findings = append(findings, f)
		}
	}
	if len(findings) == 0 {
		return []control.Finding{control.NotApplicable("no volume outside the node is mounted")}
	}
	return findings
}

func checkPodVolume(s *control.Subject, i int) (_ control.Finding, ours bool) {
	v, path := &s.Pod.Spec.Volumes[i], fmt.Sprintf("spec.volumes[%d]", i)
	verdict, kind := storage.OfPodVolume(v)
	switch kind {
	case storage.KindClaim:
		name := v.PersistentVolumeClaim.ClaimName
		claim := s.World.Claims[name]
		if claim == nil {
			return control.Undecided(path, "mounts claim %q, which does not exist", name).
				But("create the claim first%s", ofClass(s, ", of StorageClass %q")), true
		}
		return (&volumeChain{subject: s, claim: claim, path: path}).finding(), true
	case storage.KindClaimTemplate:
		return (&volumeChain{subject: s, claim: ephemeralClaim(s, v), path: path}).finding(), true
	case storage.KindAttached, storage.KindUnrecognised:
		chain := volumeChain{subject: s, path: path}
		return chain.graded(verdict), true
	default:
		return control.Finding{}, false
	}
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

// finding judges the claim.
func (c *volumeChain) finding() control.Finding {
	if c.claim == nil {
		return c.graded(storage.OfVolume(nil, nil, nil))
	}
	volume, class := c.behind()
	verdict := storage.OfVolume(volume, c.claim, class)
	if verdict.Grade == storage.Unknown {
		if f, settled := c.stated(volume, class, verdict); settled {
			return f
		}
	}
	return c.graded(verdict)
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
	case v.Grade.Encrypted() && meetsMinimum(c.subject, v.Grade == storage.CustomerKey):
		return control.Met("", "%s: %s", c.name(), v.Evidence)
	case v.Grade.Encrypted():
		return c.tooWeak("encrypted", v.Evidence)
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

func (c *volumeChain) tooWeak(how, evidence string) control.Finding {
	return control.Failed(c.at(), "%s is %s with a key of the provider, and the profile asks for a key of the customer: %s", c.what(), how, evidence).
		But("use a StorageClass that names a key%s", ofClass(c.subject, ", such as %q"))
}
