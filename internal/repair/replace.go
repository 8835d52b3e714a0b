package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create

// heldRetry is when an eviction is tried again that a PodDisruptionBudget does
// not allow: nothing tells when it would.
const heldRetry = 30 * time.Second

// Replacer evicts pods that run without their safeguards, so that they come back
// through admission. It takes one pod at a time, over all workloads: two of them
// may select the same pods.
type Replacer struct {
	// Client writes.
	Client client.Client
	// Live asks the API server.
	Live client.Reader
	// Engine judges.
	Engine *engine.Engine
	Clock  clock.PassiveClock

	mu sync.Mutex
}

// Case is one workload as it was judged.
type Case struct {
	Workload *hipaav1.PHIWorkload
	Subject  control.Subject
	Ruling   engine.Ruling
}

// Protection is how the pods of a workload stand.
type Protection struct {
	// Pods counts those that were looked at.
	Pods int
	// Stays are those that run on without their safeguards, sorted by name.
	Stays []Stay
	// Evicted are those that were taken away.
	Evicted []Evicted
	// LookAgain is when something ends by itself; zero is never.
	LookAgain time.Time
}

// Stay is a pod that runs on without its safeguards.
type Stay struct {
	Pod string
	// Reason is one of ReplacementPending, ReplacementWouldBeRefused and
	// ReplacementNeedsPerson.
	Reason string
	// Message says why.
	Message string
}

// Evicted is a pod that was taken away, and the controls it lacked.
type Evicted struct {
	Pod      types.NamespacedName
	Controls []string
}

// Replace looks at the pods of a workload and replaces what it may. It returns
// how far it came even with an error.
func (r *Replacer) Replace(ctx context.Context, c Case) (Protection, error) {
	p := Protection{Pods: len(c.Subject.World.Pods)}
	bare := r.unprotected(c, c.Subject.World.Pods)
	if len(bare) == 0 {
		return p, nil
	}
	if c.Workload.Spec.Continuity == hipaav1.ContinuityPatientCare {
		for _, b := range bare {
			p.stay(b, hipaav1.ReasonReplacementNeedsPerson, "the workload is PatientCare: restart it when care allows")
		}
		return p, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	round, err := r.begin(ctx, c, &p)
	if err != nil {
		return p, err
	}
	for _, b := range round.bare {
		if err := round.consider(ctx, b); err != nil {
			return p, fmt.Errorf("replacing pod %s: %w", klog.KObj(b.pod), err)
		}
	}
	return p, nil
}

// barePod is a pod that lacks safeguards.
type barePod struct {
	pod   *corev1.Pod
	lacks []engine.Violation
}

// unprotected are the pods that admission would refuse as they are, the ones
// that are not ready first: nobody misses those. What is only unknown is no
// reason to take a pod away.
func (r *Replacer) unprotected(c Case, pods []*corev1.Pod) []barePod {
	var bare []barePod
	for _, pod := range pods {
		if !pod.DeletionTimestamp.IsZero() {
			continue
		}
		lacks := slices.DeleteFunc(r.Engine.Admit(c.Subject.Of(pod), c.Ruling).Denied, func(v engine.Violation) bool {
			return v.Verdict != hipaav1.VerdictFail
		})
		if len(lacks) > 0 {
			bare = append(bare, barePod{pod: pod, lacks: lacks})
		}
	}
	slices.SortStableFunc(bare, func(a, b barePod) int { return rankReady(a.pod) - rankReady(b.pod) })
	return bare
}

func rankReady(pod *corev1.Pod) int {
	if isReady(pod) {
		return 1
	}
	return 0
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp.IsZero()
		}
	}
	return false
}

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
}

func (r *Replacer) begin(ctx context.Context, c Case, p *Protection) (*round, error) {
	pods, err := LivePods(ctx, r.Live, c.Workload)
	if err != nil {
		return nil, err
	}
	n := &round{Replacer: r, Case: c, protection: p, bare: r.unprotected(c, pods), makers: &makers{live: r.Live, known: map[types.UID]*maker{}}}
	n.windows, n.windowsErr = ParseWindows(c.Ruling.Effective.Windows)
	p.Pods = len(pods)
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
	selector, err := metav1.LabelSelectorAsSelector(&w.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector: %w", err)
	}
	var list corev1.PodList
	if err := live.List(ctx, &list, client.InNamespace(w.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
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
	refusal, err := n.rehearse(ctx, m.replacement(b.pod))
	if err != nil {
		return err
	}
	if refusal != "" {
		metrics.Evicted(metrics.EvictionRefused)
		n.protection.stay(b, hipaav1.ReasonReplacementWouldBeRefused, refusal)
		return nil
	}
	return n.evict(ctx, m, b)
}

// obstacle is what stands in the way without asking the API server; an empty
// reason is nothing.
func (n *round) obstacle(m *maker, b barePod) (reason, message string) {
	if name := n.excused(b); name != "" {
		return hipaav1.ReasonReplacementNeedsPerson, "it started under ControlException " + name + ", which counts no more"
	}
	switch {
	case m == nil:
		return hipaav1.ReasonReplacementNeedsPerson, "no controller would recreate it"
	case m.finishes:
		return hipaav1.ReasonReplacementPending, "it belongs to a Job and runs to its end"
	case !m.makes:
		return hipaav1.ReasonReplacementNeedsPerson, "the operator cannot tell what its controller would create in its place"
	}
	if refusal := n.judged(m.replacement(b.pod), true); refusal != "" {
		return hipaav1.ReasonReplacementWouldBeRefused, refusal
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

// excused names an exception that was approved for something that the pod lacks
// and under which it may have started. That it ended takes no pod away: care
// comes first, and alarms tell people.
func (n *round) excused(b barePod) string {
	for _, x := range n.Ruling.Exceptions {
		approval := x.Status.Approval
		if x.Spec.WorkloadRef.Name != n.Workload.Name || approval == nil || approval.Decision != hipaav1.DecisionApproved {
			continue
		}
		if !b.pod.CreationTimestamp.Before(&x.Spec.Expires) {
			continue
		}
		if slices.ContainsFunc(b.lacks, func(v engine.Violation) bool { return v.ControlID == x.Spec.ControlID }) {
			return x.Name
		}
	}
	return ""
}

// judged is why the engine would refuse a pod; empty if it would not. Mutated
// asks about the pod as the mutating webhook would leave it.
func (n *round) judged(pod *corev1.Pod, mutated bool) string {
	var denied []engine.Violation
	if mutated {
		_, _, d := n.Engine.Preview(n.Subject.Of(pod), n.Ruling)
		denied = d.Denied
	} else {
		denied = n.Engine.Admit(n.Subject.Of(pod), n.Ruling).Denied
	}
	if len(denied) == 0 {
		return ""
	}
	return "admission would refuse the pod that comes after it: " + denied[0].ControlID + ": " + denied[0].Sentence()
}

// rehearse asks the API server to admit the replacement without creating it, and
// makes sure that the answer carries the safeguards: where the webhook has been
// bypassed once, it may be so again.
func (n *round) rehearse(ctx context.Context, pod *corev1.Pod) (refusal string, err error) {
	err = n.Client.Create(ctx, pod, client.DryRunAll, client.FieldOwner(hipaav1.FieldOwner), client.DisableReadYourWritesConsistency)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return "the API server refuses the pod that comes after it (" + string(apierrors.ReasonForError(err)) + ")", nil
	case err != nil:
		return "", fmt.Errorf("rehearsing: %w", err)
	}
	if refusal := n.judged(pod, false); refusal != "" {
		return "admission does not add what it lacks; is the webhook in place? " + refusal, nil
	}
	return "", nil
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
	controls := make([]string, 0, len(b.lacks))
	for _, v := range b.lacks {
		controls = append(controls, v.ControlID)
	}
	controls = slices.Compact(controls)
	n.protection.Evicted = append(n.protection.Evicted, Evicted{Pod: client.ObjectKeyFromObject(b.pod), Controls: controls})
	log.FromContext(ctx).Info("Evicted pod without its safeguards", "pod", klog.KObj(b.pod), "controls", strings.Join(controls, ","))
	return nil
}

func (p *Protection) stay(b barePod, reason, message string) {
	p.Stays = append(p.Stays, Stay{Pod: b.pod.Name, Reason: reason, Message: message})
}

func (p *Protection) lookAgain(at time.Time) {
	if p.LookAgain.IsZero() || at.Before(p.LookAgain) {
		p.LookAgain = at
	}
}
