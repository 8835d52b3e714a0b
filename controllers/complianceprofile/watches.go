package complianceprofile

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
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
)

// byGovernor finds workloads by the profiles that they were judged under.
const byGovernor = "hipaa.governors"

// gatherFor is how long changes of workloads are gathered before they are
// counted: thousands of them may change at once.
const gatherFor = time.Second

// SetupWithManager watches profiles, whom they govern, the census, and the guard
// where there is one: guardChanged may be nil.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options, guardChanged, censusChanged <-chan event.GenericEvent) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &hipaav1.PHIWorkload{}, byGovernor, governors); err != nil {
		return fmt.Errorf("indexing workloads by profile: %w", err)
	}
	every := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return profiles(ctx, mgr.GetCache())
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("complianceprofile").WithOptions(options).
		For(&hipaav1.ComplianceProfile{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&hipaav1.ComplianceProfile{}, every, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, every, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&hipaav1.PHIWorkload{}, gathering()).
		WatchesRawSource(source.Channel(censusChanged, handler.Funcs{GenericFunc: func(ctx context.Context, _ event.GenericEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			for _, request := range profiles(ctx, mgr.GetCache()) {
				q.AddAfter(request, gatherFor)
			}
		}}))
	if guardChanged != nil {
		b = b.WatchesRawSource(source.Channel(guardChanged, every))
	}
	if err := b.Complete(reconcile.AsReconciler(mgr.GetClient(), r)); err != nil {
		return fmt.Errorf("setting up the complianceprofile controller: %w", err)
	}
	return nil
}

func governors(object client.Object) []string {
	w, ok := object.(*hipaav1.PHIWorkload)
	if !ok {
		return nil
	}
	return w.Status.Profiles
}

// gathering counts workloads anew some time after their stage, preview or profiles
// change.
func gathering() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(q queue, objects ...client.Object) {
		for _, object := range objects {
			for _, name := range governors(object) {
				q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, gatherFor)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if !slices.Equal(governors(e.ObjectOld), governors(e.ObjectNew)) || countedOf(e.ObjectOld) != countedOf(e.ObjectNew) {
				add(q, e.ObjectOld, e.ObjectNew)
			}
		},
	}
}

// counted is what a profile tells of one workload.
type counted struct {
	stage  hipaav1.Stage
	digest string
}

func countedOf(object client.Object) counted {
	if w, ok := object.(*hipaav1.PHIWorkload); ok {
		return counted{stage: w.Status.Stage, digest: previewOf(w)}
	}
	return counted{}
}

// previewOf is the digest of the present preview of a workload; empty if it has none.
func previewOf(w *hipaav1.PHIWorkload) string {
	if w.Status.Preview == nil {
		return ""
	}
	return w.Status.Preview.Digest
}

func profiles(ctx context.Context, cache client.Reader) []reconcile.Request {
	var list hipaav1.ComplianceProfileList
	if err := cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Could not list the profiles")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
	}
	return requests
}
