package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IsOwned reports whether an object carries the label of what the operator owns.
// The guard of owned objects lets only the operator set it; while the guard is
// away somebody may have borrowed it.
func IsOwned(object metav1.Object) bool {
	return object.GetLabels()[LabelManagedBy] == ManagedByValue
}
