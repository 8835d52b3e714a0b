package complianceprofile

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// maxListed bounds how many entries a message names.
const maxListed = 5

// acceptances sorts the accepted previews of a profile by what became of them, each
// as namespace/name.
type acceptances struct {
	// fitting is the present preview, and done belongs to a workload that has none
	// any more: it entered Enforce.
	fitting, done []string
	// changed is not the present preview, and lost is about no workload under the
	// profile.
	changed, lost []string
}

func acceptancesOf(s *scope) acceptances {
	var a acceptances
	if s.profile.Spec.Rollout == nil {
		return a
	}
	for _, entry := range s.profile.Spec.Rollout.AcceptedPreviews {
		name := types.NamespacedName{Namespace: entry.Namespace, Name: entry.Name}
		digest, known := s.previews[name]
		switch {
		case !known:
			a.lost = append(a.lost, name.String())
		case digest == entry.Digest:
			a.fitting = append(a.fitting, name.String())
		case digest == "":
			a.done = append(a.done, name.String())
		default:
			a.changed = append(a.changed, name.String())
		}
	}
	return a
}

// acceptancesFit says which accepted previews accept nothing; false where there are
// none to speak of.
func acceptancesFit(s *scope) (outcome.Condition, bool) {
	a := acceptancesOf(s)
	var parts []string
	for _, part := range []struct {
		names []string
		what  string
	}{
		{a.changed, "not the present preview, read status.preview again and accept its digest: "},
		{a.lost, "no such PHIWorkload is judged under this profile, remove the entry: "},
		{a.fitting, "accepted: "},
		{a.done, "no preview is left, the entry may be removed: "},
	} {
		if len(part.names) > 0 {
			parts = append(parts, part.what+enumerate(part.names))
		}
	}
	c := outcome.Condition{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonAllFit, Message: strings.Join(parts, "; ")}
	switch {
	case len(a.changed) > 0:
		c.Status, c.Reason = metav1.ConditionFalse, hipaav1.ReasonPreviewChanged
	case len(a.lost) > 0:
		c.Status, c.Reason = metav1.ConditionFalse, hipaav1.ReasonWorkloadNotFound
	}
	return c, len(parts) > 0
}

// enumerate lists a few and says how many more there are.
func enumerate(names []string) string {
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), maxListed)], ", ")
	if more := len(names) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
