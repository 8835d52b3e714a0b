package phiworkload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// repair holds what the operator owns to what it wants, and takes away what
// somebody added to widen access.
func (r *Reconciler) repair(ctx context.Context, s *scope) error {
	if s.leaving() {
		// The API server takes nothing new and is taking everything away.
		s.progress = repaired
		return nil
	}
	var errs []error
	drift, err := r.Corrector.Correct(ctx, repair.Order{
		Namespace: s.workload.Namespace, Workload: s.workload.Name,
		Owned: s.owned, Settled: settled(s.workload), Prune: mayPrune(s),
	})
	s.drift, errs = drift, append(errs, err)
	for _, f := range foreignTo(s, s.results) {
		found, err := r.foreign(ctx, s, f)
		if found != nil {
			s.drift = append(s.drift, *found)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("repairing: %w", err)
	}
	s.progress = repaired
	return nil
}

// settled are the controls that the last pass enforced for this very spec: what
// they own was there.
func settled(w *hipaav1.PHIWorkload) map[string]bool {
	controls := map[string]bool{}
	if w.Status.Stage != hipaav1.StageEnforced || w.Status.ObservedGeneration != w.Generation {
		return controls
	}
	for i := range w.Status.Controls {
		controls[w.Status.Controls[i].ID] = w.Status.Controls[i].Mode == hipaav1.ModeEnforce
	}
	return controls
}

// mayPrune reports whether what nothing wants any more may go. Where evidence is
// missing the list of what is wanted may be short, and must not open a door.
func mayPrune(s *scope) bool {
	strongest := s.ruling.StrongestMode()
	return len(s.subject.World.Missing) == 0 && len(s.effective.Paused) == 0 &&
		(strongest == hipaav1.ModeEnforce || strongest == hipaav1.ModeOff)
}

// foreignObject is somebody else's object that stands against the workload.
type foreignObject struct {
	repair.Foreign
	kind string
	// removable says that the mode lets the operator take it away, and that
	// doing so only ever closes.
	removable bool
}

// foreignTo lists what somebody added and a control finds fault with, one entry
// per object. Only kinds that do nothing but open ways count here; what is wrong
// with other objects is a verdict.
func foreignTo(s *scope, results []engine.Result) []foreignObject {
	known := map[string]client.Object{}
	for _, policy := range s.subject.World.Policies {
		if policy.Labels[hipaav1.LabelManagedBy] != hipaav1.ManagedByValue {
			known[control.Policies.String()+"/"+policy.Name] = policy
		}
	}
	for _, slice := range s.subject.World.Slices {
		known[control.Slices.String()+"/"+slice.Name] = slice
	}
	var found []foreignObject
	for _, result := range results {
		if result.Mode == hipaav1.ModeOff {
			continue
		}
		for _, v := range result.Violations {
			object, foreign := known[v.Object]
			if !foreign || v.Verdict != hipaav1.VerdictFail || v.ExceptedBy != "" {
				continue
			}
			delete(known, v.Object)
			kind, _, _ := strings.Cut(v.Object, "/")
			found = append(found, foreignObject{
				Foreign:   repair.Foreign{ControlID: result.ID, Object: object, Path: v.Path, Was: v.Message},
				kind:      kind,
				removable: kind == control.Policies.String() && result.Mode == hipaav1.ModeEnforce && s.workload.Spec.Continuity != hipaav1.ContinuityPatientCare,
			})
		}
	}
	return found
}

// foreign takes an object away unless care depends on somebody whom it concerns.
func (r *Reconciler) foreign(ctx context.Context, s *scope, f foreignObject) (*repair.Drift, error) {
	f.Remove = f.removable
	if f.Remove {
		concerned, err := r.concernsPatientCare(ctx, s, f)
		if err != nil {
			return nil, err
		}
		f.Remove = !concerned
	}
	found, err := r.Corrector.RemoveForeign(ctx, f.Foreign)
	if err != nil {
		return found, fmt.Errorf("removing %s %q: %w", f.kind, f.Object.GetName(), err)
	}
	return found, nil
}

// concernsPatientCare reports whether the object stands against a workload of
// the namespace on which care depends: cutting its flows is for people.
func (r *Reconciler) concernsPatientCare(ctx context.Context, s *scope, f foreignObject) (bool, error) {
	for _, other := range s.scene.Workloads {
		if other.Spec.Continuity != hipaav1.ContinuityPatientCare || other.Name == s.workload.Name {
			continue
		}
		effective, err := r.Engine.Resolve(s.scene.Profiles, s.scene.Namespace, profileRef(other), s.now)
		if err != nil {
			return false, fmt.Errorf("resolving the profiles of workload %q: %w", other.Name, err)
		}
		its, err := r.Loader.Subject(ctx, s.scene, other, r.Engine.LiveEvidence())
		if err != nil {
			return false, fmt.Errorf("reading the subject of workload %q: %w", other.Name, err)
		}
		its.Profile = effective.Parameters
		ruling := engine.Ruling{Effective: effective, Stage: hipaav1.StageEnforced, Exceptions: s.scene.Exceptions, Now: s.now}
		for _, result := range r.Engine.Judge(its, ruling) {
			if slices.ContainsFunc(result.Violations, func(v engine.Violation) bool { return v.Object == f.kind+"/"+f.Object.GetName() }) {
				return true, nil
			}
		}
		if len(its.World.Missing) > 0 {
			return true, nil // who cannot be asked may be concerned
		}
	}
	return false, nil
}

// kindOf is the kind of a typed object; the scheme knows all that controls own.
func (r *Reconciler) kindOf(object client.Object) string {
	gvk, err := apiutil.GVKForObject(object, r.Client.Scheme())
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return gvk.Kind
}
