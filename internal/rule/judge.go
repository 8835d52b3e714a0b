package rule

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// judge is a rule at work. It is safe for concurrent use.
type judge struct {
	checks []compiled
	types  []control.ResourceType
}

// check judges a resource, or whether there is anything to judge for a workload.
func (j *judge) check(s control.Subject) []control.Finding {
	switch s.Kind() {
	case control.Resources:
		return j.resource(&s)
	case control.Workloads:
		return j.whole(&s)
	default:
		return nil
	}
}

// whole says that nothing is known where nothing is declared: the infrastructure may be
// there, and managed from elsewhere.
func (j *judge) whole(s *control.Subject) []control.Finding {
	for _, r := range s.World.Resources {
		if control.NamespaceOf(r) == s.Namespace.Name && j.knows(r) {
			return nil
		}
	}
	return []control.Finding{control.Undecided("", "no resource of the namespace declares what this control judges, and the infrastructure may be managed outside this cluster").
		But("declare it as %s; or show by other means how it is set up", some(j.types)).OnlyLive()}
}

// some names the first few kinds, for people.
func some(types []control.ResourceType) string {
	const enough = 3
	var kinds []string
	for _, t := range types {
		if name := t.Kind + " of " + t.Group; len(kinds) < enough && !slices.Contains(kinds, name) {
			kinds = append(kinds, name)
		}
	}
	text := strings.Join(kinds, ", ")
	if len(types) > len(kinds) {
		text += " and others"
	}
	return text
}

func (j *judge) knows(r *unstructured.Unstructured) bool {
	return slices.ContainsFunc(j.types, func(t control.ResourceType) bool { return t.Is(r) })
}

// resource judges a resource by the checks that match it. One that serves no namespace
// in particular is no evidence that the safeguard of any is in place.
func (j *judge) resource(s *control.Subject) []control.Finding {
	if !j.knows(s.Resource) {
		return []control.Finding{control.NotApplicable("is not of a type that this control judges")}
	}
	variables := vocabulary(s)
	var met, against []control.Finding
	for i := range j.checks {
		c := &j.checks[i]
		if !slices.ContainsFunc(c.Match, func(t control.ResourceType) bool { return t.Is(s.Resource) }) {
			continue
		}
		switch f, about := c.judge(variables); {
		case !about:
		case f.Verdict == hipaav1.VerdictPass:
			met = append(met, f)
		default:
			against = append(against, f)
		}
	}
	switch {
	case len(against) > 0:
		return against
	case len(met) > 0 && control.NamespaceOf(s.Resource) != "":
		return met
	default:
		return []control.Finding{control.NotApplicable("asks nothing of this resource")}
	}
}

// judge asks one check. It reports whether the check is about the resource.
func (c *compiled) judge(variables map[string]any) (f control.Finding, about bool) {
	if c.when != nil {
		switch is, err := holds(c.when, variables); {
		case err != nil:
			return c.undecided(), true
		case !is:
			return f, false
		}
	}
	switch is, err := holds(c.expression, variables); {
	case err != nil:
		return c.undecided(), true
	case is:
		return control.Met(c.Path, "%s", c.Met), true
	default:
		return control.Failed(c.Path, "%s", c.Message).But("%s", c.Remedy).As(c.key(variables)), true
	}
}

// key tells a finding by what stands at its path. A new opening in a list that is too
// open already is another finding, so that it does not hide behind what stood before.
func (c *compiled) key(variables map[string]any) string {
	object, _ := variables[objectVariable].(map[string]any)
	value, _, _ := unstructured.NestedFieldNoCopy(object, strings.Split(c.Path, ".")...) // what is not there is nil
	text, err := json.Marshal(value)
	if err != nil {
		return "" // of no decoder; then the path and the message tell it
	}
	return fmt.Sprintf("%s %s %x", c.Path, c.Message, sha256.Sum256(text))
}

func (c *compiled) undecided() control.Finding {
	return control.Undecided(c.Path, "could not be judged: the expression came to no answer within its limits").But("%s", c.Remedy)
}
