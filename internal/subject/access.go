package subject

import (
	"cmp"
	"context"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// access reads who may do what in a namespace: its Roles and bindings, the bindings
// of the whole cluster, and the ClusterRoles that any of them names. A ClusterRole
// that does not exist stays absent, and grants nothing.
func (l *Loader) access(ctx context.Context, w *world, namespace string) error {
	var roles rbacv1.RoleList
	if err := l.list(ctx, namespace, &roles); err != nil {
		return err
	}
	w.Roles = sortedByName(pointers(roles.Items))
	var bindings rbacv1.RoleBindingList
	if err := l.list(ctx, namespace, &bindings); err != nil {
		return err
	}
	w.Bindings = sortedByName(pointers(bindings.Items))
	var everywhere rbacv1.ClusterRoleBindingList
	if err := l.list(ctx, "", &everywhere); err != nil {
		return err
	}
	w.ClusterBindings = sortedByName(pointers(everywhere.Items))
	if err := l.granted(ctx, w, w.Bindings...); err != nil {
		return err
	}
	for _, b := range w.Bindings {
		if err := l.clusterRole(ctx, w, b.RoleRef); err != nil {
			return err
		}
	}
	for _, b := range w.ClusterBindings {
		if err := l.clusterRole(ctx, w, b.RoleRef); err != nil {
			return err
		}
	}
	return nil
}

// granted reads of which environments those are to whom bindings grant something.
func (l *Loader) granted(ctx context.Context, w *world, bindings ...*rbacv1.RoleBinding) error {
	for _, b := range bindings {
		for i := range b.Subjects {
			if namespace := control.AccountNamespace(&b.Subjects[i]); namespace != "" && namespace != b.Namespace {
				if err := l.environments(ctx, w, namespace); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// environments reads what PHIWorkloads of a namespace state.
func (l *Loader) environments(ctx context.Context, w *world, namespace string) error {
	if _, known := w.Environments[namespace]; known {
		return nil
	}
	var workloads hipaav1.PHIWorkloadList
	if err := l.list(ctx, namespace, &workloads); err != nil {
		return err
	}
	var stated []hipaav1.Environment
	for i := range workloads.Items {
		if workload := &workloads.Items[i]; !Released(workload) {
			stated = append(stated, cmp.Or(workload.Spec.Environment, hipaav1.EnvironmentProduction))
		}
	}
	if slices.Sort(stated); len(stated) > 0 {
		w.Environments[namespace] = slices.Compact(stated)
	}
	return nil
}

// boundTo reads what a binding under review names.
func (l *Loader) boundTo(ctx context.Context, w *world, b *rbacv1.RoleBinding) error {
	if err := l.granted(ctx, w, b); err != nil {
		return err
	}
	if b.RoleRef.Kind != control.RoleKind {
		return l.clusterRole(ctx, w, b.RoleRef)
	}
	role := &rbacv1.Role{}
	found, err := l.get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.RoleRef.Name}, role)
	if found {
		w.Roles = append(w.Roles, role)
	}
	return err
}

func (l *Loader) clusterRole(ctx context.Context, w *world, ref rbacv1.RoleRef) error {
	if ref.Kind == control.RoleKind || w.ClusterRoles[ref.Name] != nil {
		return nil
	}
	role := &rbacv1.ClusterRole{}
	found, err := l.cached(ctx, types.NamespacedName{Name: ref.Name}, role)
	if found {
		w.ClusterRoles[ref.Name] = role
	}
	return err
}
