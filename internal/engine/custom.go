package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// addCustom adds the controls that the chosen profiles bring. Of two with one ID the
// first by the name of its profile counts. One that cannot be compiled is Unknown: it
// was let in before this version, or while nobody looked.
func (m *merge) addCustom(chosen *choice) {
	f := m.effective
	for _, name := range slices.Sorted(maps.Keys(chosen.inForce)) {
		p := chosen.byName[name]
		for i := range p.Spec.CustomControls {
			custom := &p.Spec.CustomControls[i]
			if f.broughtBy == nil {
				f.broughtBy, f.controls = map[string][]string{}, slices.Clone(f.controls)
			}
			by := f.broughtBy[custom.ID]
			if len(by) == 0 {
				c, err := m.engine.custom(custom)
				if err != nil {
					c = incomprehensible(custom.ID)
					m.conflict("customControls[%s] of %s cannot be judged as it is written", custom.ID, name)
				}
				f.controls = append(f.controls, c)
			} else if !same(chosen.byName[by[0]], custom) {
				m.conflict("customControls[%s] differs between profiles; the first by name counts", custom.ID)
			}
			f.broughtBy[custom.ID] = append(by, name)
		}
	}
	if f.broughtBy != nil {
		slices.SortStableFunc(f.controls, func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) })
	}
}

// same reports whether a profile brings a control in the same words.
func same(p *hipaav1.ComplianceProfile, custom *hipaav1.CustomControl) bool {
	return slices.ContainsFunc(p.Spec.CustomControls, func(c hipaav1.CustomControl) bool { return equal(c, *custom) })
}

func (e *Engine) custom(custom *hipaav1.CustomControl) (control.Control, error) {
	if e.Knows(custom.ID) {
		return control.Control{}, errors.New("id: the catalogue has a control of this ID")
	}
	if e.compile == nil {
		return control.Control{}, errors.New("checks: this program understands no controls but its own")
	}
	return e.compile(custom)
}

// incomprehensible is a control that cannot be judged, in place of one that should be.
func incomprehensible(id string) control.Control {
	return control.Control{
		ID: id, Since: 1, Cites: []hipaa.Citation{hipaa.RiskManagement}, Judges: control.Workloads,
		Remedy: "mend it in the profile that brings it, whose condition Valid says what is wrong",
		Check: func(control.Subject) []control.Finding {
			return []control.Finding{control.Undecided("", "the control cannot be judged as it is written").OnlyLive()}
		},
	}
}

// Faults says what is wrong with the controls that a profile brings, one sentence each,
// with line and column where it is an expression.
func (e *Engine) Faults(p *hipaav1.ComplianceProfile) []string {
	var faults []string
	for i := range p.Spec.CustomControls {
		_, err := e.custom(&p.Spec.CustomControls[i])
		if err == nil {
			continue
		}
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			faults = append(faults, fmt.Sprintf("spec.customControls[%d].%s", i, fault))
		}
	}
	return faults
}

// Brings reports whether any of some profiles brings a control.
func Brings(profiles []*hipaav1.ComplianceProfile, id string) bool {
	return slices.ContainsFunc(profiles, func(p *hipaav1.ComplianceProfile) bool {
		return slices.ContainsFunc(p.Spec.CustomControls, func(c hipaav1.CustomControl) bool { return c.ID == id })
	})
}
