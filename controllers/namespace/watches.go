package namespace

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
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
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// SetupWithManager watches what a namespace owns and what that follows from.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	r.started, r.heard = r.Clock.Now(), map[string]map[types.UID]bool{}
	its := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: object.GetNamespace()}}}
	})
	phi := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return phiNamespaces(ctx, mgr.GetCache())
	})
	err := ctrl.NewControllerManagedBy(mgr).Named("namespace").WithOptions(options).
		For(&corev1.Namespace{}, builder.WithPredicates(labelsOrDeletion())).
		Watches(&networkingv1.NetworkPolicy{}, its, builder.WithPredicates(owned())).
		WatchesRawSource(source.Kind(r.Client.ConfigMaps, client.Object(&corev1.ConfigMap{}), its, owned())).
		Watches(&corev1.Pod{}, undeclaring(mgr.GetCache()), builder.WithPredicates(comingAndGoing())).
		Watches(&hipaav1.PHIWorkload{}, its, builder.WithPredicates(specOrStage())).
		Watches(&hipaav1.ComplianceProfile{}, phi, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("setting up the namespace controller: %w", err)
	}
	return nil
}

// phiNamespaces are all that a profile may govern; there are few of them.
func phiNamespaces(ctx context.Context, cache client.Reader) []reconcile.Request {
	var namespaces corev1.NamespaceList
	if err := cache.List(ctx, &namespaces, client.MatchingLabels{hipaav1.LabelPHI: hipaav1.LabelPHIValue}, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Could not list the PHI namespaces")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(namespaces.Items))
	for i := range namespaces.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: namespaces.Items[i].Name}})
	}
	return requests
}

func labelsOrDeletion() predicate.Predicate {
	return predicate.Or[client.Object](predicate.LabelChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}})
}

// owned lets through what carries the operator's label, or did.
func owned() predicate.Predicate {
	ours := func(o client.Object) bool { return hipaav1.IsOwned(o) }
	return predicate.And[client.Object](predicate.ResourceVersionChangedPredicate{}, predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return ours(e.Object) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return ours(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return ours(e.ObjectOld) || ours(e.ObjectNew) },
		GenericFunc: func(e event.GenericEvent) bool { return ours(e.Object) },
	})
}

// specOrStage lets through what people change, stages, and that a workload was let
// go: the namespace is enforced once none of its workloads, and none of their
// controls, previews.
func specOrStage() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isWorkload := e.ObjectOld.(*hipaav1.PHIWorkload)
		is, alsoWorkload := e.ObjectNew.(*hipaav1.PHIWorkload)
		return isWorkload && alsoWorkload &&
			(was.Status.Stage != is.Status.Stage || subject.Released(was) != subject.Released(is) || !maps.Equal(subject.Entered(was), subject.Entered(is)))
	}})
}
