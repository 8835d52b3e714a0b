package control

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// RoleKind is how a binding names a Role of its own namespace.
const RoleKind = "Role"

// DefaultServiceAccount is what a pod runs under that names none.
const DefaultServiceAccount = "default"

// AccountNamespace is the namespace whose ServiceAccounts a subject of a binding stands
// for, one of them or all; empty for anybody else.
func AccountNamespace(s *rbacv1.Subject) string {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Namespace
	case rbacv1.GroupKind:
		if namespace, of := strings.CutPrefix(s.Name, "system:serviceaccounts:"); of {
			return namespace
		}
	case rbacv1.UserKind:
		account, of := strings.CutPrefix(s.Name, "system:serviceaccount:")
		namespace, _, named := strings.Cut(account, ":")
		if of && named {
			return namespace
		}
	}
	return ""
}

// ServiceAccountOf is the ServiceAccount that a pod runs under.
func ServiceAccountOf(pod *corev1.Pod) string {
	return cmp.Or(pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount, DefaultServiceAccount)
}
