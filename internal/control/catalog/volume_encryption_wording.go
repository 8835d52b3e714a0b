package catalog

import (
	"fmt"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

// at is where people look for the fault.
func (c *volumeChain) at() string {
	switch {
	case c.path != "":
		return c.path
	case c.claim.Spec.VolumeName != "":
		return "spec.volumeName"
	default:
		return "spec.storageClassName"
	}
}

// what begins the sentence about a fault.
func (c *volumeChain) what() string {
	switch {
	case c.claim == nil:
		return "attaches storage that"
	case c.path != "" && c.claim.Name == "":
		return "asks for a claim that"
	case c.path != "":
		return fmt.Sprintf("mounts claim %q, which", c.claim.Name)
	case c.claim.Spec.VolumeName != "":
		return fmt.Sprintf("names volume %q, which", c.claim.Spec.VolumeName)
	case claimClass(c.claim) == "":
		return "names no class: what it would get"
	default:
		return fmt.Sprintf("names class %q, which", claimClass(c.claim))
	}
}

// name is how evidence calls the volume.
func (c *volumeChain) name() string {
	switch {
	case c.claim == nil || c.claim.Name == "":
		return c.path
	default:
		return "pvc " + c.claim.Name
	}
}

// why joins what was read to what it means, where the meaning does not repeat it.
func why(v storage.Verdict) string {
	if v.Evidence == "" || strings.Contains(v.Why, v.Evidence) {
		return v.Why
	}
	if v.Why == "" {
		return v.Evidence
	}
	return v.Evidence + " (" + v.Why + ")"
}

// remedy names the profile's class first: it is what most people need. Where a
// volume exists, only copying the data helps, and the driver's remedy says so.
func (c *volumeChain) remedy(v storage.Verdict) string {
	bound := c.claim != nil && c.claim.Spec.VolumeName != ""
	ours := ofClass(c.subject, "use StorageClass %q")
	switch {
	case ours == "":
		return v.Remedy
	case bound && v.Remedy != "":
		return v.Remedy + ofClass(c.subject, "; the profile's class is %q")
	default:
		return ours
	}
}

// ofClass formats the profile's encrypted class, or gives nothing where the
// profile names none.
func ofClass(s *control.Subject, format string) string {
	if s.Profile.Storage.EncryptedClass == "" {
		return ""
	}
	return fmt.Sprintf(format, s.Profile.Storage.EncryptedClass)
}
