package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,resourceNames=hipaa-operator-rehearsal,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create

// Replacer evicts pods that run without their safeguards, so that they come back
// through admission. It takes one pod at a time, over all workloads: two of them
// may select the same pods, and one profile may concern them all.
type Replacer struct {
	// Client writes.
	Client client.Client
	// Live asks the API server.
	Live client.Reader
	// Engine judges.
	Engine *engine.Engine
	Clock  clock.PassiveClock

	mu   sync.Mutex
	pace pace
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
	// Stays are those that run on without their safeguards.
	Stays []Stay
	// Evicted are those that were taken away.
	Evicted []Evicted
	// Reported are those that lack what is not enforced: mode, stage or a pause
	// leave it at a report.
	Reported []Reported
	// LookAgain is when something ends by itself; zero is never.
	LookAgain time.Time
}

// Stay is a pod that runs on without its safeguards.
type Stay struct {
	Pod string
	// Reason is one of ReplacementPending, ReplacementWouldBeRefused,
	// ReplacementNeedsPerson and ReplacementAwaitsRestart.
	Reason string
	// Message says why.
	Message string
}

// Reported is a pod that lacks what is not enforced, and these controls.
type Reported struct {
	Pod      string
	Controls []string
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
	bare, reported := r.unprotected(c, c.Subject.World.Pods)
	p.Reported = reported
	if !slices.ContainsFunc(bare, barePod.worthIt) {
		p.await(bare)
		return p, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	round, err := r.begin(ctx, c, &p)
	if err != nil {
		return p, err
	}
	for _, b := range p.await(round.bare) {
		if err := round.within(ctx, b); err != nil {
			return p, fmt.Errorf("replacing pod %s: %w", klog.KObj(b.pod), err)
		}
	}
	return p, nil
}

// barePod is a pod that lacks safeguards.
type barePod struct {
	pod *corev1.Pod
	// lacks is what the pod is interrupted for, and minor what can wait until it
	// restarts.
	lacks, minor []engine.Violation
}

func (b barePod) worthIt() bool { return len(b.lacks) > 0 }

// controlsOf are the controls that are violated, each once.
func controlsOf(violations []engine.Violation) []string {
	controls := make([]string, 0, len(violations))
	for _, v := range violations {
		controls = append(controls, v.ControlID)
	}
	return slices.Compact(controls)
}

// unprotected are the pods that admission would refuse as they are, the ones
// that are not ready first: nobody misses those. What is only unknown is no
// reason to take a pod away. Beside them it tells of the pods that lack what is
// not enforced.
func (r *Replacer) unprotected(c Case, pods []*corev1.Pod) (bare []barePod, reported []Reported) {
	for _, pod := range pods {
		if !pod.DeletionTimestamp.IsZero() {
			continue
		}
		b := barePod{pod: pod}
		d := r.Engine.Admit(c.Subject.Of(pod), c.Ruling)
		if controls := lackingOnly(d.Warned, d.Audited); len(controls) > 0 {
			reported = append(reported, Reported{Pod: pod.Name, Controls: controls})
		}
		for _, v := range d.Denied {
			switch {
			case v.Verdict != hipaav1.VerdictFail:
			case r.Engine.Replaces(v.ControlID):
				b.lacks = append(b.lacks, v)
			default:
				b.minor = append(b.minor, v)
			}
		}
		if len(b.lacks)+len(b.minor) > 0 {
			bare = append(bare, b)
		}
	}
	slices.SortStableFunc(bare, func(a, b barePod) int { return rankReady(a.pod) - rankReady(b.pod) })
	return bare, reported
}

// lackingOnly are the controls that are violated without being enforced, sorted.
// What an exception covers is not lacking now, and what is unknown is not known to
// be.
func lackingOnly(lists ...[]engine.Violation) []string {
	var controls []string
	for _, v := range slices.Concat(lists...) {
		if v.Verdict == hipaav1.VerdictFail && v.ExceptedBy == "" {
			controls = append(controls, v.ControlID)
		}
	}
	slices.Sort(controls)
	return slices.Compact(controls)
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

func (p *Protection) stay(b barePod, reason, message string) {
	p.Stays = append(p.Stays, Stay{Pod: b.pod.Name, Reason: reason, Message: message})
}

// await lets those be that lack nothing worth an interruption, and returns the
// others.
func (p *Protection) await(bare []barePod) []barePod {
	return slices.DeleteFunc(bare, func(b barePod) bool {
		if b.worthIt() {
			return false
		}
		p.stay(b, hipaav1.ReasonReplacementAwaitsRestart, "waits for its next restart: what it lacks is worth no interruption ("+strings.Join(controlsOf(b.minor), ", ")+")")
		return true
	})
}

func (p *Protection) lookAgain(at time.Time) {
	if p.LookAgain.IsZero() || at.Before(p.LookAgain) {
		p.LookAgain = at
	}
}
