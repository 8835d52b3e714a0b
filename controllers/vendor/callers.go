package vendor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads,verbs=get;list;watch

// callersOf are the workloads whose declarations name a vendor, sorted: whom it concerns
// when calls are closed.
func (r *Reconciler) callersOf(ctx context.Context, vendor string) ([]hipaav1.VendorCaller, error) {
	var workloads hipaav1.PHIWorkloadList
	if err := r.Client.List(ctx, &workloads, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing who calls vendor %q: %w", vendor, err)
	}
	var callers []hipaav1.VendorCaller
	for i := range workloads.Items {
		if w := &workloads.Items[i]; gate.Names(w, vendor) {
			callers = append(callers, hipaav1.VendorCaller{Namespace: w.Namespace, Name: w.Name, Continuity: w.Spec.Continuity})
		}
	}
	slices.SortFunc(callers, func(x, y hipaav1.VendorCaller) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return callers, nil
}
