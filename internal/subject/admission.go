package subject

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// AtAdmission builds the subject of an object under review, with the evidence
// that admission asks for. The profile is the caller's to add. What cannot be
// read stands in World.Missing.
func (l *Loader) AtAdmission(ctx context.Context, sc *Scene, w *hipaav1.PHIWorkload, object metav1.Object, needs control.Evidence) control.Subject {
	world := l.newWorld(sc)
	if needs.Has(control.StorageChain) {
		chain := storageChain{loader: l, world: world}
		world.note(control.StorageChain, chain.of(ctx, sc.Namespace.Name, object))
	}
	if needs.Has(control.FlowPeers) {
		world.note(control.FlowPeers, l.flowPeers(ctx, world, workloadsOf(sc, w)))
	}
	if needs.Has(control.Vendors) {
		world.note(control.Vendors, l.vendors(ctx, world, w, l.get))
	}
	if needs.Has(control.Proxies) {
		world.note(control.Proxies, l.proxy(ctx, world))
	}
	if needs.Has(control.NetworkPolicies) {
		world.note(control.NetworkPolicies, l.networkPolicies(ctx, world, sc.Namespace.Name))
	}
	if binding, is := object.(*rbacv1.RoleBinding); is && needs.Has(control.Access) {
		world.note(control.Access, l.boundTo(ctx, world, binding))
	}
	if resource, is := object.(*unstructured.Unstructured); is {
		c := crossing{loader: l, scene: sc, world: world}
		c.aroundRoute(ctx, w, resource, needs)
	}
	if secret, is := object.(*control.Secret); is && needs.Has(control.Access) {
		if _, from := secret.CopiedFrom(); from != "" {
			world.note(control.Access, l.environments(ctx, world, from))
		}
	}
	if pod, is := object.(*corev1.Pod); is {
		l.aroundPod(ctx, sc, world, pod, needs)
		if needs.Has(control.Identities) {
			world.note(control.Identities, l.identities(ctx, sc, &control.Subject{Workload: w, World: world.World}, pod))
		}
	}
	subject := control.Subject{Namespace: sc.Namespace, Workload: w, World: world.World}
	return subject.Of(object)
}

func (l *Loader) aroundPod(ctx context.Context, sc *Scene, world *world, pod *corev1.Pod, needs control.Evidence) {
	if needs.Has(control.Settings) {
		world.note(control.Settings, l.settings(ctx, world, sc.Namespace.Name, pod))
	}
}

// workloadsOf are the workloads whose flows matter to a subject: its own, or all
// of the namespace where no workload claims the object.
func workloadsOf(sc *Scene, w *hipaav1.PHIWorkload) []*hipaav1.PHIWorkload {
	if w != nil {
		return []*hipaav1.PHIWorkload{w}
	}
	return sc.Workloads
}

// of reads the chain behind a pod's volumes, or behind a claim.
func (c *storageChain) of(ctx context.Context, namespace string, object metav1.Object) error {
	switch o := object.(type) {
	case *corev1.Pod:
		return c.pod(ctx, namespace, o)
	case *corev1.PersistentVolumeClaim:
		return c.behind(ctx, o)
	default:
		return nil
	}
}
