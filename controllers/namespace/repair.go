package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// repair holds what the namespace owns to what the profiles want.
func (r *Reconciler) repair(ctx context.Context, s *scope) error {
	ruling := engine.Ruling{
		Effective: s.effective, Stage: s.stage(), Entered: s.scene.Entered(nil), Exceptions: s.scene.Exceptions, Now: s.now,
	}
	s.owned, _ = r.Engine.Owned(s.subject, ruling)
	var err error
	s.drift, err = r.Corrector.Correct(ctx, repair.Order{
		Namespace: s.namespace.Name, Owned: s.owned, Settled: r.settled(s),
		Prune: ruling.MayPrune(s.subject.World),
	})
	if len(s.effective.Paused) == 0 {
		err = errors.Join(err, r.strays(ctx, s))
	}
	if err != nil {
		return fmt.Errorf("repairing: %w", err)
	}
	s.looked = true
	return nil
}

// settled are the controls whose objects must have been there before: some
// workload of the namespace has been enforced, and the last pass did not let the
// namespace wait.
func (r *Reconciler) settled(s *scope) map[string]bool {
	told, _ := r.standing.of(s.namespace.Name)
	controls := map[string]bool{}
	for _, w := range s.scene.Workloads {
		if w.Status.Stage != hipaav1.StageEnforced {
			continue
		}
		for _, o := range s.owned {
			controls[o.ControlID] = o.Enforce && !told[waits(o.ControlID)]
		}
	}
	return controls
}

// strays removes what is labelled as kept for a workload that does not exist:
// left over after somebody took the workload's finalizer away, or borrowed. What
// the cache does not know, the API server is asked.
func (r *Reconciler) strays(ctx context.Context, s *scope) error {
	owned, err := repair.Owned(ctx, r.Client, s.namespace.Name)
	if err != nil {
		return fmt.Errorf("looking for strays: %w", err)
	}
	exists := map[string]bool{"": true}
	for _, w := range s.scene.Workloads {
		exists[w.Name] = true
	}
	for _, object := range owned {
		name := object.GetLabels()[hipaav1.LabelWorkload]
		if _, asked := exists[name]; !asked {
			err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.namespace.Name, Name: name}, &hipaav1.PHIWorkload{})
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("looking for workload %q: %w", name, err)
			}
			exists[name] = err == nil
		}
		if exists[name] {
			continue
		}
		gone, err := r.Corrector.RemoveStray(ctx, object)
		if err != nil {
			return fmt.Errorf("removing what is left of workload %q: %w", name, err)
		}
		s.strays = s.strays || !gone
	}
	return nil
}

// leave removes what is kept for a namespace that people no longer declare to
// hold PHI. Its workloads go first: each keeps its own until its pods are gone,
// and the namespace stays closed around them.
func (r *Reconciler) leave(ctx context.Context, s *scope) error {
	owned, err := repair.Owned(ctx, r.Client, s.namespace.Name)
	if err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	if len(owned) == 0 || slices.ContainsFunc(owned, isOfEgress) {
		return nil
	}
	var workloads hipaav1.PHIWorkloadList
	if err := r.Live.List(ctx, &workloads, client.InNamespace(s.namespace.Name), client.Limit(1)); err != nil {
		return fmt.Errorf("leaving: listing workloads: %w", err)
	}
	if len(workloads.Items) > 0 {
		return nil // the watch on PHIWorkloads tells when the last has gone
	}
	names := []string{""} // what is kept for the namespace itself goes first
	for _, object := range owned {
		names = append(names, object.GetLabels()[hipaav1.LabelWorkload])
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := r.Corrector.RemoveOwned(ctx, s.namespace.Name, name); err != nil {
			return fmt.Errorf("leaving: %w", err)
		}
	}
	return nil
}

// isOfEgress reports whether an object is what phi-egress goes by, or the policy that lets
// it out: the operator's own namespace keeps them and holds no PHI.
func isOfEgress(object client.Object) bool {
	return (object.GetName() == control.EgressName || object.GetName() == gate.PolicyName) &&
		labels.SelectorFromSet(control.EgressLabels()).Matches(labels.Set(object.GetLabels()))
}
