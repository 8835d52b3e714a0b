package backstop

import (
	"context"
	"errors"
	"fmt"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles;phiworkloads;controlexceptions,verbs=get;list;watch

// observe reads what decides how pods of the namespace are judged.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	var err error
	if s.scene, err = r.Loader.Scene(ctx, s.namespace.Name); err != nil {
		return fmt.Errorf("reading the scene: %w", err)
	}
	effective, err := r.Engine.Resolve(s.scene.Profiles, s.scene.Namespace, nil, s.now)
	if errors.Is(err, engine.ErrNoProfile) {
		return nil // judge says so
	}
	if err != nil {
		return fmt.Errorf("resolving the profiles: %w", err)
	}
	unclaimed, err := r.Loader.Unclaimed(ctx, s.scene)
	if err != nil {
		return fmt.Errorf("looking for pods that nobody claims: %w", err)
	}
	s.unclaimed = len(unclaimed) > 0
	for _, w := range s.scene.Workloads {
		occupied, err := r.Loader.Occupied(ctx, s.scene, w, effective.Undeclared)
		if err != nil {
			return fmt.Errorf("looking for pods that ran before workload %q: %w", w.Name, err)
		}
		if occupied {
			if s.occupied == nil {
				s.occupied = map[string]bool{}
			}
			s.occupied[w.Name] = true
		}
	}
	return nil
}
