package egress

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=vendors;phiworkloads;complianceprofiles,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes;namespaces;pods;services,verbs=get;list;watch

// observe reads who may call whom, and how phi-egress stands.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	proxy, err := r.Loader.OperatorsProxy(ctx)
	if err != nil {
		// The issuer has published no roots yet; it is told when it has.
		return fmt.Errorf("%w: %w", sealing.ErrNoCertificate, err)
	}
	if proxy == nil {
		return nil
	}
	service := &corev1.Service{}
	err = r.Loader.Cache.Get(ctx, client.ObjectKey{Namespace: proxy.IssuerNamespace, Name: control.EgressName}, service)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the Service of phi-egress: %w", err)
	}
	s.service, s.world = service, &gate.World{Proxy: proxy, Now: s.now}
	if s.world.Resolvers, err = r.Loader.DiscoveredResolvers(ctx); err != nil {
		return fmt.Errorf("reading where names are resolved: %w", err)
	}
	if err := r.callers(ctx, s.world); err != nil {
		return err
	}
	return r.pods(ctx, s)
}

// callers reads vendors, the workloads that may name them, and the cluster's nodes.
func (r *Reconciler) callers(ctx context.Context, w *gate.World) error {
	var (
		vendors    hipaav1.VendorList
		workloads  hipaav1.PHIWorkloadList
		namespaces corev1.NamespaceList
		nodes      corev1.NodeList
	)
	for _, list := range []client.ObjectList{&vendors, &workloads, &nodes} {
		if err := r.Loader.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing who may call whom: %w", err)
		}
	}
	if err := r.Loader.Cache.List(ctx, &namespaces, client.MatchingLabels{hipaav1.LabelPHI: hipaav1.LabelPHIValue}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing the PHI namespaces: %w", err)
	}
	phi := map[string]*corev1.Namespace{}
	for i := range namespaces.Items {
		phi[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	for i := range workloads.Items {
		if workload := &workloads.Items[i]; phi[workload.Namespace] != nil && !subject.Released(workload) {
			w.Workloads = append(w.Workloads, workload)
		}
	}
	for i := range vendors.Items {
		w.Vendors = append(w.Vendors, &vendors.Items[i])
	}
	for i := range nodes.Items {
		w.Nodes = append(w.Nodes, &nodes.Items[i])
	}
	return r.profiles(ctx, w, phi)
}

// profiles finds what callers are judged by. One whose namespace nobody governs says nothing.
func (r *Reconciler) profiles(ctx context.Context, w *gate.World, phi map[string]*corev1.Namespace) error {
	var list hipaav1.ComplianceProfileList
	if err := r.Loader.Cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	all := make([]*hipaav1.ComplianceProfile, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	for _, workload := range w.Workloads {
		if len(subject.VendorsOf(workload)) == 0 {
			continue
		}
		effective, err := r.Engine.Resolve(all, phi[workload.Namespace], workload, w.Now)
		if errors.Is(err, engine.ErrNoProfile) {
			continue
		}
		if err != nil {
			return fmt.Errorf("resolving the profiles of %s: %w", client.ObjectKeyFromObject(workload), err)
		}
		w.Profiles = append(w.Profiles, effective.Parameters)
	}
	return nil
}

// pods counts those that take calls.
func (r *Reconciler) pods(ctx context.Context, s *scope) error {
	var pods corev1.PodList
	err := r.Loader.Cache.List(ctx, &pods, client.InNamespace(s.service.Namespace), client.MatchingLabels(control.EgressLabels()), client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("listing the pods of phi-egress: %w", err)
	}
	for i := range pods.Items {
		if control.IsReady(&pods.Items[i]) {
			s.ready++
		}
	}
	return nil
}
