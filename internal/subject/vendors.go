package subject

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// vendors reads the vendors that a workload's flows name. One that does not exist stays
// absent. At admission it may have been declared together with the workload, so that the
// cache alone does not tell; live the watch does.
func (l *Loader) vendors(ctx context.Context, w *world, workload *hipaav1.PHIWorkload, read func(context.Context, types.NamespacedName, client.Object) (bool, error)) error {
	for _, name := range VendorsOf(workload) {
		vendor := &hipaav1.Vendor{}
		found, err := read(ctx, types.NamespacedName{Name: name}, vendor)
		if err != nil {
			return err
		}
		if found {
			w.Vendors[name] = vendor
		}
	}
	return nil
}

// VendorsOf names the vendors that the flows of a workload lead to, in their order; nil
// has none.
func VendorsOf(workload *hipaav1.PHIWorkload) []string {
	if workload == nil || workload.Spec.Egress == nil {
		return nil
	}
	var names []string
	for i := range workload.Spec.Egress.To {
		if vendor := workload.Spec.Egress.To[i].Vendor; vendor != nil {
			names = append(names, vendor.Name)
		}
	}
	return names
}
