package rights

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Names that the API server gives, and nobody else may use.
const (
	system        = "system:"
	accounts      = "system:serviceaccounts"
	accountPrefix = "system:serviceaccount:"
	// Masters is the group that passes every check of RBAC, whatever is bound.
	Masters = "system:masters"
)

// Crowd says for whom a subject of a binding stands that nobody can list; empty is
// for somebody in particular.
func Crowd(s *rbacv1.Subject) string {
	switch {
	case s.Kind == rbacv1.GroupKind && s.Name == "system:authenticated":
		return "everybody whom the API server knows"
	case s.Kind == rbacv1.GroupKind && s.Name == "system:unauthenticated", s.Kind == rbacv1.UserKind && s.Name == "system:anonymous":
		return "everybody, without a name"
	case s.Kind == rbacv1.GroupKind && s.Name == accounts:
		return "every ServiceAccount of the cluster"
	case s.Kind == rbacv1.GroupKind && strings.HasPrefix(s.Name, accounts+":"):
		return "every ServiceAccount of a namespace"
	default:
		return ""
	}
}

// Own reports whether a subject is one of Kubernetes' own components or groups: a
// name that no identity provider can give. ServiceAccounts, and Masters, are not.
func Own(s *rbacv1.Subject) bool {
	return s.Kind != rbacv1.ServiceAccountKind && strings.HasPrefix(s.Name, system) && s.Name != Masters &&
		!strings.HasPrefix(s.Name, accountPrefix) && Crowd(s) == ""
}

// Machine reports whether a subject is a ServiceAccount, or all of some.
func Machine(s *rbacv1.Subject) bool {
	return s.Kind == rbacv1.ServiceAccountKind || strings.HasPrefix(s.Name, accountPrefix) ||
		s.Name == accounts || strings.HasPrefix(s.Name, accounts+":")
}
