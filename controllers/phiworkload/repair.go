package phiworkload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
	sealed, sealErr := r.seal(ctx, s)
	drift, err := r.Corrector.Correct(ctx, repair.Order{
		Namespace: s.workload.Namespace, Workload: s.workload.Name,
		Owned: sealed.owned, Settled: settled(s.workload), Prune: sealed.whole && !s.outlived() && s.ruling.MayPrune(s.subject.World),
	})
	errs := []error{err, sealErr}
	s.drift = drift
	if err == nil {
		s.sealed, s.asks = sealed.generation, sealed.asks // it stands now
	}
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
	s.resolvers = r.resolvers(ctx, s)
	return nil
}

// resolvers asks who took away what departed and does so no more.
func (r *Reconciler) resolvers(ctx context.Context, s *scope) map[string]string {
	resolvers := map[string]string{}
	for _, d := range traceOf(s, metav1.NewTime(s.now)).gone {
		kind, name, _ := strings.Cut(d.Object, "/")
		resolvers[d.Object] = r.Corrector.Resolver(ctx, kind, types.NamespacedName{Namespace: s.workload.Namespace, Name: name}, d.Time.Time)
	}
	return resolvers
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

// foreignObject is somebody else's object that stands against the workload.
type foreignObject struct {
	repair.Foreign
	kind string
	// removable says that the mode lets the operator take such an object away.
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
				removable: result.Mode == hipaav1.ModeEnforce,
			})
		}
	}
	return found
}

// foreign takes an object away unless somebody lives on it.
func (r *Reconciler) foreign(ctx context.Context, s *scope, f foreignObject) (*repair.Drift, error) {
	var err error
	if f.Remove, err = r.mayRemove(ctx, s, f); err != nil {
		return nil, err
	}
	found, err := r.Corrector.RemoveForeign(ctx, f.Foreign)
	if err != nil {
		return found, fmt.Errorf("removing %s %q: %w", f.kind, f.Object.GetName(), err)
	}
	return found, nil
}

// heldRecheck is when a policy is looked at again that another workload holds.
const heldRecheck = 30 * time.Second

// mayRemove reports whether taking a policy away cuts nothing that the operator
// must not cut by itself: flows of a workload that is still Previewing and has no
// policy of its own yet, or of live pods of one that is PatientCare. What the
// policy opens for such a workload may be just what it declares, so no finding
// need stand. Without live pods there is nothing to cut yet: whoever opens a
// workload before its first pod starts gains nothing.
func (r *Reconciler) mayRemove(ctx context.Context, s *scope, f foreignObject) (bool, error) {
	policy, is := f.Object.(*networkingv1.NetworkPolicy)
	if !is || !f.removable {
		return false, nil
	}
	for _, w := range s.scene.Workloads {
		if disjoint(&policy.Spec.PodSelector, &w.Spec.Selector) {
			continue
		}
		held := w.Name != s.workload.Name && s.scene.Stage(w) == hipaav1.StagePreviewing
		if !held && w.Spec.Continuity == hipaav1.ContinuityPatientCare {
			pods, err := repair.LivePods(ctx, r.Live, w)
			if err != nil {
				return false, err
			}
			held = len(pods) > 0
		}
		if held {
			s.endsAt(s.now.Add(heldRecheck)) // nothing tells this workload when that changes
			return false, nil
		}
	}
	return true, nil
}

// kindOf is the kind of a typed object; the scheme knows all that controls own.
func (r *Reconciler) kindOf(object client.Object) string {
	gvk, err := apiutil.GVKForObject(object, r.Client.Scheme())
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return gvk.Kind
}
