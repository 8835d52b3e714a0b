package subject

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// routes reads the Ingresses that lead to a workload, by way of the Services that
// expose it, and what answered when they were dialled; all Ingresses of the namespace
// where there is no workload.
func (l *Loader) routes(ctx context.Context, world *world, namespace string, w *hipaav1.PHIWorkload) error {
	var ingresses networkingv1.IngressList
	if err := l.list(ctx, namespace, &ingresses); err != nil {
		return err
	}
	exposing := world.ExposingNames()
	for _, ingress := range sortedByName(pointers(ingresses.Items)) {
		if w == nil || leadsToAny(ingress, exposing) {
			world.Ingresses = append(world.Ingresses, ingress)
		}
	}
	if w != nil && l.Dials != nil {
		world.Dialled = l.Dials.Dialled(client.ObjectKeyFromObject(w))
	}
	return nil
}

// leadsToAny reports whether an Ingress leads to one of some Services, or to what
// is no Service: where that ends nobody can tell.
func leadsToAny(ingress *networkingv1.Ingress, services map[string]bool) bool {
	for _, backend := range BackendsOf(ingress) {
		if backend.Service == nil || services[backend.Service.Name] {
			return true
		}
	}
	return false
}

// BackendsOf lists where an Ingress leads, the default backend first.
func BackendsOf(ingress *networkingv1.Ingress) []*networkingv1.IngressBackend {
	var backends []*networkingv1.IngressBackend
	if ingress.Spec.DefaultBackend != nil {
		backends = append(backends, ingress.Spec.DefaultBackend)
	}
	for i := range ingress.Spec.Rules {
		if ingress.Spec.Rules[i].HTTP == nil {
			continue
		}
		for j := range ingress.Spec.Rules[i].HTTP.Paths {
			backends = append(backends, &ingress.Spec.Rules[i].HTTP.Paths[j].Backend)
		}
	}
	return backends
}
