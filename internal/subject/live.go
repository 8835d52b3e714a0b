package subject

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Subject builds the live subject of a workload, or of the namespace where w is
// nil: its pods, what exposes them, and the evidence asked for. The profile is
// the caller's to add. Sources of evidence that cannot be read stand in
// World.Missing; an error means that not even the pods could be read.
func (l *Loader) Subject(ctx context.Context, sc *Scene, w *hipaav1.PHIWorkload, needs control.Evidence) (control.Subject, error) {
	world := l.newWorld(sc)
	subject := control.Subject{Namespace: sc.Namespace, Workload: w, World: world.World}
	if err := l.pods(ctx, world, w); err != nil {
		return subject, err
	}
	if err := l.exposing(ctx, world, sc.Namespace.Name, w); err != nil {
		return subject, err
	}
	if needs.Has(control.StorageChain) {
		world.note(control.StorageChain, l.chains(ctx, world, sc.Namespace.Name))
	}
	if needs.Has(control.NetworkPolicies) {
		world.note(control.NetworkPolicies, l.networkPolicies(ctx, world, sc.Namespace.Name))
	}
	if needs.Has(control.FlowPeers) {
		world.note(control.FlowPeers, l.flowPeers(ctx, world, workloadsOf(sc, w)))
		world.noteAbsent(w)
	}
	if needs.Has(control.Proxies) {
		world.note(control.Proxies, l.proxy(ctx, world))
		world.note(control.Proxies, l.parties(ctx, world, w))
	}
	l.surroundings(ctx, sc, world, w, needs)
	return subject, nil
}

// surroundings reads what more is asked for than storage and network.
func (l *Loader) surroundings(ctx context.Context, sc *Scene, world *world, w *hipaav1.PHIWorkload, needs control.Evidence) {
	if needs.Has(control.Routes) {
		world.note(control.Routes, l.routes(ctx, world, sc.Namespace.Name, w))
	}
	if needs.Has(control.Access) {
		world.note(control.Access, l.access(ctx, world, sc.Namespace.Name))
	}
	if needs.Has(control.Identities) {
		world.note(control.Identities, l.identities(ctx, sc, &control.Subject{Workload: w, World: world.World}, world.Pods...))
	}
	if needs.Has(control.Vendors) {
		world.note(control.Vendors, l.vendors(ctx, world, w, l.cached))
		if l.Egress != nil {
			world.Egress = l.Egress()
		}
	}
	if needs.Has(control.Settings) {
		world.note(control.Settings, l.settings(ctx, world, sc.Namespace.Name, world.Pods...))
	}
	if needs.Has(control.Infrastructure) {
		world.note(control.Infrastructure, l.infrastructure(world, sc.Namespace.Name))
	}
	if needs.Has(control.Reports) {
		world.note(control.Reports, l.reports(ctx, world, sc.Namespace.Name))
	}
	if needs.Has(control.SecretsAtRest) && l.Secrets != nil {
		world.Secrets = l.Secrets()
	}
	if needs.Has(control.IsolationProof) && l.Isolation != nil {
		world.Isolation = l.Isolation()
	}
	if needs.Has(control.Nodes) {
		world.note(control.Nodes, l.nodes(ctx, world))
	}
	if needs.Has(control.Agents) {
		world.note(control.Agents, l.agents(ctx, world))
	}
}

// pods reads the workload's pods that have not finished.
func (l *Loader) pods(ctx context.Context, world *world, w *hipaav1.PHIWorkload) error {
	if w == nil {
		return nil
	}
	var err error
	world.Pods, err = l.podsOf(ctx, w)
	return err
}

// podsOf are the pods of a workload that have not finished, sorted by name. Finished
// pods hold no open door and no process.
func (l *Loader) podsOf(ctx context.Context, w *hipaav1.PHIWorkload) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(&w.Spec.Selector)
	if err != nil {
		return nil, nil //nolint:nilerr // the API server lets no such selector in; nothing is selected
	}
	var pods corev1.PodList
	if err := l.list(ctx, w.Namespace, &pods, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sortedByName(pointers(pods.Items)), Finished), nil
}

// Finished reports whether a pod has run to its end.
func Finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func (l *Loader) chains(ctx context.Context, world *world, namespace string) error {
	chain := storageChain{loader: l, world: world}
	for _, pod := range world.Pods {
		if err := chain.pod(ctx, namespace, pod); err != nil {
			return err
		}
	}
	return nil
}

// exposing reads the Services that lead to the workload, those without a
// selector, and EndpointSlices that no controller of the cluster keeps.
func (l *Loader) exposing(ctx context.Context, world *world, namespace string, w *hipaav1.PHIWorkload) error {
	var services corev1.ServiceList
	if err := l.list(ctx, namespace, &services); err != nil {
		return err
	}
	selecting := map[string]bool{}
	for _, service := range sortedByName(pointers(services.Items)) {
		selecting[service.Name] = len(service.Spec.Selector) > 0
		if len(service.Spec.Selector) == 0 || leadsTo(service, world.Pods, w) {
			world.Exposing = append(world.Exposing, service)
		}
	}
	var endpoints discoveryv1.EndpointSliceList
	if err := l.list(ctx, namespace, &endpoints); err != nil {
		return err
	}
	for _, slice := range sortedByName(pointers(endpoints.Items)) {
		if !keptByController(slice, selecting) {
			world.Slices = append(world.Slices, slice)
		}
	}
	return nil
}

func leadsTo(service *corev1.Service, pods []*corev1.Pod, w *hipaav1.PHIWorkload) bool {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return w != nil && selector.Matches(labels.Set(w.Spec.Selector.MatchLabels))
}

// EndpointSliceController is the value of endpointslice.kubernetes.io/managed-by
// on what the cluster's own controller keeps. Whoever forges it on a slice of a
// Service with a selector has the slice put right by that controller; on any
// other Service the controller does not look, so the label counts for nothing.
const EndpointSliceController = "endpointslice-controller.k8s.io"

func keptByController(slice *discoveryv1.EndpointSlice, selecting map[string]bool) bool {
	return slice.Labels[discoveryv1.LabelManagedBy] == EndpointSliceController &&
		selecting[slice.Labels[discoveryv1.LabelServiceName]]
}
