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

// SetupWithManager watches exceptions, decisions about them, whether their workloads
// exist, and the controls that profiles bring.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	naming := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, w client.Object) []reconcile.Request {
		return exceptionsOf(ctx, mgr.GetCache(), w)
	})
	about := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return exceptionsFrom(ctx, mgr.GetCache(), func(x *hipaav1.ControlException) bool { return !r.Engine.Knows(x.Spec.ControlID) })
	})
	// Another of the same name may come as an update.
	comesOrGoes := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() }}
	err := ctrl.NewControllerManagedBy(mgr).Named("controlexception").WithOptions(options).
		For(&hipaav1.ControlException{}, builder.WithPredicates(specOrDecision())).
		Watches(&hipaav1.PHIWorkload{}, naming, builder.WithPredicates(comesOrGoes)).
		Watches(&hipaav1.ComplianceProfile{}, about, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
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
	return exceptionsFrom(ctx, cache, func(x *hipaav1.ControlException) bool {
		return x.Spec.WorkloadRef.Name == workload.GetName()
	}, client.InNamespace(workload.GetNamespace()))
}

// exceptionsFrom lists the exceptions that a filter lets through.
func exceptionsFrom(ctx context.Context, cache client.Reader, keep func(*hipaav1.ControlException) bool, options ...client.ListOption) []reconcile.Request {
	var list hipaav1.ControlExceptionList
	if err := cache.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "Could not list the exceptions that a change concerns")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if keep(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
		}
	}
	return requests
}
