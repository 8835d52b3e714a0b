package backstop

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// SetupWithManager watches the parameters and what they follow from.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager) error {
	its := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: object.GetNamespace()}}}
	})
	phi := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return phiNamespaces(ctx, mgr.GetCache())
	})
	err := ctrl.NewControllerManagedBy(mgr).Named("backstop").
		For(&corev1.Namespace{}, builder.WithPredicates(labelsOrDeletion())).
		Watches(&hipaav1.PHIWorkload{}, its, builder.WithPredicates(claimOrStage())).
		Watches(&hipaav1.ControlException{}, its, builder.WithPredicates(specOrDecision())).
		Watches(&hipaav1.ComplianceProfile{}, phi, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&networkingv1.NetworkPolicy{}, its, builder.WithPredicates(closing())).
		Watches(&hipaav1.Backstop{}, its).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
	if err != nil {
		return fmt.Errorf("setting up the backstop controller: %w", err)
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

// claimOrStage lets through what a workload declares, that the operator let it go,
// what of it has entered Enforce, and whether its pods get rules.
func claimOrStage() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isWorkload := e.ObjectOld.(*hipaav1.PHIWorkload)
		is, alsoWorkload := e.ObjectNew.(*hipaav1.PHIWorkload)
		return isWorkload && alsoWorkload && (was.UID != is.UID || was.Status.Stage != is.Status.Stage || captured(was) != captured(is) ||
			subject.Released(was) != subject.Released(is) || !maps.Equal(subject.Entered(was), subject.Entered(is)))
	}})
}

// captured is how the workload's traffic comes to its proxies by its status.
func captured(w *hipaav1.PHIWorkload) hipaav1.CaptureMode {
	if w.Status.Proxy == nil {
		return ""
	}
	return w.Status.Proxy.Capture
}

// specOrDecision lets through what people change of an exception.
func specOrDecision() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isException := e.ObjectOld.(*hipaav1.ControlException)
		is, alsoException := e.ObjectNew.(*hipaav1.ControlException)
		return isException && alsoException && !equality.Semantic.DeepEqual(was.Status.Approval, is.Status.Approval)
	}})
}

// closing lets through that the operator began or ceased to keep a namespace closed:
// until then it is adopted.
func closing() predicate.Predicate {
	ours := func(o client.Object) bool { return hipaav1.IsOwned(o) && o.GetLabels()[hipaav1.LabelWorkload] == "" }
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return ours(e.Object) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return ours(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return ours(e.ObjectOld) != ours(e.ObjectNew) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
