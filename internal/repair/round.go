package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// round is one look at the pods of a workload, as the API server has them.
type round struct {
	*Replacer
	Case
	protection *Protection
	makers     *makers
	bare       []barePod
	budget     *budget
	windows    Windows
	windowsErr error
	// refused are the answers of the API server to pods of a controller: what it
	// refuses to one of them it refuses to all.
	refused map[types.UID]*refusal
}

func (r *Replacer) begin(ctx context.Context, c Case, p *Protection) (*round, error) {
	pods, err := LivePods(ctx, r.Live, c.Workload)
	if err != nil {
		return nil, err
	}
	bare, reported := r.unprotected(c, pods)
	n := &round{
		Replacer: r, Case: c, protection: p, bare: bare,
		makers: &makers{live: r.Live, known: map[types.UID]*maker{}}, refused: map[types.UID]*refusal{},
	}
	n.windows, n.windowsErr = ParseWindows(c.Ruling.Effective.Windows)
	p.Pods, p.Reported = len(pods), reported
	ready, wanted := map[types.UID]int{}, map[types.UID]int{}
	for _, pod := range pods {
		m, err := n.makers.of(ctx, pod)
		if err != nil {
			return nil, err
		}
		if m != nil {
			ready[m.group] += rankReady(pod)
		}
	}
	for _, m := range n.makers.known {
		wanted[m.group] += m.wanted
	}
	n.budget = newBudget(c.Ruling.Effective.MaxUnavailable, ready, wanted)
	return n, nil
}

// LivePods are the pods that a workload selects and that have not finished, as
// the API server has them.
func LivePods(ctx context.Context, live client.Reader, w *hipaav1.PHIWorkload) ([]*corev1.Pod, error) {
	return selected(ctx, live, w.Namespace, &w.Spec.Selector)
}

// selected are the pods that a selector selects and that have not finished, as
// the API server has them.
func selected(ctx context.Context, live client.Reader, namespace string, by *metav1.LabelSelector) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return nil, fmt.Errorf("reading the selector: %w", err)
	}
	var list corev1.PodList
	if err := live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("listing the pods live: %w", err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		if !subject.Finished(&list.Items[i]) {
			pods = append(pods, &list.Items[i])
		}
	}
	return pods, nil
}

// patience bounds what one pod may cost: others wait for their turn, and a webhook
// of somebody else may be slow.
const patience = 30 * time.Second

func (n *round) within(ctx context.Context, b barePod) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return n.consider(ctx, b)
}

// consider decides about one pod: what needs a person first, then what time
// decides, and only then the API server is asked whether the next pod would pass.
func (n *round) consider(ctx context.Context, b barePod) error {
	m, err := n.makers.of(ctx, b.pod)
	if err != nil {
		return err
	}
	if reason, message := n.obstacle(m, b); reason != "" {
		n.protection.stay(b, reason, message)
		return nil
	}
	ready := isReady(b.pod)
	switch n.budget.ask(m.group, ready) {
	case forbidden:
		n.protection.stay(b, hipaav1.ReasonReplacementNeedsPerson, "rollout.maxUnavailable of a profile allows none: restart it yourself")
		return nil
	case never:
		n.protection.stay(b, hipaav1.ReasonReplacementNeedsPerson, "it is the only replica: scale up, or restart it yourself")
		return nil
	case notNow:
		n.protection.stay(b, hipaav1.ReasonReplacementPending, "other pods of the workload are away or not ready")
		return nil
	case mayGo:
	}
	if turn, waits := n.pace.ask(client.ObjectKeyFromObject(n.Workload), n.Clock.Now()); waits {
		n.protection.lookAgain(turn)
		n.protection.stay(b, hipaav1.ReasonReplacementPending, "pods all over the cluster are being replaced, a few at a time")
		return nil
	}
	refused, err := n.rehearse(ctx, m, b.pod)
	if err != nil {
		return err
	}
	if refused != nil {
		metrics.Evicted(refused.result)
		n.protection.lookAgain(n.Clock.Now().Add(refused.retry))
		n.protection.stay(b, refused.reason, refused.message)
		return nil
	}
	return n.evict(ctx, m, b)
}

// obstacle is what stands in the way without asking the API server; an empty
// reason is nothing.
func (n *round) obstacle(m *maker, b barePod) (reason, message string) {
	if name := n.excused(b); name != "" {
		return hipaav1.ReasonReplacementNeedsPerson, "it ran under ControlException " + name + ", which counts no more"
	}
	switch {
	case m == nil:
		return hipaav1.ReasonReplacementNeedsPerson, "no controller would recreate it"
	case m.finishes:
		return hipaav1.ReasonReplacementPending, "it belongs to a Job and runs to its end"
	case !m.makes:
		return hipaav1.ReasonReplacementNeedsPerson, "the operator cannot tell what its controller would create in its place"
	}
	if why := n.judged(m.replacement(b.pod), true); why != "" {
		metrics.Evicted(metrics.EvictionRefused)
		n.protection.lookAgain(n.Clock.Now().Add(refusedRetry))
		return hipaav1.ReasonReplacementWouldBeRefused, "do not restart it: " + why
	}
	if n.Workload.Spec.Continuity == hipaav1.ContinuityPatientCare {
		return hipaav1.ReasonReplacementNeedsPerson, "the workload is PatientCare: restart it when care allows"
	}
	if n.windowsErr != nil {
		return hipaav1.ReasonReplacementNeedsPerson, "a profile's rollout.window cannot be read, so it never opens"
	}
	now := n.Clock.Now()
	opens, ever := n.windows.Opens(now)
	switch {
	case !ever:
		return hipaav1.ReasonReplacementNeedsPerson, "the rollout.window of the profiles are never open together"
	case opens.After(now):
		n.protection.lookAgain(opens)
		return hipaav1.ReasonReplacementPending, "the profiles' window opens at " + opens.UTC().Format(time.RFC3339)
	}
	return "", ""
}

// excused names an exception that once counted for something that the pod lacks,
// while the pod was there. That it ended takes no pod away: care comes first, and
// alarms tell people.
func (n *round) excused(b barePod) string {
	for _, x := range n.Ruling.Exceptions {
		if x.Spec.WorkloadRef.Name != n.Workload.Name || !engine.HasExcused(x, n.Workload.UID, b.pod.CreationTimestamp.Time) {
			continue
		}
		if slices.Contains(controlsOf(b.lacks), x.Spec.ControlID) {
			return x.Name
		}
	}
	return ""
}

func (n *round) evict(ctx context.Context, m *maker, b barePod) error {
	err := n.Client.SubResource("eviction").Create(ctx, b.pod, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: b.pod.Namespace, Name: b.pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(b.pod.UID)}},
	}, client.DisableReadYourWritesConsistency)
	switch {
	case apierrors.IsTooManyRequests(err):
		metrics.Evicted(metrics.EvictionHeld)
		n.protection.lookAgain(n.Clock.Now().Add(heldRetry))
		n.protection.stay(b, hipaav1.ReasonReplacementPending, "a PodDisruptionBudget does not allow it now")
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil // gone, or another pod by the same name: its own event tells
	case err != nil:
		metrics.Evicted(metrics.EvictionError)
		return fmt.Errorf("evicting: %w", err)
	}
	metrics.Evicted(metrics.EvictionDone)
	n.budget.take(m.group, isReady(b.pod))
	n.pace.took(n.Clock.Now())
	controls := controlsOf(b.lacks)
	n.protection.Evicted = append(n.protection.Evicted, Evicted{Pod: client.ObjectKeyFromObject(b.pod), Controls: controls})
	log.FromContext(ctx).Info("Evicted pod without its safeguards", "pod", klog.KObj(b.pod), "controls", strings.Join(controls, ","))
	return nil
}
