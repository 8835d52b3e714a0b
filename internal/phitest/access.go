package phitest

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// RoleBuilder builds a Role.
type RoleBuilder struct{ role rbacv1.Role }

// Role grants nothing yet.
func Role(name string) *RoleBuilder {
	return &RoleBuilder{rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace}}}
}

// Namespace moves it to another namespace.
func (b *RoleBuilder) Namespace(name string) *RoleBuilder {
	b.role.Namespace = name
	return b
}

// Annotate adds annotations.
func (b *RoleBuilder) Annotate(keysAndValues ...string) *RoleBuilder {
	b.role.Annotations = merged(b.role.Annotations, pairs(keysAndValues))
	return b
}

// Allows grants verbs on a resource of an API group.
func (b *RoleBuilder) Allows(group, resource string, verbs ...string) *RoleBuilder {
	b.role.Rules = append(b.role.Rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs})
	return b
}

// Documented states what the Role grants so far, and what for.
func (b *RoleBuilder) Documented() *RoleBuilder {
	b.role.Annotations = merged(b.role.Annotations, RoleStatement(b.role.Rules))
	return b
}

// RoleStatement are the annotations by which people state what rules are for.
func RoleStatement(rules []rbacv1.PolicyRule) map[string]string {
	var resources, verbs []string
	for _, rule := range rules {
		resources, verbs = append(resources, rule.Resources...), append(verbs, rule.Verbs...)
	}
	return map[string]string{
		hipaav1.AnnotationRolePurpose:     "People on call look at what runs.",
		hipaav1.AnnotationRoleDataClasses: string(hipaav1.DataClassClinical),
		hipaav1.AnnotationRoleResources:   strings.Join(resources, ", "),
		hipaav1.AnnotationRoleOperations:  strings.Join(verbs, ", "),
	}
}

// Obj returns the Role.
func (b *RoleBuilder) Obj() *rbacv1.Role { return b.role.DeepCopy() }

// BindingBuilder builds a RoleBinding.
type BindingBuilder struct{ binding rbacv1.RoleBinding }

// Binding binds nobody yet to the Role of its name.
func Binding(name string) *BindingBuilder {
	return &BindingBuilder{rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}}
}

// Namespace moves it to another namespace.
func (b *BindingBuilder) Namespace(name string) *BindingBuilder {
	b.binding.Namespace = name
	return b
}

// ClusterRole binds to a ClusterRole.
func (b *BindingBuilder) ClusterRole(name string) *BindingBuilder {
	b.binding.RoleRef.Kind, b.binding.RoleRef.Name = "ClusterRole", name
	return b
}

// Group binds a group of an identity provider.
func (b *BindingBuilder) Group(name string) *BindingBuilder {
	b.binding.Subjects = append(b.binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name})
	return b
}

// User binds a user.
func (b *BindingBuilder) User(name string) *BindingBuilder {
	b.binding.Subjects = append(b.binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	return b
}

// ServiceAccount binds a ServiceAccount of the namespace.
func (b *BindingBuilder) ServiceAccount(name string) *BindingBuilder {
	b.binding.Subjects = append(b.binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: b.binding.Namespace, Name: name})
	return b
}

// With binds a ServiceAccount of another namespace.
func (b *BindingBuilder) With(namespace, name string) *BindingBuilder {
	b.binding.Subjects = append(b.binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name})
	return b
}

// Obj returns the RoleBinding.
func (b *BindingBuilder) Obj() *rbacv1.RoleBinding { return b.binding.DeepCopy() }

// ClusterRole has rules.
func ClusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
}

// ShippedClusterRole is one that Kubernetes ships.
func ShippedClusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	role := ClusterRole(name, rules...)
	role.Labels = map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}
	return role
}

// ClusterAdmin is the ClusterRole that grants everything.
func ClusterAdmin() *rbacv1.ClusterRole {
	return ShippedClusterRole("cluster-admin",
		rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}})
}

// ClusterBinding binds subjects to a ClusterRole in the whole cluster.
func ClusterBinding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
}

// GroupSubject is a group as bindings name it.
func GroupSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

// UserSubject is a user as bindings name it.
func UserSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// AccountSubject is a ServiceAccount as bindings name it.
func AccountSubject(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}
