package egress

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
)

// SetupWithManager watches what decides about calls to vendors, and what stands of it.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: control.EgressName}}}
	})
	changed := predicate.ResourceVersionChangedPredicate{}
	b := ctrl.NewControllerManagedBy(mgr).Named("egress").
		Watches(&hipaav1.Vendor{}, one, builder.WithPredicates(vendorMatters())).
		Watches(&hipaav1.PHIWorkload{}, one, builder.WithPredicates(workloadMatters())).
		Watches(&hipaav1.ComplianceProfile{}, one, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, one, builder.WithPredicates(predicate.LabelChangedPredicate{}, onlyPHI())).
		Watches(&corev1.Node{}, one, builder.WithPredicates(nodeMatters())).
		Watches(&corev1.Service{}, one, builder.WithPredicates(named(control.EgressName, "kube-dns"), changed)).
		Watches(&corev1.Pod{}, one, builder.WithPredicates(gatePods())).
		Watches(&networkingv1.NetworkPolicy{}, one, builder.WithPredicates(named(gate.PolicyName), changed)).
		WatchesRawSource(source.Kind(r.Owned.ConfigMaps, client.Object(&corev1.ConfigMap{}), one, named(control.EgressName), predicate.Predicate(changed)))
	if r.ProxyChanged != nil {
		b = b.WatchesRawSource(source.Channel(r.ProxyChanged, one))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("setting up the egress controller: %w", err)
	}
	return nil
}

func named(names ...string) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool { return slices.Contains(names, o.GetName()) })
}

func onUpdate(matters func(before, after client.Object) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return matters(e.ObjectOld, e.ObjectNew) }}
}

// vendorMatters lets through what people say of a vendor and of calls to it.
func vendorMatters() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, onUpdate(func(before, after client.Object) bool {
		was, isVendor := before.(*hipaav1.Vendor)
		is, alsoVendor := after.(*hipaav1.Vendor)
		return !isVendor || !alsoVendor || !equality.Semantic.DeepEqual(was.Status.Closure, is.Status.Closure)
	}))
}

// workloadMatters lets through what a workload calls, and who its pods are.
func workloadMatters() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, onUpdate(func(before, after client.Object) bool {
		was, isWorkload := before.(*hipaav1.PHIWorkload)
		is, alsoWorkload := after.(*hipaav1.PHIWorkload)
		return !isWorkload || !alsoWorkload || !slices.Equal(accounts(was), accounts(is)) || !slices.Equal(was.Finalizers, is.Finalizers)
	}))
}

func accounts(w *hipaav1.PHIWorkload) []string {
	if w.Status.Proxy == nil {
		return nil
	}
	return w.Status.Proxy.ServiceAccounts
}

// onlyPHI lets through namespaces that hold PHI, or did.
func onlyPHI() predicate.Predicate {
	phi := func(o metav1.Object) bool { return o.GetLabels()[hipaav1.LabelPHI] == hipaav1.LabelPHIValue }
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return phi(e.Object) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return phi(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return phi(e.ObjectOld) || phi(e.ObjectNew) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// nodeMatters lets through nodes that come, go, or have other addresses.
func nodeMatters() predicate.Predicate {
	return onUpdate(func(before, after client.Object) bool {
		was, isNode := before.(*corev1.Node)
		is, alsoNode := after.(*corev1.Node)
		return !isNode || !alsoNode || !slices.Equal(was.Status.Addresses, is.Status.Addresses) || !slices.Equal(was.Spec.PodCIDRs, is.Spec.PodCIDRs)
	})
}

// gatePods lets through pods of phi-egress that come, go, or become ready or not.
func gatePods() predicate.Predicate {
	its := predicate.NewPredicateFuncs(func(o client.Object) bool {
		for key, value := range control.EgressLabels() {
			if o.GetLabels()[key] != value {
				return false
			}
		}
		return true
	})
	return predicate.And(its, onUpdate(func(before, after client.Object) bool {
		was, isPod := before.(*corev1.Pod)
		is, alsoPod := after.(*corev1.Pod)
		return !isPod || !alsoPod || control.IsReady(was) != control.IsReady(is)
	}))
}
