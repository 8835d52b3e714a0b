package admission

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// hearing is one request on its way to a decision: the namespace as it stands,
// and one instant.
type hearing struct {
	gate  *Gate
	scene *subject.Scene
	now   time.Time
}

// open opens a hearing. It is nil where the namespace holds no PHI: the label
// went between the API server's decision to ask and ours to look.
func (g *Gate) open(ctx context.Context, namespace string) (*hearing, error) {
	scene, err := g.Loader.Scene(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading the scene of namespace %q: %w", namespace, err)
	}
	if !engine.IsPHI(scene.Namespace) {
		return nil, nil //nolint:nilnil // nothing to hear is no error
	}
	return &hearing{gate: g, scene: scene, now: g.Clock.Now()}, nil
}

// workload is the one of a name; nil where there is none.
func (h *hearing) workload(name string) *hipaav1.PHIWorkload {
	for _, w := range h.scene.Workloads {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// ruling is by what is judged: the rules of a workload, or of the namespace.
func (h *hearing) ruling(ctx context.Context, w *hipaav1.PHIWorkload) (engine.Ruling, error) {
	effective, err := h.effective(w)
	if err != nil {
		return engine.Ruling{}, err
	}
	ruling := engine.Ruling{
		Effective:  effective,
		Stage:      h.scene.Stage(w),
		Entered:    h.scene.Entered(w),
		Exceptions: h.scene.Exceptions,
		Now:        h.now,
	}
	if ruling.Stage != hipaav1.StagePreviewing && effective.Enforces() && !effective.Overdue(h.now) {
		adopting, err := h.adopting(ctx, w, effective)
		if err != nil {
			return engine.Ruling{}, err
		}
		if adopting {
			ruling.Stage = hipaav1.StagePreviewing
		}
	}
	return ruling, nil
}

// effective is what the profiles come to, for a workload or for the namespace.
func (h *hearing) effective(w *hipaav1.PHIWorkload) (*engine.Effective, error) {
	return h.gate.Engine.Resolve(h.scene.Profiles, h.scene.Namespace, w, h.now)
}

// adopting reports whether what was there before people declared it is still to
// be previewed: the pods of a workload that nobody has judged yet, or those of the
// namespace that nobody claims.
func (h *hearing) adopting(ctx context.Context, w *hipaav1.PHIWorkload, effective *engine.Effective) (bool, error) {
	if w != nil {
		return h.gate.Loader.Occupied(ctx, h.scene, w, effective.Undeclared)
	}
	unclaimed, err := h.gate.Loader.Unclaimed(ctx, h.scene)
	return len(unclaimed) > 0, err
}

// matter is an object before a workload's rules. No workload is the namespace's.
type matter struct {
	subject control.Subject
	ruling  engine.Ruling
}

func (h *hearing) matter(ctx context.Context, w *hipaav1.PHIWorkload, object metav1.Object, needs control.Evidence) (matter, error) {
	ruling, err := h.ruling(ctx, w)
	if err != nil {
		return matter{}, err
	}
	s := h.gate.Loader.AtAdmission(ctx, h.scene, w, object, needs)
	s.Profile = ruling.Effective.Parameters
	if needs.Has(control.StorageChain) && leavesClassOpen(s.Pod) {
		h.addClass(ctx, &s)
	}
	return matter{subject: s, ruling: ruling}, nil
}

// leavesClassOpen reports whether a pod brings claims that name no class.
func leavesClassOpen(pod *corev1.Pod) bool {
	if pod == nil {
		return false
	}
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil && v.Ephemeral.VolumeClaimTemplate.Spec.StorageClassName == nil
	})
}

// addClass adds the class that such claims will get to the evidence. Which it is
// only the ruling tells.
func (h *hearing) addClass(ctx context.Context, s *control.Subject) {
	name := s.Profile.Storage.EncryptedClass
	if name == "" || s.World.Classes[name] != nil {
		return
	}
	claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &name}}
	maps.Copy(s.World.Classes, h.gate.Loader.AtAdmission(ctx, h.scene, nil, claim, control.StorageChain).World.Classes)
}

// judge asks about one object under the rules of every workload concerned, or
// of the namespace where there is none. All findings count.
func (h *hearing) judge(ctx context.Context, concerned []*hipaav1.PHIWorkload, object metav1.Object) (engine.Decision, error) {
	var d engine.Decision
	for _, w := range orNamespace(concerned) {
		m, err := h.matter(ctx, w, object, h.gate.evidence(object))
		if err != nil {
			return d, err
		}
		d = join(d, h.gate.Engine.Admit(m.subject, m.ruling))
	}
	return d, nil
}

// orNamespace stands the namespace in for no workload.
func orNamespace(workloads []*hipaav1.PHIWorkload) []*hipaav1.PHIWorkload {
	if len(workloads) == 0 {
		return []*hipaav1.PHIWorkload{nil}
	}
	return workloads
}

func (g *Gate) evidence(object metav1.Object) control.Evidence {
	var s control.Subject
	s = s.Of(object)
	return g.Engine.AdmissionEvidence(s.Kind())
}

// join adds one decision to another. What both found stands there once.
func join(a, b engine.Decision) engine.Decision {
	return engine.Decision{
		Denied:  joinViolations(a.Denied, b.Denied),
		Warned:  joinViolations(a.Warned, b.Warned),
		Audited: joinViolations(a.Audited, b.Audited),

		Workloads: joinNames(a.Workloads, b.Workloads),
	}
}

func joinNames(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	joined := slices.Concat(a, b)
	slices.Sort(joined)
	return slices.Compact(joined)
}

func joinViolations(a, b []engine.Violation) []engine.Violation {
	if len(b) == 0 {
		return a
	}
	joined := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(joined, v) {
			joined = append(joined, v)
		}
	}
	slices.SortStableFunc(joined, func(a, b engine.Violation) int { return cmp.Compare(a.ControlID, b.ControlID) })
	return joined
}

// without is a decision less what stood against the object before: a change is
// refused for what it brings. What stood is told as a warning, so that whoever
// touches the object hears of it; what was only a warning excuses no refusal.
func without(d, before engine.Decision) engine.Decision {
	refused := minus(d.Denied, before.Denied)
	return engine.Decision{
		Denied:  refused,
		Warned:  joinViolations(d.Warned, minus(d.Denied, refused)),
		Audited: minus(d.Audited, before.Audited),

		Workloads: d.Workloads,
	}
}

func minus(found, known []engine.Violation) []engine.Violation {
	var left []engine.Violation
	for _, v := range found {
		if !slices.ContainsFunc(known, v.Is) {
			left = append(left, v)
		}
	}
	return left
}

// each changes every violation of a decision.
func each(d engine.Decision, change func(*engine.Violation)) engine.Decision {
	for _, list := range [][]engine.Violation{d.Denied, d.Warned, d.Audited} {
		for i := range list {
			change(&list[i])
		}
	}
	return d
}

// advised turns refusals into warnings.
func advised(d engine.Decision, which func(engine.Violation) bool) engine.Decision {
	var kept, moved []engine.Violation
	for _, v := range d.Denied {
		if which(v) {
			moved = append(moved, v)
		} else {
			kept = append(kept, v)
		}
	}
	return engine.Decision{Denied: kept, Warned: joinViolations(d.Warned, moved), Audited: d.Audited, Workloads: d.Workloads}
}
