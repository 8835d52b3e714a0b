package podtemplate

import (
	"fmt"
	"regexp"
	"strconv"
)

var (
	volume        = regexp.MustCompile(`^spec\.volumes\[(\d+)\]`)
	initContainer = regexp.MustCompile(`^spec\.initContainers\[(\d+)\]`)
)

// Path tells where in the object a field of its pod stands. What a claim template
// brings stands in that template. Empty is the pod as a whole.
func (t Template) Path(field string) string {
	if found := volume.FindStringSubmatch(field); found != nil {
		if i, err := strconv.Atoi(found[1]); err == nil {
			return t.volumePath(i) + field[len(found[0]):]
		}
	}
	if found := initContainer.FindStringSubmatch(field); found != nil {
		if i, err := strconv.Atoi(found[1]); err == nil && i >= t.before {
			return fmt.Sprintf("%s.spec.initContainers[%d]%s", t.path, i-t.before, field[len(found[0]):])
		}
	}
	return under(t.path, field)
}

// volumePath follows the order in which a pod gets its volumes: those of claim
// templates, those of the template, and behind them what was added since.
func (t Template) volumePath(i int) string {
	claims := len(t.claimTemplates())
	if i < claims {
		return claimPath(i)
	}
	i -= claims
	if kept := t.kept(); i < len(kept) {
		i = kept[i]
	} else {
		i += len(t.spec.Spec.Volumes) - len(kept)
	}
	return fmt.Sprintf("%s.spec.volumes[%d]", t.path, i)
}

// ClaimPath tells where in the object a field of one of its Claims stands. Empty
// is the claim as a whole.
func (Template) ClaimPath(claim int, field string) string { return under(claimPath(claim), field) }

func claimPath(i int) string { return fmt.Sprintf("spec.volumeClaimTemplates[%d]", i) }

func under(parent, field string) string {
	if field == "" {
		return parent
	}
	return parent + "." + field
}
