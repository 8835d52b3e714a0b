package namespace

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch

const (
	// settleFor is how old a pod must be to count: its PHIWorkload may have been
	// applied together with it, and come into the cache after it. Thousands of pods
	// that come at once are counted once in that time.
	settleFor = 2 * time.Second

	// eventsAtOnce is of how many pods one pass tells; the next one goes on.
	eventsAtOnce = 25
)

// count looks for pods that no workload selects.
func (r *Reconciler) count(ctx context.Context, s *scope) error {
	undeclared, err := r.Loader.Undeclared(ctx, s.scene)
	if err != nil {
		return fmt.Errorf("looking for pods that nobody declared: %w", err)
	}
	settled := slices.IndexFunc(undeclared, func(pod *corev1.Pod) bool { return s.now.Sub(pod.CreationTimestamp.Time) < settleFor })
	if settled >= 0 {
		undeclared, s.pending = undeclared[:settled], true
	}
	s.undeclared, s.counted = undeclared, true
	return nil
}

// report tells of each undeclared pod once, and counts them for the profiles. What
// was counted when this process began, the one before it has told.
func (r *Reconciler) report(s *scope) {
	if !s.counted {
		return
	}
	told, looked := r.heard[s.namespace.Name]
	recorded := recordedIn(s.scene)
	if s.effective == nil {
		recorded = metav1.NewTime(r.started) // no profile's status counts where none governs
	}
	heard, room := map[types.UID]bool{}, eventsAtOnce
	answer := s.answer()
	for _, pod := range s.undeclared {
		before := told[pod.UID] || !looked && !pod.CreationTimestamp.After(recorded.Time)
		if !before && room == 0 {
			s.pending = true
			continue
		}
		heard[pod.UID] = true
		if !before {
			room--
			undeclaredEvent(answer).About(pod, r.Events)
		}
	}
	r.heard[s.namespace.Name] = heard
	now := counted{UndeclaredIn: hipaav1.UndeclaredIn{Namespace: s.namespace.Name, Pods: int32(len(s.undeclared))}, answer: answer} //nolint:gosec // no cluster has that many
	if len(s.undeclared) > 0 {
		now.LastCreated = s.undeclared[len(s.undeclared)-1].CreationTimestamp
	}
	r.Census.set(now)
}

// recordedIn is the creation of the youngest undeclared pod that a profile's status
// counts in the namespace.
func recordedIn(sc *subject.Scene) metav1.Time {
	var latest metav1.Time
	for _, p := range sc.Profiles {
		if p.Status.Undeclared == nil {
			continue
		}
		for _, in := range p.Status.Undeclared.In {
			if in.Namespace == sc.Namespace.Name && latest.Before(&in.LastCreated) {
				latest = in.LastCreated
			}
		}
	}
	return latest
}

func undeclaredEvent(answer hipaav1.UndeclaredPods) outcome.Event {
	return outcome.Event{
		Warning: answer != hipaav1.UndeclaredPodsAllow, Reason: hipaav1.EventPodUndeclared, Action: "Judge",
		Note: "no PHIWorkload of the namespace selects this pod, so nobody judges it; where the namespace is closed by default it reaches nothing. " +
			"Declare a PHIWorkload whose selector matches its labels, or remove it",
	}
}

// answer is what admission answers now to another such pod, as
// engine.AdmitUndeclared does: without a profile it refuses.
func (s *scope) answer() hipaav1.UndeclaredPods {
	switch {
	case s.effective == nil:
		return hipaav1.UndeclaredPodsDeny
	case s.effective.Undeclared == hipaav1.UndeclaredPodsDeny && s.stage() == hipaav1.StagePreviewing:
		return hipaav1.UndeclaredPodsWarn
	default:
		return s.effective.Undeclared
	}
}

// comingAndGoing lets through what changes whether a pod counts.
func comingAndGoing() predicate.Predicate {
	return predicate.Funcs{
		// The first pass over each namespace counts what is there.
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, isPod := e.ObjectOld.(*corev1.Pod)
			is, alsoPod := e.ObjectNew.(*corev1.Pod)
			return isPod && alsoPod && (subject.Finished(was) != subject.Finished(is) || !apiequality.Semantic.DeepEqual(was.Labels, is.Labels))
		},
	}
}

// undeclaring asks for a new count where a pod that no PHIWorkload selects comes,
// goes or changes its labels. All others pass in silence.
func undeclaring(cache client.Reader) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	about := func(ctx context.Context, q queue, pods ...client.Object) {
		for _, pod := range pods {
			undeclared, err := isUndeclared(ctx, cache, pod)
			if err != nil {
				log.FromContext(ctx).Error(err, "Could not tell whether a pod is declared", "object", client.ObjectKeyFromObject(pod))
				continue
			}
			if undeclared {
				q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: pod.GetNamespace()}}, settleFor)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { about(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { about(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { about(ctx, q, e.Object) },
	}
}

func isUndeclared(ctx context.Context, cache client.Reader, pod client.Object) (bool, error) {
	namespace := &corev1.Namespace{}
	if err := cache.Get(ctx, types.NamespacedName{Name: pod.GetNamespace()}, namespace, client.UnsafeDisableDeepCopy); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if !engine.IsPHI(namespace) {
		return false, nil
	}
	var workloads hipaav1.PHIWorkloadList
	if err := cache.List(ctx, &workloads, client.InNamespace(pod.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing workloads: %w", err)
	}
	for i := range workloads.Items {
		if w := &workloads.Items[i]; !subject.Released(w) && subject.Selects(w, pod.GetLabels()) {
			return false, nil
		}
	}
	return true, nil
}
