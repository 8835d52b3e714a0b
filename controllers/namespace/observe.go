package namespace

import (
	"context"
	"errors"
	"fmt"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles;phiworkloads,verbs=get;list;watch

// observe reads the namespace's world.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	var err error
	if s.scene, err = r.Loader.Scene(ctx, s.namespace.Name); err != nil {
		return fmt.Errorf("reading the scene: %w", err)
	}
	if err := r.count(ctx, s); err != nil {
		return err
	}
	s.effective, err = r.Engine.Resolve(s.scene.Profiles, s.scene.Namespace, nil, s.now)
	if errors.Is(err, engine.ErrNoProfile) {
		return outcome.Blocked(hipaav1.ReasonNoProfile, fmt.Errorf("no ComplianceProfile governs namespace %q: its pods are refused until one does", s.namespace.Name))
	}
	if err != nil {
		return fmt.Errorf("resolving the profiles: %w", err)
	}
	if s.subject, err = r.Loader.Subject(ctx, s.scene, nil, r.Engine.LiveEvidence()); err != nil {
		return fmt.Errorf("reading the subject: %w", err)
	}
	s.subject = s.subject.Under(s.effective.Parameters)
	if s.effective.Enforces() && !s.effective.Overdue(s.now) {
		if s.unclaimed, err = r.Loader.Unclaimed(ctx, s.scene); err != nil {
			return fmt.Errorf("looking for pods that nobody claims: %w", err)
		}
	}
	return nil
}
