package admission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

var (
	ingressKind  = networkingv1.SchemeGroupVersion.WithKind("Ingress")
	roleKind     = rbacv1.SchemeGroupVersion.WithKind("Role")
	settingsKind = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	secretKind   = corev1.SchemeGroupVersion.WithKind("Secret")
	bindingKind  = rbacv1.SchemeGroupVersion.WithKind("RoleBinding")
)

// validateAccess judges Roles and RoleBindings under the rules of every workload:
// what they grant, they grant in the whole namespace.
func (g *Gate) validateAccess(ctx context.Context, req admission.Request) (answer, error) {
	if gvk(&req) == roleKind {
		return validate(ctx, g, &req, roleKind, judgeForAll[*rbacv1.Role])
	}
	return validate(ctx, g, &req, bindingKind, judgeForAll[*rbacv1.RoleBinding])
}

// validateSettings judges ConfigMaps under the rules of every workload: any pod of
// the namespace may take them.
func (g *Gate) validateSettings(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, settingsKind, judgeForAll[*corev1.ConfigMap])
}

// validateSecret judges new Secrets that hold nothing yet under the rules of every
// workload: any pod of the namespace may take them. Of those that hold something nobody
// asks, so that no content comes here; the backstop judges them.
func (g *Gate) validateSecret(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, secretKind, judgeForAll[*control.Secret])
}

func judgeForAll[P metav1.Object](ctx context.Context, h *hearing, object P) (engine.Decision, error) {
	return h.afresh(ctx, func() (engine.Decision, error) { return h.judge(ctx, h.scene.Workloads, object) })
}

// validateIngress judges Ingresses under the rules of every workload that they may
// lead to.
func (g *Gate) validateIngress(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, ingressKind, func(ctx context.Context, h *hearing, ingress *networkingv1.Ingress) (engine.Decision, error) {
		return h.afresh(ctx, func() (engine.Decision, error) {
			concerned, err := h.routed(ctx, ingress)
			if err != nil {
				return engine.Decision{}, err
			}
			return h.judge(ctx, concerned, ingress)
		})
	})
}

// routed are the workloads that an Ingress leads to by way of Services. Where one
// of those is not there yet, or is none, it may lead to any.
func (h *hearing) routed(ctx context.Context, ingress *networkingv1.Ingress) ([]*hipaav1.PHIWorkload, error) {
	leads := map[*hipaav1.PHIWorkload]bool{}
	for _, backend := range subject.BackendsOf(ingress) {
		if backend.Service == nil {
			return h.scene.Workloads, nil
		}
		name := types.NamespacedName{Namespace: h.scene.Namespace.Name, Name: backend.Service.Name}
		service, found, err := h.gate.Loader.Service(ctx, name)
		if err != nil {
			return nil, err
		}
		if !found {
			return h.scene.Workloads, nil
		}
		for _, w := range h.reachable(service.Spec.Selector) {
			leads[w] = true
		}
	}
	var concerned []*hipaav1.PHIWorkload
	for _, w := range h.scene.Workloads {
		if leads[w] {
			concerned = append(concerned, w)
		}
	}
	return concerned, nil
}
