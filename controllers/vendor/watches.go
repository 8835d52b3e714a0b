package vendor

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// SetupWithManager watches Vendors and nothing else: nothing else decides.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	err := ctrl.NewControllerManagedBy(mgr).Named("vendor").WithOptions(options).
		For(&hipaav1.Vendor{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up the vendor controller: %w", err)
	}
	return nil
}
