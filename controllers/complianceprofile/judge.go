package complianceprofile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// judge looks for what the API server cannot see in one object.
func (r *Reconciler) judge(_ context.Context, s *scope) error {
	spec := &s.profile.Spec
	if _, err := control.ParseRuleset(spec.RulesetVersion); err != nil {
		s.problem(hipaav1.ReasonUnknownRuleset, "spec.rulesetVersion: %s; it counts as the latest", err)
	}
	r.judgeControls(s)
	var missing []string
	for _, base := range spec.Extends {
		if s.profiles[base] == nil {
			missing = append(missing, base)
		}
	}
	if len(missing) > 0 {
		s.problem(hipaav1.ReasonProfileNotFound, "spec.extends names profiles that do not exist: %s", strings.Join(missing, ", "))
	}
	if cycle := s.cycle(s.profile.Name, nil); cycle != nil {
		s.problem(hipaav1.ReasonExtendsCycle, "spec.extends leads back: %s", strings.Join(cycle, " extends "))
	}
	if spec.Rollout != nil && spec.Rollout.Window != "" {
		if _, err := repair.ParseWindow(spec.Rollout.Window); err != nil {
			s.problem(hipaav1.ReasonInvalidWindow, "spec.rollout.window: %s; it never opens", err)
		}
	}
	s.judged = true
	return nil
}

// judgeControls looks at what the profile says of controls.
func (r *Reconciler) judgeControls(s *scope) {
	spec := &s.profile.Spec
	set := make([]string, len(spec.Controls))
	for i := range spec.Controls {
		set[i] = spec.Controls[i].ID
	}
	r.judgeNames(s, "spec.controls", set)
	if spec.Exceptions != nil {
		r.judgeNames(s, "spec.exceptions.neverFor", spec.Exceptions.NeverFor)
	}
	for _, fault := range r.Engine.Faults(s.profile) {
		s.problem(hipaav1.ReasonInvalidControl, "%s; its verdict is Unknown", fault)
	}
	for _, lacking := range r.Engine.Unrecorded(s.profile) {
		s.problem(hipaav1.ReasonRecordMissing, "%s", lacking)
	}
}

// judgeNames looks for names that are no control's.
func (r *Reconciler) judgeNames(s *scope, field string, ids []string) {
	bringing := append(slices.Collect(maps.Values(s.profiles)), s.profile)
	var unknown []string
	for _, id := range ids {
		if !r.Engine.Knows(id) && !engine.Brings(bringing, id) {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		s.problem(hipaav1.ReasonUnknownControl, "%s names what neither the catalogue has nor a profile brings: %s; see docs/controls", field, strings.Join(unknown, ", "))
	}
}

func (s *scope) problem(reason, format string, args ...any) {
	s.problems = append(s.problems, problem{reason: reason, message: fmt.Sprintf(format, args...)})
}

// cycle is the way by which a profile extends itself; nil if there is none. A
// cycle further down that does not pass through this profile is the others'.
func (s *scope) cycle(name string, way []string) []string {
	if len(way) > 0 && name == way[0] {
		return append(way, name)
	}
	p := s.profiles[name]
	if name == s.profile.Name {
		p = s.profile // the version at hand
	}
	if p == nil || slices.Contains(way, name) {
		return nil
	}
	way = append(slices.Clone(way), name)
	for _, base := range p.Spec.Extends {
		if found := s.cycle(base, way); found != nil {
			return found
		}
	}
	return nil
}
