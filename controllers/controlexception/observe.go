package controlexception

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads;complianceprofiles,verbs=get;list;watch

// observe looks whether the workload exists, and which one of that name it is, and
// whether a profile brings the control.
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
	var profiles hipaav1.ComplianceProfileList
	if err := r.Client.List(ctx, &profiles, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	for i := range profiles.Items {
		s.brought = s.brought || engine.Brings([]*hipaav1.ComplianceProfile{&profiles.Items[i]}, s.exception.Spec.ControlID)
	}
	s.observed = true
	return nil
}
