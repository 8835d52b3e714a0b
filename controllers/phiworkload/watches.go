package phiworkload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// SetupWithManager watches what a verdict can depend on. A change finds the
// workloads that it concerns by index, and no others.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	m := mapping{cache: mgr.GetCache(), sharing: r.Loader.Reports.Sharing}
	changed := builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})
	b := ctrl.NewControllerManagedBy(mgr).Named("phiworkload").WithOptions(options).
		For(&hipaav1.PHIWorkload{}, builder.WithPredicates(specOrDeletion())).
		Watches(&hipaav1.PHIWorkload{}, m.to(m.peer), builder.WithPredicates(specOrDeletion())).
		Watches(&hipaav1.ComplianceProfile{}, m.to(m.profile), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&hipaav1.ControlException{}, m.to(m.exception), builder.WithPredicates(exceptionMatters())).
		Watches(&hipaav1.Vendor{}, m.to(m.vendor), builder.WithPredicates(vendorMatters())).
		Watches(&corev1.Namespace{}, m.to(m.namespace), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&corev1.Pod{}, m.to(m.pod), builder.WithPredicates(podMatters())).
		Watches(&corev1.Pod{}, m.to(m.podOfPeer), builder.WithPredicates(comesOrGoes())).
		Watches(&corev1.PersistentVolumeClaim{}, m.to(m.claim), changed).
		Watches(&corev1.PersistentVolume{}, m.to(m.volume), changed).
		Watches(&storagev1.StorageClass{}, m.to(m.class), changed).
		Watches(&networkingv1.NetworkPolicy{}, m.to(m.policy), changed).
		Watches(&corev1.Service{}, m.to(m.service), changed).
		Watches(&discoveryv1.EndpointSlice{}, m.to(m.slice), changed).
		Watches(&networkingv1.Ingress{}, m.to(m.namespaced), changed).
		WatchesMetadata(subject.ConfigMapMetadata(), m.to(m.settings), changed).
		WatchesRawSource(source.Kind(r.Owned.ConfigMaps, client.Object(&corev1.ConfigMap{}), m.to(m.keptFor), predicate.ResourceVersionChangedPredicate{})).
		Watches(&rbacv1.Role{}, m.to(m.namespaced), changed).
		Watches(&rbacv1.RoleBinding{}, m.to(m.namespaced), changed).
		Watches(&rbacv1.ClusterRole{}, m.to(m.everywhere), builder.WithPredicates(rulesChanged())).
		Watches(&rbacv1.ClusterRoleBinding{}, m.to(m.everywhere), changed).
		Watches(&corev1.Node{}, m.to(m.node), builder.WithPredicates(nodeMatters())).
		WatchesRawSource(source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			changed := m.resourceTo(ctx, queue)
			return errors.Join(r.Loader.Resources.Start(ctx, changed), r.Loader.Reports.Start(ctx, changed))
		})).
		WatchesRawSource(source.Channel(r.Answered, &handler.EnqueueRequestForObject{}))
	if r.ProxyChanged != nil {
		b = b.WatchesRawSource(source.Channel(r.ProxyChanged, m.to(m.everywhere)))
	}
	if r.EgressChanged != nil {
		b = b.WatchesRawSource(source.Channel(r.EgressChanged, m.to(m.callingVendors)))
	}
	if r.EvidenceChanged != nil {
		b = b.WatchesRawSource(source.Channel(r.EvidenceChanged, m.to(m.everywhere)))
	}
	if err := b.Complete(reconcile.AsReconciler(mgr.GetClient(), r)); err != nil {
		return fmt.Errorf("setting up the phiworkload controller: %w", err)
	}
	return nil
}

// specOrDeletion lets through what people change. A status is the operator's own, but
// for what the flows and the proxies of others follow from.
func specOrDeletion() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, onUpdate(func(before, after client.Object) bool {
		was, isWorkload := before.(*hipaav1.PHIWorkload)
		is, alsoWorkload := after.(*hipaav1.PHIWorkload)
		return isWorkload && alsoWorkload && !sameProxies(was.Status.Proxy, is.Status.Proxy) ||
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero() ||
			!slices.Equal(before.GetFinalizers(), after.GetFinalizers())
	}))
}

// sameProxies reports whether nothing follows from a change of what proxies go by: the
// number of their configuration is for admission alone.
func sameProxies(a, b *hipaav1.ProxyStatus) bool {
	if a == nil || b == nil {
		return a == b
	}
	was, is := *a, *b
	was.ConfigurationGeneration, is.ConfigurationGeneration = 0, 0
	return equality.Semantic.DeepEqual(&was, &is)
}

// comesOrGoes lets through pods that are new or gone, or whom other labels make others.
func comesOrGoes() predicate.Predicate {
	return onUpdate(func(before, after client.Object) bool {
		was, isPod := before.(*corev1.Pod)
		is, alsoPod := after.(*corev1.Pod)
		return !isPod || !alsoPod || subject.Finished(was) != subject.Finished(is) || !maps.Equal(was.Labels, is.Labels)
	})
}

func onUpdate(matters func(before, after client.Object) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return matters(e.ObjectOld, e.ObjectNew) }}
}

// exceptionMatters lets through what makes an exception count, and leaves out how often
// it was used and what its own controller says of it.
func exceptionMatters() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, onUpdate(func(before, after client.Object) bool {
		was, isException := before.(*hipaav1.ControlException)
		is, alsoException := after.(*hipaav1.ControlException)
		return !isException || !alsoException || was.UID != is.UID || !equality.Semantic.DeepEqual(was.Status.Approval, is.Status.Approval)
	}))
}

// vendorMatters lets through what people say of a vendor and of calls to it, and leaves
// out what its own controller does.
func vendorMatters() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, onUpdate(func(before, after client.Object) bool {
		was, isVendor := before.(*hipaav1.Vendor)
		is, alsoVendor := after.(*hipaav1.Vendor)
		return !isVendor || !alsoVendor || !equality.Semantic.DeepEqual(was.Status.Closure, is.Status.Closure)
	}))
}

// podMatters leaves out the heartbeats of pods.
func podMatters() predicate.Predicate {
	return onUpdate(func(before, after client.Object) bool {
		was, isPod := before.(*corev1.Pod)
		is, alsoPod := after.(*corev1.Pod)
		if !isPod || !alsoPod {
			return true
		}
		return was.Generation != is.Generation ||
			was.Status.Phase != is.Status.Phase ||
			was.DeletionTimestamp.IsZero() != is.DeletionTimestamp.IsZero() ||
			readiness(was) != readiness(is) ||
			!maps.Equal(was.Labels, is.Labels) || !maps.Equal(was.Annotations, is.Annotations) ||
			is.Generation == 0 && was.ResourceVersion != is.ResourceVersion
	})
}

// rulesChanged lets through ClusterRoles whose rules change: those that are
// aggregated are written again and again.
func rulesChanged() predicate.Predicate {
	return onUpdate(func(before, after client.Object) bool {
		was, isRole := before.(*rbacv1.ClusterRole)
		is, alsoRole := after.(*rbacv1.ClusterRole)
		return !isRole || !alsoRole || !equality.Semantic.DeepEqual(was.Rules, is.Rules) || !maps.Equal(was.Annotations, is.Annotations)
	})
}

// nodeMatters lets through what controls know nodes by: where they are, and what
// runs on them. Their heartbeats pass by.
func nodeMatters() predicate.Predicate {
	return onUpdate(func(before, after client.Object) bool {
		was, isNode := before.(*corev1.Node)
		is, alsoNode := after.(*corev1.Node)
		return !isNode || !alsoNode || was.Status.NodeInfo != is.Status.NodeInfo || !maps.Equal(was.Labels, is.Labels)
	})
}

func readiness(pod *corev1.Pod) corev1.ConditionStatus {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			return pod.Status.Conditions[i].Status
		}
	}
	return corev1.ConditionUnknown
}

// mapping finds the workloads that a change concerns.
type mapping struct {
	cache client.Reader
	// sharing names the namespaces whose reports have something in common with one's.
	sharing func(namespace string) []string
}

// to turns a search into a handler. A search that fails is an error of the
// cache, which is there whenever a watch delivers; it is logged and missed
// nothing that the next event would not bring.
func (m mapping) to(find func(context.Context, client.Object) (found, error)) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		workloads, err := find(ctx, object)
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not find the workloads that a change concerns", "object", client.ObjectKeyFromObject(object))
		}
		return workloads.requests()
	})
}

// found is a set of workloads.
type found map[types.NamespacedName]bool

func (f found) requests() []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(f))
	for name := range f {
		requests = append(requests, reconcile.Request{NamespacedName: name})
	}
	return requests
}

// list adds the workloads that a list finds and a filter lets through.
func (m mapping) list(ctx context.Context, into found, keep func(*hipaav1.PHIWorkload) bool, options ...client.ListOption) error {
	var list hipaav1.PHIWorkloadList
	if err := m.cache.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return fmt.Errorf("listing workloads: %w", err)
	}
	for i := range list.Items {
		if keep == nil || keep(&list.Items[i]) {
			into[client.ObjectKeyFromObject(&list.Items[i])] = true
		}
	}
	return nil
}

// peer finds those whose flows name a workload, those of its namespace that could select
// the same pods, and those of namespaces in which that of the workload has rights, or
// which share something with it.
func (m mapping) peer(ctx context.Context, object client.Object) (found, error) {
	w, ok := object.(*hipaav1.PHIWorkload)
	if !ok {
		return nil, nil
	}
	into := found{}
	if err := m.list(ctx, into, nil, client.MatchingFields{byPeer: client.ObjectKeyFromObject(w).String()}); err != nil {
		return into, err
	}
	if err := m.list(ctx, into, func(o *hipaav1.PHIWorkload) bool {
		return o.Name != w.Name && !disjoint(&o.Spec.Selector, &w.Spec.Selector)
	}, client.InNamespace(w.Namespace)); err != nil {
		return into, err
	}
	for _, namespace := range m.sharing(w.Namespace) {
		if err := m.list(ctx, into, nil, client.InNamespace(namespace)); err != nil {
			return into, err
		}
	}
	return into, m.granting(ctx, into, w.Namespace)
}

// granting finds those of namespaces in which ServiceAccounts of another one have rights.
func (m mapping) granting(ctx context.Context, into found, namespace string) error {
	var bindings rbacv1.RoleBindingList
	if err := m.cache.List(ctx, &bindings, client.MatchingFields{byGranted: namespace}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing bindings by whom they let in: %w", err)
	}
	for i := range bindings.Items {
		if err := m.list(ctx, into, nil, client.InNamespace(bindings.Items[i].Namespace)); err != nil {
			return err
		}
	}
	return nil
}

// profile finds those that a profile governs, names, extends or governed.
func (m mapping) profile(ctx context.Context, object client.Object) (found, error) {
	var profiles hipaav1.ComplianceProfileList
	if err := m.cache.List(ctx, &profiles, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing profiles: %w", err)
	}
	concerned := extenders(profiles.Items, object.GetName())
	if p, ok := object.(*hipaav1.ComplianceProfile); ok {
		concerned[p.Name] = p // the version of the event: its selector may have changed since
	}
	into := found{}
	for name := range concerned {
		if err := m.list(ctx, into, nil, client.MatchingFields{byProfile: name}); err != nil {
			return into, err
		}
	}
	var namespaces corev1.NamespaceList
	if err := m.cache.List(ctx, &namespaces, client.MatchingLabels{hipaav1.LabelPHI: hipaav1.LabelPHIValue}, client.UnsafeDisableDeepCopy); err != nil {
		return into, fmt.Errorf("listing namespaces: %w", err)
	}
	for i := range namespaces.Items {
		n := &namespaces.Items[i]
		for _, p := range concerned {
			if engine.Governs(p, n) {
				if err := m.list(ctx, into, nil, client.InNamespace(n.Name)); err != nil {
					return into, err
				}
				break
			}
		}
	}
	return into, nil
}

// extenders are the profiles that extend one by name, at once or through others.
func extenders(profiles []hipaav1.ComplianceProfile, name string) map[string]*hipaav1.ComplianceProfile {
	reached := map[string]*hipaav1.ComplianceProfile{}
	waiting := []string{name}
	for len(waiting) > 0 {
		base := waiting[0]
		waiting = waiting[1:]
		for i := range profiles {
			p := &profiles[i]
			if reached[p.Name] == nil && slices.Contains(p.Spec.Extends, base) {
				reached[p.Name] = p
				waiting = append(waiting, p.Name)
			}
		}
	}
	return reached
}

func (m mapping) exception(_ context.Context, object client.Object) (found, error) {
	x, ok := object.(*hipaav1.ControlException)
	if !ok {
		return nil, nil
	}
	return found{{Namespace: x.Namespace, Name: x.Spec.WorkloadRef.Name}: true}, nil
}

func (m mapping) namespace(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	return into, m.list(ctx, into, nil, client.InNamespace(object.GetName()))
}

// vendor finds those whose flows name it.
func (m mapping) vendor(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	return into, m.list(ctx, into, nil, client.MatchingFields{byVendor: object.GetName()})
}

// callingVendors finds those whose flows name any.
func (m mapping) callingVendors(ctx context.Context, _ client.Object) (found, error) {
	into := found{}
	return into, m.list(ctx, into, func(w *hipaav1.PHIWorkload) bool { return len(subject.VendorsOf(w)) > 0 })
}

// namespaced finds those of the namespace that an object is in.
func (m mapping) namespaced(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	return into, m.list(ctx, into, nil, client.InNamespace(object.GetNamespace()))
}

// everywhere finds all: what the whole cluster grants holds in every namespace.
func (m mapping) everywhere(ctx context.Context, _ client.Object) (found, error) {
	into := found{}
	return into, m.list(ctx, into, nil)
}

// keptFor finds the one that an object is kept for.
func (m mapping) keptFor(_ context.Context, object client.Object) (found, error) {
	if object.GetLabels()[hipaav1.LabelWorkload] == "" {
		return nil, nil // that of phi-egress is kept for all
	}
	return found{{Namespace: object.GetNamespace(), Name: object.GetLabels()[hipaav1.LabelWorkload]}: true}, nil
}

// settings finds those with a pod that takes settings from it.
func (m mapping) settings(ctx context.Context, object client.Object) (found, error) {
	return m.running(ctx, client.InNamespace(object.GetNamespace()), client.MatchingFields{byConfigMap: object.GetName()})
}

// resource finds those of the namespace that a resource serves. One that holds PHI and
// does not say whose concerns all, and so does a type that comes or goes: nil.
func (m mapping) resource(ctx context.Context, resource *unstructured.Unstructured) (found, error) {
	into := found{}
	switch {
	case resource == nil:
		return into, m.list(ctx, into, nil)
	case control.NamespaceOf(resource) != "":
		return into, m.list(ctx, into, nil, client.InNamespace(control.NamespaceOf(resource)))
	case control.ServesNobody(resource):
		return into, m.list(ctx, into, nil)
	default:
		return into, nil
	}
}

// resourceTo puts the workloads that a resource concerns into a queue.
func (m mapping) resourceTo(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) func(*unstructured.Unstructured) {
	return func(resource *unstructured.Unstructured) {
		workloads, err := m.resource(ctx, resource)
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not find the workloads that a resource concerns")
		}
		for _, request := range workloads.requests() {
			queue.Add(request)
		}
	}
}

// node finds those with a pod that runs on it.
func (m mapping) node(ctx context.Context, object client.Object) (found, error) {
	return m.running(ctx, client.MatchingFields{byNode: object.GetName()})
}

// running finds those that some pods are of.
func (m mapping) running(ctx context.Context, which ...client.ListOption) (found, error) {
	into := found{}
	var pods corev1.PodList
	if err := m.cache.List(ctx, &pods, append(which, client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		if err := m.selecting(ctx, into, pods.Items[i].Namespace, pods.Items[i].Labels); err != nil {
			return into, err
		}
	}
	return into, nil
}

// pod finds those that it is of, and for an agent those with a pod on its node.
func (m mapping) pod(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	for _, node := range subject.AgentOf(object) {
		beside, err := m.running(ctx, client.MatchingFields{byNode: node})
		if err != nil {
			return into, err
		}
		into = beside
	}
	return into, m.selecting(ctx, into, object.GetNamespace(), object.GetLabels())
}

// podOfPeer finds those whose flows name the workload that it is of.
func (m mapping) podOfPeer(ctx context.Context, object client.Object) (found, error) {
	of, into := found{}, found{}
	if err := m.selecting(ctx, of, object.GetNamespace(), object.GetLabels()); err != nil {
		return nil, err
	}
	for name := range of {
		if err := m.list(ctx, into, nil, client.MatchingFields{byPeer: name.String()}); err != nil {
			return into, err
		}
	}
	return into, nil
}

func (m mapping) selecting(ctx context.Context, into found, namespace string, podLabels map[string]string) error {
	return m.list(ctx, into, func(w *hipaav1.PHIWorkload) bool { return subject.Selects(w, podLabels) }, client.InNamespace(namespace))
}

// claim finds those with a pod that mounts it.
func (m mapping) claim(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	return into, m.mounting(ctx, into, object.GetNamespace(), object.GetName())
}

func (m mapping) mounting(ctx context.Context, into found, namespace, claim string) error {
	var pods corev1.PodList
	if err := m.cache.List(ctx, &pods, client.InNamespace(namespace), client.MatchingFields{byClaim: claim}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing pods by claim: %w", err)
	}
	for i := range pods.Items {
		if err := m.selecting(ctx, into, namespace, pods.Items[i].Labels); err != nil {
			return err
		}
	}
	return nil
}

func (m mapping) volume(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	volume, ok := object.(*corev1.PersistentVolume)
	if !ok || volume.Spec.ClaimRef == nil {
		return into, nil
	}
	return into, m.mounting(ctx, into, volume.Spec.ClaimRef.Namespace, volume.Spec.ClaimRef.Name)
}

func (m mapping) class(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	var claims corev1.PersistentVolumeClaimList
	if err := m.cache.List(ctx, &claims, client.MatchingFields{byClass: object.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return into, fmt.Errorf("listing claims by class: %w", err)
	}
	for i := range claims.Items {
		if err := m.mounting(ctx, into, claims.Items[i].Namespace, claims.Items[i].Name); err != nil {
			return into, err
		}
	}
	return into, nil
}

// policy finds the workload that a policy is kept for, and those with pods that
// it could select.
func (m mapping) policy(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	policy, ok := object.(*networkingv1.NetworkPolicy)
	if !ok {
		return into, nil
	}
	return into, m.list(ctx, into, func(w *hipaav1.PHIWorkload) bool {
		return policy.Labels[hipaav1.LabelWorkload] == w.Name || !disjoint(&policy.Spec.PodSelector, &w.Spec.Selector)
	}, client.InNamespace(policy.Namespace))
}

// service finds those whose flows name it or whose pods it could lead to. Every
// workload resolves names through the cluster's resolver.
func (m mapping) service(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	service, ok := object.(*corev1.Service)
	if !ok {
		return into, nil
	}
	if service.Namespace == metav1.NamespaceSystem && service.Name == "kube-dns" {
		return into, m.list(ctx, into, nil)
	}
	if err := m.list(ctx, into, nil, client.MatchingFields{byService: client.ObjectKeyFromObject(service).String()}); err != nil {
		return into, err
	}
	leads, behind := metav1.LabelSelector{MatchLabels: service.Spec.Selector}, found{}
	if err := m.list(ctx, behind, func(w *hipaav1.PHIWorkload) bool { return !disjoint(&leads, &w.Spec.Selector) }, client.InNamespace(service.Namespace)); err != nil {
		return into, err
	}
	for name := range behind {
		into[name] = true
		// Their callers know it by its name.
		if err := m.list(ctx, into, nil, client.MatchingFields{byPeer: name.String()}); err != nil {
			return into, err
		}
	}
	return into, nil
}

// slice finds the workloads of the namespace where people wrote the slice by
// hand; those that the cluster keeps follow pods, which are watched themselves.
func (m mapping) slice(ctx context.Context, object client.Object) (found, error) {
	into := found{}
	name := object.GetLabels()[discoveryv1.LabelServiceName]
	if object.GetNamespace() == metav1.NamespaceDefault && name == "kubernetes" {
		return into, m.list(ctx, into, nil, client.MatchingFields{byKubernetesAPI: yes})
	}
	if name != "" && object.GetLabels()[discoveryv1.LabelManagedBy] == subject.EndpointSliceController {
		var service corev1.Service
		err := m.cache.Get(ctx, types.NamespacedName{Namespace: object.GetNamespace(), Name: name}, &service, client.UnsafeDisableDeepCopy)
		if err == nil && len(service.Spec.Selector) > 0 {
			return into, nil
		}
	}
	return into, m.list(ctx, into, nil, client.InNamespace(object.GetNamespace()))
}

// disjoint reports whether two selectors can surely not select the same pod:
// they ask for different values of one label. Anything else counts as shared.
func disjoint(a, b *metav1.LabelSelector) bool {
	for key, value := range a.MatchLabels {
		if other, asked := b.MatchLabels[key]; asked && other != value {
			return true
		}
	}
	return false
}
