package control

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

// RoleKind is how a binding names a Role of its own namespace.
const RoleKind = "Role"

// DefaultServiceAccount is what a pod runs under that names none.
const DefaultServiceAccount = "default"

// ServiceAccountOf is the ServiceAccount that a pod runs under.
func ServiceAccountOf(pod *corev1.Pod) string {
	return cmp.Or(pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount, DefaultServiceAccount)
}
