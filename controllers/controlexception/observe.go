package controlexception

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads;complianceprofiles,verbs=get;list;watch

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// observe looks whether the workload exists, and which one of that name it is, what
// the profiles allow, and whether one brings the control.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.exception.Namespace, Name: s.exception.Spec.WorkloadRef.Name}
	w := &hipaav1.PHIWorkload{}
	err := r.Client.Get(ctx, key, w)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading workload %q: %w", key.Name, err)
	}
	if err != nil {
		w = nil // the rules of the namespace
	} else {
		s.workload = w.UID
	}
	var profiles hipaav1.ComplianceProfileList
	if err := r.Client.List(ctx, &profiles, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	all := make([]*hipaav1.ComplianceProfile, len(profiles.Items))
	for i := range profiles.Items {
		all[i] = &profiles.Items[i]
	}
	s.brought = engine.Brings(all, s.exception.Spec.ControlID)
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: s.exception.Namespace}, namespace); err != nil {
		return fmt.Errorf("reading namespace %q: %w", s.exception.Namespace, err)
	}
	s.effective, err = r.Engine.Resolve(all, namespace, w, s.now)
	if errors.Is(err, engine.ErrNoProfile) {
		s.effective, err = r.Engine.Ungoverned(), nil
	}
	if err != nil {
		return fmt.Errorf("resolving the profiles: %w", err)
	}
	s.observed = true
	return nil
}
