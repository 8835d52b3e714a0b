package subject

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Predating lists the live pods that ran before people declared the namespace to
// hold PHI and that no workload has taken on, sorted: closing the namespace now
// would cut them. There are none once it has been closed, so nobody opens it
// again by keeping a pod alive.
func (l *Loader) Predating(ctx context.Context, sc *Scene) ([]string, error) {
	closed, err := l.closed(ctx, sc.Namespace.Name)
	if closed || err != nil {
		return nil, err
	}
	live := &corev1.Namespace{}
	if err := l.Live.Get(ctx, types.NamespacedName{Name: sc.Namespace.Name}, live); err != nil {
		return nil, fmt.Errorf("reading namespace %q live: %w", sc.Namespace.Name, err)
	}
	var pods corev1.PodList
	if err := l.Live.List(ctx, &pods, client.InNamespace(sc.Namespace.Name)); err != nil {
		return nil, fmt.Errorf("listing the pods of namespace %q live: %w", sc.Namespace.Name, err)
	}
	declared := declaredAt(live)
	ages := ages{live: l.Live, known: map[types.UID]time.Time{}}
	var predating []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		if Finished(pod) || sc.takenOn(pod) {
			continue
		}
		since, err := ages.of(ctx, pod)
		if err != nil {
			return nil, err
		}
		if since.Before(declared) {
			predating = append(predating, pod.Name)
		}
	}
	slices.Sort(predating)
	return predating, nil
}

// ages tells since when people have run something: a pod that was rescheduled is
// as old as what made it.
type ages struct {
	live  client.Reader
	known map[types.UID]time.Time
}

// of is the age of an object, or of the oldest of the controllers above it.
// Controllers of kinds that the operator may not read do not count.
func (a ages) of(ctx context.Context, object client.Object) (time.Time, error) {
	since := object.GetCreationTimestamp().Time
	owner := metav1.GetControllerOf(object)
	if owner == nil {
		return since, nil
	}
	above, known := a.known[owner.UID]
	if !known {
		controller := &metav1.PartialObjectMetadata{}
		controller.SetGroupVersionKind(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind))
		err := a.live.Get(ctx, types.NamespacedName{Namespace: object.GetNamespace(), Name: owner.Name}, controller)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err), meta.IsNoMatchError(err), err == nil && controller.UID != owner.UID:
			return since, nil
		case err != nil:
			return since, fmt.Errorf("reading %s %q: %w", owner.Kind, owner.Name, err)
		}
		if above, err = a.of(ctx, controller); err != nil {
			return since, err
		}
		a.known[owner.UID] = above
	}
	if above.Before(since) {
		return above, nil
	}
	return since, nil
}

// closed reports whether the operator keeps anything for the namespace as a
// whole: it does so from the moment at which nothing predates any more.
func (l *Loader) closed(ctx context.Context, namespace string) (bool, error) {
	var policies networkingv1.NetworkPolicyList
	if err := l.list(ctx, namespace, &policies); err != nil {
		return false, err
	}
	for i := range policies.Items {
		if policy := &policies.Items[i]; hipaav1.IsOwned(policy) && policy.Labels[hipaav1.LabelWorkload] == "" {
			return true, nil
		}
	}
	return false, nil
}

// takenOn reports whether a workload claims a pod and has a stage: until then
// nobody has looked at what the workload would cut.
func (sc *Scene) takenOn(pod *corev1.Pod) bool {
	return slices.ContainsFunc(sc.Claiming(pod.Labels), func(w *hipaav1.PHIWorkload) bool { return w.Status.Stage != "" })
}

// declaredAt is an instant at which the namespace was declared already: its
// creation, or where field managers tell, the first time that one of those who
// hold the label wrote it. A manager's time moves on with every other field that
// it writes.
func declaredAt(namespace *corev1.Namespace) time.Time {
	label := fieldpath.MakePathOrDie("metadata", "labels", hipaav1.LabelPHI)
	var declared time.Time
	for _, entry := range namespace.ManagedFields {
		set := fieldpath.NewSet()
		if entry.FieldsV1 == nil || entry.Time == nil || set.FromJSON(entry.FieldsV1.GetRawReader()) != nil || !set.Has(label) {
			continue
		}
		if declared.IsZero() || entry.Time.Time.Before(declared) {
			declared = entry.Time.Time
		}
	}
	if declared.IsZero() {
		return namespace.CreationTimestamp.Time
	}
	return declared
}
