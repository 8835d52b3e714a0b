package vendor

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
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
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// SetupWithManager watches Vendors, what people decide about calls to them, and who
// names them.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	b := ctrl.NewControllerManagedBy(mgr).Named("vendor").WithOptions(options).
		For(&hipaav1.Vendor{}, builder.WithPredicates(specOrDecision())).
		Watches(&hipaav1.PHIWorkload{}, naming(), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	if r.EgressChanged != nil {
		b = b.WatchesRawSource(source.Channel(r.EgressChanged, r.all()))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("setting up the vendor controller: %w", err)
	}
	return nil
}

// all finds every vendor.
func (r *Reconciler) all() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		var list hipaav1.VendorList
		if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "Could not list the vendors whose calls may get out or not")
		}
		requests := make([]reconcile.Request, 0, len(list.Items))
		for i := range list.Items {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
		return requests
	})
}

// specOrDecision lets through what people change of a vendor.
func specOrDecision() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isVendor := e.ObjectOld.(*hipaav1.Vendor)
		is, alsoVendor := e.ObjectNew.(*hipaav1.Vendor)
		return isVendor && alsoVendor && !equality.Semantic.DeepEqual(was.Status.Closure, is.Status.Closure)
	}})
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// naming finds the vendors that a workload names, or named before.
func naming() handler.EventHandler {
	add := func(q queue, objects ...client.Object) {
		for _, object := range objects {
			if w, is := object.(*hipaav1.PHIWorkload); is {
				for _, name := range subject.VendorsOf(w) {
					q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}
