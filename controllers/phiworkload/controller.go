// Package phiworkload reconciles PHIWorkloads. Its promise: every pass observes
// afresh, judges purely, repairs what it may and reports once; a quiet cluster
// sees no write.
package phiworkload

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	hipaav1ac "github.com/hipaa-operator/hipaa-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads/status,verbs=patch

// Reconciler keeps one PHIWorkload at a time as its profiles ask.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live asks the API server.
	Live client.Reader
	// Loader gathers evidence.
	Loader *subject.Loader
	// Engine judges.
	Engine *engine.Engine
	// Owned reads what the operator owns, from a cache. Sealer seals what proxies are
	// configured by; nil where the operator has none.
	Owned  *repair.Cached
	Sealer Sealer
	// Corrector repairs; Replacer evicts.
	Corrector *repair.Corrector
	Replacer  *repair.Replacer
	// Prober dials the edge of the cluster; nil dials nothing. Answered tells of
	// workloads for which it answers something else than before.
	Prober   Prober
	Answered <-chan event.GenericEvent
	// Events takes what people should hear of.
	Events events.EventRecorder
	// Fleet counts for the metrics.
	Fleet *metrics.Fleet
	// ProxyChanged tells that proxies get another image, other roots or another signer.
	// Optional.
	ProxyChanged <-chan event.GenericEvent
	// EgressChanged tells that phi-egress stands otherwise than before. Optional.
	EgressChanged <-chan event.GenericEvent
	// EvidenceChanged tells that API servers store Secrets in another way, or that it is
	// known anew whether policies are enforced. Optional.
	EvidenceChanged <-chan event.GenericEvent
	Clock           clock.PassiveClock

	journal  journal
	versions apply.Versions
}

// Reconcile reads the workload's world, judges it, repairs what it may, and
// reports once.
func (r *Reconciler) Reconcile(ctx context.Context, w *hipaav1.PHIWorkload) (ctrl.Result, error) {
	if !w.DeletionTimestamp.IsZero() {
		return r.release(ctx, w)
	}
	s := r.scopeOf(w)
	stepErr := steps{r.hold, r.observe, r.judge, r.repair, r.replace}.Run(ctx, s)
	return r.conclude(ctx, s, stepErr)
}

func (r *Reconciler) scopeOf(w *hipaav1.PHIWorkload) *scope {
	return &scope{workload: w, now: r.Clock.Now(), unpublished: r.journal.read(client.ObjectKeyFromObject(w))}
}

// conclude reports a pass: acts at once, transitions once they are written.
func (r *Reconciler) conclude(ctx context.Context, s *scope, stepErr error) (ctrl.Result, error) {
	next := statusOf(s, stepErr)
	if next.Proxy != nil && next.Proxy.PlaintextUntil != nil {
		s.endsAt(next.Proxy.PlaintextUntil.Time)
	}
	r.announceActs(s)
	r.journal.keep(client.ObjectKeyFromObject(s.workload), s.drift)
	writeErr := r.publish(ctx, s.workload, &next)
	return outcome.Return(s.recheckAfter(), stepErr, writeErr)
}

// hold makes sure that the workload cannot go before its pods have.
func (r *Reconciler) hold(ctx context.Context, s *scope) error {
	if controllerutil.ContainsFinalizer(s.workload, hipaav1.FinalizerRelease) {
		return nil
	}
	before := s.workload.DeepCopy()
	controllerutil.AddFinalizer(s.workload, hipaav1.FinalizerRelease)
	err := r.patchFinalizers(ctx, s.workload, before)
	if apierrors.IsConflict(err) {
		return outcome.Waiting(hipaav1.ReasonProgressing, time.Second)
	}
	return err
}

// patchFinalizers writes the finalizers over the version that was read.
func (r *Reconciler) patchFinalizers(ctx context.Context, w, before *hipaav1.PHIWorkload) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, w, patch, client.FieldOwner(hipaav1.FieldOwner)); err != nil {
		return fmt.Errorf("writing the finalizers: %w", err)
	}
	return nil
}

// publish is the only writer of the status: one server-side apply over the
// version that was read, nothing if nothing changed.
func (r *Reconciler) publish(ctx context.Context, w *hipaav1.PHIWorkload, next *hipaav1.PHIWorkloadStatus) error {
	name := client.ObjectKeyFromObject(w)
	if !equality.Semantic.DeepEqual(&w.Status, next) {
		status := hipaav1ac.PHIWorkloadStatus()
		if err := apply.Convert(next, status); err != nil {
			return err
		}
		configuration := hipaav1ac.PHIWorkload(w.Name, w.Namespace).WithResourceVersion(w.ResourceVersion).WithStatus(status)
		if err := apply.Status(ctx, r.Client, configuration); err != nil {
			return client.IgnoreNotFound(err)
		}
		r.versions.Wrote(w, *configuration.ResourceVersion)
		w.ResourceVersion = *configuration.ResourceVersion
		r.announceTransitions(w, &w.Status, next)
	} else if err := r.versions.Caught(w); err != nil {
		return err
	}
	r.journal.clear(name)
	r.Fleet.Observe(name, next, !w.DeletionTimestamp.IsZero())
	return nil
}

// release lets a deleted workload go once no pod that it selects lives. Until
// then it is kept as if nothing had happened, only that nothing is evicted.
func (r *Reconciler) release(ctx context.Context, w *hipaav1.PHIWorkload) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(w, hipaav1.FinalizerRelease) {
		return ctrl.Result{}, nil
	}
	s := r.scopeOf(w)
	var err error
	if s.alive, err = r.alive(ctx, w); err != nil {
		return outcome.Return(0, err, nil)
	}
	if s.alive == 0 {
		return outcome.Return(0, nil, r.letGo(ctx, s))
	}
	stepErr := steps{r.observe, r.judge, r.repair}.Run(ctx, s)
	return r.conclude(ctx, s, stepErr)
}

// alive counts the selected pods that have not finished, as the API server has
// them: what protects them must not go before they do. Pods that another workload
// claims and protects need this one no more: it was replaced, or declared over
// pods that were another's. But proxies go by what is kept for the one that they are of.
func (r *Reconciler) alive(ctx context.Context, w *hipaav1.PHIWorkload) (int, error) {
	pods, err := repair.LivePods(ctx, r.Live, w)
	if err != nil {
		return 0, fmt.Errorf("counting the pods of a deleted workload: %w", err)
	}
	scene, err := r.Loader.Scene(ctx, w.Namespace)
	if err != nil {
		return 0, fmt.Errorf("reading the scene of a deleted workload: %w", err)
	}
	return len(slices.DeleteFunc(pods, func(pod *corev1.Pod) bool {
		return injection.WorkloadOf(pod) != string(w.UID) && scene.ProtectedBeside(w, pod)
	})), nil
}

// letGo removes what is kept for the workload, reports it, and last takes the
// finalizer away.
func (r *Reconciler) letGo(ctx context.Context, s *scope) error {
	w := s.workload
	if err := r.Corrector.RemoveOwned(ctx, w.Namespace, w.Name); err != nil {
		return fmt.Errorf("releasing: %w", err)
	}
	next := releasedStatus(s)
	if err := r.publish(ctx, w, &next); err != nil {
		return err
	}
	before := w.DeepCopy()
	controllerutil.RemoveFinalizer(w, hipaav1.FinalizerRelease)
	if err := r.patchFinalizers(ctx, w, before); client.IgnoreNotFound(err) != nil {
		return err
	}
	r.journal.clear(client.ObjectKeyFromObject(w))
	r.dialNothing(w)
	r.versions.Forget(w)
	r.Fleet.Forget(client.ObjectKeyFromObject(w))
	return nil
}

// releasedStatus is the last status: nothing is kept any more.
func releasedStatus(s *scope) hipaav1.PHIWorkloadStatus {
	now := metav1.NewTime(s.now.UTC().Truncate(time.Second))
	conditions := &outcome.Conditions{Previous: s.workload.Status.Conditions, Generation: s.workload.Generation, Now: now}
	next := hipaav1.PHIWorkloadStatus{
		ObservedGeneration: s.workload.Generation,
		Stage:              s.workload.Status.Stage,
		Drift:              driftOf(s, now),
	}
	r := report{scope: s, status: &next, conditions: conditions}
	r.ready()
	r.released()
	next.Conditions = conditions.List()
	return next
}
