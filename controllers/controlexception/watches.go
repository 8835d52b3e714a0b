package controlexception

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
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
// exist and which profile they name, and what profiles bring and allow in which
// namespaces.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	naming := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, w client.Object) []reconcile.Request {
		return exceptionsOf(ctx, mgr.GetCache(), w)
	})
	everywhere := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return exceptionsFrom(ctx, mgr.GetCache(), all)
	})
	inside := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, n client.Object) []reconcile.Request {
		return exceptionsFrom(ctx, mgr.GetCache(), all, client.InNamespace(n.GetName()))
	})
	err := ctrl.NewControllerManagedBy(mgr).Named("controlexception").WithOptions(options).
		For(&hipaav1.ControlException{}, builder.WithPredicates(specOrDecision())).
		Watches(&hipaav1.PHIWorkload{}, naming, builder.WithPredicates(anotherOrElsewhere())).
		Watches(&hipaav1.ComplianceProfile{}, everywhere, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, inside, builder.WithPredicates(predicate.LabelChangedPredicate{})).
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

// anotherOrElsewhere lets through workloads that come and go - another of the same name
// may come as an update - and those that name another profile.
func anotherOrElsewhere() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isWorkload := e.ObjectOld.(*hipaav1.PHIWorkload)
		is, alsoWorkload := e.ObjectNew.(*hipaav1.PHIWorkload)
		return !isWorkload || !alsoWorkload || was.UID != is.UID || !equality.Semantic.DeepEqual(was.Spec.ProfileRef, is.Spec.ProfileRef)
	}}
}

func exceptionsOf(ctx context.Context, cache client.Reader, workload client.Object) []reconcile.Request {
	return exceptionsFrom(ctx, cache, func(x *hipaav1.ControlException) bool {
		return x.Spec.WorkloadRef.Name == workload.GetName()
	}, client.InNamespace(workload.GetNamespace()))
}

func all(*hipaav1.ControlException) bool { return true }

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
