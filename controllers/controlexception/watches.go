package controlexception

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
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

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// SetupWithManager watches exceptions, decisions about them, and whether their
// workloads exist.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	naming := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, w client.Object) []reconcile.Request {
		return exceptionsOf(ctx, mgr.GetCache(), w)
	})
	// Another of the same name may come as an update.
	comesOrGoes := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() }}
	err := ctrl.NewControllerManagedBy(mgr).Named("controlexception").WithOptions(options).
		For(&hipaav1.ControlException{}, builder.WithPredicates(specOrDecision())).
		Watches(&hipaav1.PHIWorkload{}, naming, builder.WithPredicates(comesOrGoes)).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("setting up the controlexception controller: %w", err)
	}
	return nil
}

// specOrDecision lets through what people change: the spec, and the approval in
// the status.
func specOrDecision() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isException := e.ObjectOld.(*hipaav1.ControlException)
		is, alsoException := e.ObjectNew.(*hipaav1.ControlException)
		return isException && alsoException && !equality.Semantic.DeepEqual(was.Status.Approval, is.Status.Approval)
	}})
}

func exceptionsOf(ctx context.Context, cache client.Reader, workload client.Object) []reconcile.Request {
	var list hipaav1.ControlExceptionList
	if err := cache.List(ctx, &list, client.InNamespace(workload.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Could not list the exceptions of a workload", "object", client.ObjectKeyFromObject(workload))
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.WorkloadRef.Name == workload.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
		}
	}
	return requests
}
