// Package engine turns profiles, exceptions and evidence into verdicts. Its
// promise: it is pure, and the only place that knows modes, stages, exceptions
// and ruleset pins. The instant is part of the question.
package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Engine judges with a fixed catalogue of controls. It is safe for concurrent use.
type Engine struct {
	controls []control.Control
	byID     map[string]int
	compile  Compile
}

// Compile makes a control of one that a profile brings. It is asked at every merge and
// does well to remember.
type Compile func(*hipaav1.CustomControl) (control.Control, error)

// Accepting is the engine, with a way to understand what profiles bring. Without one
// their controls are Unknown.
func (e *Engine) Accepting(compile Compile) *Engine {
	accepting := *e
	accepting.compile = compile
	return &accepting
}

// New builds an engine. It fails if two controls have one ID, or read one type of report in
// different ways.
func New(controls []control.Control) (*Engine, error) {
	sorted := slices.Clone(controls)
	slices.SortFunc(sorted, func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) })
	e := &Engine{controls: sorted, byID: make(map[string]int, len(sorted))}
	for i := range sorted {
		id := sorted[i].ID
		if _, exists := e.byID[id]; exists {
			return nil, fmt.Errorf("registering control %q: it is registered twice", id)
		}
		e.byID[id] = i
	}
	types := e.ReportTypes()
	for i := range types[min(1, len(types)):] {
		if types[i].ResourceType == types[i+1].ResourceType {
			return nil, fmt.Errorf("registering the reports of controls: two controls read %s, and each trims it otherwise", types[i])
		}
	}
	return e, nil
}

// Controls lists the catalogue, sorted by ID.
func (e *Engine) Controls() []control.Control {
	return slices.Clone(e.controls)
}

// IDs lists the IDs of the catalogue, sorted.
func (e *Engine) IDs() []string {
	ids := make([]string, len(e.controls))
	for i := range e.controls {
		ids[i] = e.controls[i].ID
	}
	return ids
}

// Knows reports whether the catalogue has a control.
func (e *Engine) Knows(id string) bool {
	_, known := e.byID[id]
	return known
}

// Kinds is every kind of object that some control judges.
func (e *Engine) Kinds() control.Kinds {
	var kinds control.Kinds
	for i := range e.controls {
		kinds |= e.controls[i].Judges
	}
	return kinds
}

// ResourceTypes lists the types of custom resource that some control judges, each
// once, sorted.
func (e *Engine) ResourceTypes() []control.ResourceType {
	var types []control.ResourceType
	for i := range e.controls {
		types = append(types, e.controls[i].Resources...)
	}
	return control.UniqueTypes(types)
}

// Families lists the families of API groups that some control judges, each once, sorted.
func (e *Engine) Families() []control.Family {
	var families []control.Family
	for i := range e.controls {
		families = append(families, e.controls[i].Families...)
	}
	return control.UniqueFamilies(families)
}

// ReportTypes lists the types in which other systems report to some control, each once,
// sorted.
func (e *Engine) ReportTypes() []control.ReportType {
	var types []control.ReportType
	for i := range e.controls {
		types = append(types, e.controls[i].Reports...)
	}
	slices.SortFunc(types, func(a, b control.ReportType) int { return a.Compare(b.ResourceType) })
	return slices.CompactFunc(types, control.ReportType.Same)
}

// AdmissionEvidence is what must be loaded to judge one kind at admission.
func (e *Engine) AdmissionEvidence(kind control.Kinds) control.Evidence {
	var needs control.Evidence
	for i := range e.controls {
		if e.controls[i].Admits(kind) {
			needs |= e.controls[i].Needs
		}
	}
	return needs
}

// MutationEvidence is what must be loaded to mutate a pod or fill in a claim at
// admission: less than judging asks for.
func (e *Engine) MutationEvidence(kind control.Kinds) control.Evidence {
	var needs control.Evidence
	for i := range e.controls {
		c := &e.controls[i]
		if kind == control.Pods && c.Mutate != nil || kind == control.Claims && c.Default != nil {
			needs |= c.Needs
		}
	}
	return needs
}

// LiveEvidence is what must be loaded to judge a workload live.
func (e *Engine) LiveEvidence() control.Evidence {
	var needs control.Evidence
	for i := range e.controls {
		needs |= e.controls[i].Needs | e.controls[i].NeedsLive
	}
	return needs
}

// Ruling is under what a subject is judged.
type Ruling struct {
	// Effective is what the profiles in force come to; never nil.
	Effective *Effective
	// Stage of the workload, or of the namespace for what no workload claims.
	// Empty counts as Enforced.
	Stage hipaav1.Stage
	// Entered are the controls that have entered Enforce where the stage is
	// Enforced; nil is all of them. Any other is as in Previewing.
	Entered map[string]bool
	// Exceptions of the namespace, whatever their state.
	Exceptions []*hipaav1.ControlException
	// Now is the instant of the question.
	Now time.Time
}

// mode is what holds for a control after stage; exceptions come later.
func (r Ruling) mode(i int) hipaav1.Mode {
	mode := r.Effective.modes[i]
	if mode == hipaav1.ModeEnforce && !r.entered(i) {
		return hipaav1.ModeWarn
	}
	return mode
}

// entered reports whether Enforce has been let in for a control.
func (r Ruling) entered(i int) bool {
	return r.Stage != hipaav1.StagePreviewing && (r.Entered == nil || r.Entered[r.Effective.controls[i].ID])
}

// inForce reports whether any profile brings the control, even if it is Off.
func (r Ruling) inForce(i int) bool {
	return r.Effective.modes[i] != ""
}

// StrongestMode is the strongest mode that any control has under the ruling.
func (r Ruling) StrongestMode() hipaav1.Mode {
	strongest := hipaav1.ModeOff
	for i := range r.Effective.modes {
		if r.inForce(i) {
			strongest = stronger(strongest, r.mode(i))
		}
	}
	return strongest
}
