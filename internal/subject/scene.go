package subject

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Scene is what decides how anything in a namespace is judged.
type Scene struct {
	Namespace *corev1.Namespace
	// Workloads of the namespace that the operator has not let go, sorted by name.
	Workloads []*hipaav1.PHIWorkload
	// Profiles of the cluster, sorted by name.
	Profiles []*hipaav1.ComplianceProfile
	// Exceptions of the namespace, sorted by name.
	Exceptions []*hipaav1.ControlException
	// gateways is what was read of the Gateways of other namespaces, for this request.
	gateways map[string][]*unstructured.Unstructured
}

// Scene reads the scene of a namespace. A namespace that the cache does not yet
// know as one that holds PHI is read live, and so are profiles where the cache
// has none: whoever asks has reason to believe that there is something. The scene
// itself is the caller's own.
func (l *Loader) Scene(ctx context.Context, namespace string) (*Scene, error) {
	if l.kept == nil {
		sc, _, err := l.read(ctx, namespace)
		return sc, err
	}
	sc, changes := l.kept.of(namespace)
	if sc == nil {
		var live bool
		var err error
		if sc, live, err = l.read(ctx, namespace); err != nil {
			return nil, err
		}
		if !live {
			l.kept.keep(namespace, sc, changes)
		}
	}
	own := *sc
	return &own, nil
}

// read reads a scene. It reports whether a part of it was read live: of that no
// event has to come.
func (l *Loader) read(ctx context.Context, namespace string) (sc *Scene, live bool, err error) {
	sc = &Scene{}
	var liveNamespace, liveProfiles bool
	if sc.Namespace, liveNamespace, err = l.namespace(ctx, namespace); err != nil {
		return nil, false, err
	}
	if sc.Profiles, liveProfiles, err = l.profiles(ctx); err != nil {
		return nil, false, err
	}
	var workloads hipaav1.PHIWorkloadList
	if err := l.list(ctx, namespace, &workloads); err != nil {
		return nil, false, err
	}
	sc.setWorkloads(workloads.Items)
	var exceptions hipaav1.ControlExceptionList
	if err := l.list(ctx, namespace, &exceptions); err != nil {
		return nil, false, err
	}
	sc.Exceptions = sortedByName(pointers(exceptions.Items))
	return sc, liveNamespace || liveProfiles, nil
}

func (l *Loader) namespace(ctx context.Context, name string) (namespace *corev1.Namespace, live bool, err error) {
	key := types.NamespacedName{Name: name}
	namespace = &corev1.Namespace{}
	found, err := l.cached(ctx, key, namespace)
	if err != nil {
		return nil, false, err
	}
	if found && namespace.Labels[hipaav1.LabelPHI] == hipaav1.LabelPHIValue {
		return namespace, false, nil
	}
	namespace = &corev1.Namespace{}
	if err := l.Live.Get(ctx, key, namespace); err != nil {
		return nil, false, fmt.Errorf("reading namespace %q: %w", name, err)
	}
	return namespace, true, nil
}

func (l *Loader) profiles(ctx context.Context) (list []*hipaav1.ComplianceProfile, live bool, err error) {
	var profiles hipaav1.ComplianceProfileList
	if err := l.Cache.List(ctx, &profiles, client.UnsafeDisableDeepCopy); err != nil {
		return nil, false, fmt.Errorf("listing profiles: %w", err)
	}
	if len(profiles.Items) == 0 {
		live = true
		if err := l.Live.List(ctx, &profiles); err != nil {
			return nil, false, fmt.Errorf("listing profiles live: %w", err)
		}
	}
	return sortedByName(pointers(profiles.Items)), live, nil
}

func (sc *Scene) setWorkloads(items []hipaav1.PHIWorkload) {
	sc.Workloads = sortedByName(slices.DeleteFunc(pointers(items), Released))
}

// Released reports whether the operator has let a deleted workload go. Somebody
// else's finalizer may keep it there for ever, but nobody keeps anything for it or
// judges its pods any more: it declares nothing.
func Released(w *hipaav1.PHIWorkload) bool {
	return !w.DeletionTimestamp.IsZero() && !slices.Contains(w.Finalizers, hipaav1.FinalizerRelease)
}

// Claiming lists the workloads whose selector matches a pod's labels, sorted by
// name, those that are being deleted last.
func (sc *Scene) Claiming(podLabels map[string]string) []*hipaav1.PHIWorkload {
	var claiming, going []*hipaav1.PHIWorkload
	for _, w := range sc.Workloads {
		switch {
		case !Selects(w, podLabels):
		case w.DeletionTimestamp.IsZero():
			claiming = append(claiming, w)
		default:
			going = append(going, w)
		}
	}
	return append(claiming, going...)
}

// Selects reports whether a workload's selector matches a pod's labels. A
// selector that does not parse selects nothing; the API server lets none in.
// Every pod is compared with every workload of its namespace, and parsing costs
// more than comparing: only expressions need it.
func Selects(w *hipaav1.PHIWorkload, podLabels map[string]string) bool {
	for key, value := range w.Spec.Selector.MatchLabels {
		if have, labelled := podLabels[key]; !labelled || have != value {
			return false
		}
	}
	if len(w.Spec.Selector.MatchExpressions) == 0 {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(&w.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(podLabels))
}

// ClaimingLive is Claiming, and where the cache has no such workload it asks the
// API server: the workload may have been applied together with the pod.
func (l *Loader) ClaimingLive(ctx context.Context, sc *Scene, podLabels map[string]string) ([]*hipaav1.PHIWorkload, error) {
	if claiming := sc.Claiming(podLabels); len(claiming) > 0 {
		return claiming, nil
	}
	if err := l.WorkloadsLive(ctx, sc); err != nil {
		return nil, err
	}
	return sc.Claiming(podLabels), nil
}

// WorkloadsLive puts the workloads that the API server has into the scene.
func (l *Loader) WorkloadsLive(ctx context.Context, sc *Scene) error {
	var live hipaav1.PHIWorkloadList
	if err := l.Live.List(ctx, &live, client.InNamespace(sc.Namespace.Name)); err != nil {
		return fmt.Errorf("listing workloads of namespace %q live: %w", sc.Namespace.Name, err)
	}
	sc.setWorkloads(live.Items)
	return nil
}

// Stage is the stage of a workload; nil asks for that of the namespace, which
// is Previewing while any of its workloads is.
func (sc *Scene) Stage(w *hipaav1.PHIWorkload) hipaav1.Stage {
	if w != nil {
		if w.Status.Stage == hipaav1.StagePreviewing {
			return hipaav1.StagePreviewing
		}
		return hipaav1.StageEnforced
	}
	for _, other := range sc.Workloads {
		if other.Status.Stage == hipaav1.StagePreviewing {
			return hipaav1.StagePreviewing
		}
	}
	return hipaav1.StageEnforced
}

// Entered are the controls that have entered Enforce for a workload, as its
// status says; nil is all of them: nobody has judged it yet.
func Entered(w *hipaav1.PHIWorkload) map[string]bool {
	if w.Status.Stage == "" {
		return nil
	}
	entered := make(map[string]bool, len(w.Status.Controls))
	for i := range w.Status.Controls {
		if c := &w.Status.Controls[i]; c.Stage == hipaav1.StageEnforced {
			entered[c.ID] = true
		}
	}
	return entered
}

// Entered is that of a workload; nil asks for the namespace, where a control
// enters Enforce once it has for every workload.
func (sc *Scene) Entered(w *hipaav1.PHIWorkload) map[string]bool {
	if w != nil {
		return Entered(w)
	}
	var everywhere map[string]bool
	for _, other := range sc.Workloads {
		entered := Entered(other)
		switch {
		case entered == nil:
		case everywhere == nil:
			everywhere = entered
		default:
			maps.DeleteFunc(everywhere, func(id string, _ bool) bool { return !entered[id] })
		}
	}
	return everywhere
}

func sortedByName[T metav1.Object](list []T) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list
}
