package controlexception

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads,verbs=get;list;watch

// observe looks whether the workload exists, and which one of that name it is.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.exception.Namespace, Name: s.exception.Spec.WorkloadRef.Name}
	w := &hipaav1.PHIWorkload{}
	err := r.Client.Get(ctx, key, w)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading workload %q: %w", key.Name, err)
	}
	if err == nil {
		s.workload = w.UID
	}
	s.observed = true
	return nil
}
