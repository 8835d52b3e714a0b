package backstop

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=backstops,verbs=get;list;watch;create;patch;delete

// repair writes the parameters where the API server has others. Their content is one
// to server-side apply, so that nothing stays of what somebody added.
func (r *Reconciler) repair(ctx context.Context, s *scope) error {
	want := backstop.Parameters(s.namespace.Name, s.parameters)
	live := &hipaav1.Backstop{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), live)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the backstop's parameters: %w", err)
	}
	if err == nil && hipaav1.IsOwned(live) && equality.Semantic.DeepEqual(live.Spec, want.Spec) {
		return nil
	}
	untyped, err := apply.Untyped(want, r.Client.Scheme())
	if err != nil {
		return err
	}
	if _, err := apply.Object(ctx, r.Client, untyped); err != nil {
		return err
	}
	log.FromContext(ctx).Info("Wrote the backstop's parameters", "namespace", klog.KObj(s.namespace))
	return nil
}

// leave takes the parameters away from a namespace that people no longer declare to
// hold PHI: the policy does not look there.
func (r *Reconciler) leave(ctx context.Context, s *scope) error {
	live := &hipaav1.Backstop{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.namespace.Name, Name: hipaav1.BackstopName}, live)
	if err != nil || !hipaav1.IsOwned(live) {
		return client.IgnoreNotFound(err)
	}
	if err := r.Client.Delete(ctx, live); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the backstop's parameters: %w", err)
	}
	return nil
}
