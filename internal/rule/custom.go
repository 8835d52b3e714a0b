package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/utils/lru"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// customKept is how many different custom controls stay compiled: those of sixteen
// profiles that use all of their room.
const customKept = 256

// compilation is what came of a custom control.
type compilation struct {
	control control.Control
	err     error
}

// Customs compiles the controls that profiles bring, each wording once. They may match
// the types that are handed over: about others admission is never asked, and the manager
// may not read them. The function is safe for concurrent use.
func Customs(types []control.ResourceType) func(*hipaav1.CustomControl) (control.Control, error) {
	kept := lru.New(customKept)
	return func(custom *hipaav1.CustomControl) (control.Control, error) {
		wording, err := json.Marshal(custom)
		if err != nil {
			return control.Control{}, fmt.Errorf("identifying a custom control: %w", err)
		}
		if known, found := kept.Get(string(wording)); found {
			if one, is := known.(compilation); is {
				return one.control, one.err
			}
		}
		c, err := compileCustom(custom, types)
		kept.Add(string(wording), compilation{c, err})
		return c, err
	}
}

func compileCustom(custom *hipaav1.CustomControl, types []control.ResourceType) (control.Control, error) {
	r := &Rule{ID: custom.ID, Cites: custom.Cites, Severity: control.Medium, Remedy: custom.Remedy, Checks: make([]Check, len(custom.Checks))}
	for i := range custom.Checks {
		from := &custom.Checks[i]
		r.Checks[i] = Check{
			When: from.When, Expression: from.Expression, Path: from.Path, Message: from.Message, Met: from.Met, Remedy: from.Remedy,
		}
		for j, m := range from.Match {
			t := control.ResourceType{Group: m.Group, Version: m.Version, Kind: m.Kind, Resource: m.Resource}
			if !slices.Contains(types, t) {
				return control.Control{}, fmt.Errorf("checks[%d].match[%d]: %s of kind %s is no type that the catalogue knows; see docs/controls", i, j, t, t.Kind)
			}
			r.Checks[i].Match = append(r.Checks[i].Match, t)
		}
	}
	c, err := r.judging()
	if err != nil {
		return control.Control{}, err
	}
	if len(c.Cites) == 0 {
		return control.Control{}, errors.New("cites: is empty")
	}
	c.Since = 1
	return c, nil
}
