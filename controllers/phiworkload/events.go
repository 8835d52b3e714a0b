package phiworkload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// announceActs tells what the pass did or noticed. It does not depend on whether
// the status could be written: what was done is done.
func (r *Reconciler) announceActs(s *scope) {
	for i := range s.drift {
		d := &s.drift[i]
		if !isKnown(s, d) {
			metrics.DriftDetected(d.Kind)
			d.DetectedEvent().About(s.workload, r.Events)
		}
		if d.Corrected {
			d.CorrectedEvent().About(s.workload, r.Events)
		}
	}
	for _, e := range s.protection.Evicted {
		outcome.Event{
			Reason: hipaav1.EventPodEvicted, Action: "Evict",
			Related: &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: e.Pod.Namespace, Name: e.Pod.Name},
			Note:    fmt.Sprintf("Pod/%s ran without %s; it comes back through admission", e.Pod.Name, strings.Join(e.Controls, ", ")),
		}.About(s.workload, r.Events)
	}
}

// isKnown reports whether an earlier pass has told of a departure that stands.
func isKnown(s *scope, d *repair.Drift) bool {
	entry := entryOf(d, metav1.Time{})
	if standsIn(s.workload.Status.Drift, entry) != nil {
		return true
	}
	for i := range s.unpublished {
		before := &s.unpublished[i]
		if !before.Corrected && before.Object() == d.Object() && before.Path == d.Path && before.Was == d.Was {
			return true
		}
	}
	return false
}

// announceTransitions tells what the new status says otherwise than the old one.
func (r *Reconciler) announceTransitions(w *hipaav1.PHIWorkload, before, after *hipaav1.PHIWorkloadStatus) {
	for _, t := range outcome.Transitions(before.Conditions, after.Conditions) {
		switch t.After.Type {
		case hipaav1.ConditionSafeguardsMet, hipaav1.ConditionDriftFree, hipaav1.ConditionEnforced,
			hipaav1.ConditionReconciling, hipaav1.ConditionStalled:
			continue // verdicts, drift and stages have events of their own; the others repeat Ready
		}
		if t.Before != nil || t.After.Status != metav1.ConditionTrue { // else as it should be from the start
			t.Event().About(w, r.Events)
		}
	}
	if was, is := failoverIn(before), failoverIn(after); was != nil && is != nil && was.Message != is.Message {
		outcome.Event{
			Warning: true, Reason: hipaav1.ReasonFailoverInForce, Action: outcome.Apart("MoveFailover", is.Message),
			Note: hipaav1.ConditionHomeRegionsOnly + ": " + is.Message,
		}.About(w, r.Events)
	}
	if before.Stage != after.Stage && before.Stage != "" {
		outcome.Event{
			Reason: hipaav1.EventStageChanged, Action: string(after.Stage),
			Note: fmt.Sprintf("%s, was %s", after.Stage, before.Stage),
		}.About(w, r.Events)
	}
	for i := range after.Drift {
		if d := &after.Drift[i]; d.State == hipaav1.DriftResolved && standsIn(before.Drift, *d) != nil {
			driftResolved(w, d).About(w, r.Events)
		}
	}
	r.announceVerdicts(w, before, after)
}

// failoverIn is the condition that tells of a failover while one is in force; else nil.
func failoverIn(status *hipaav1.PHIWorkloadStatus) *metav1.Condition {
	c := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionHomeRegionsOnly)
	if c == nil || c.Reason != hipaav1.ReasonFailoverInForce {
		return nil
	}
	return c
}

// announceVerdicts tells of verdicts that changed, and of what will change them.
func (r *Reconciler) announceVerdicts(w *hipaav1.PHIWorkload, before, after *hipaav1.PHIWorkloadStatus) {
	earlier := make(map[string]hipaav1.ControlResult, len(before.Controls))
	for i := range before.Controls {
		earlier[before.Controls[i].ID] = before.Controls[i]
	}
	for i := range after.Controls {
		c := &after.Controls[i]
		was, known := earlier[c.ID]
		if known && was.Verdict != c.Verdict {
			verdictChanged(c, was.Verdict).About(w, r.Events)
		}
		if c.Warning != "" && c.Warning != was.Warning {
			endsSoon(c).About(w, r.Events)
		}
	}
}

func driftResolved(w *hipaav1.PHIWorkload, d *hipaav1.Drift) outcome.Event {
	kind, name, _ := strings.Cut(d.Object, "/")
	return outcome.Event{
		Reason: hipaav1.ReasonDriftResolved, Action: "Compare",
		Related: &corev1.ObjectReference{Kind: kind, Namespace: w.Namespace, Name: name, FieldPath: d.Path},
		Note:    repair.Place(d.Object, d.Path) + ": " + resolution(d),
	}
}

func verdictChanged(c *hipaav1.ControlResult, was hipaav1.Verdict) outcome.Event {
	return outcome.Event{
		Warning: c.Verdict != hipaav1.VerdictPass && c.Verdict != hipaav1.VerdictNotApplicable,
		Reason:  hipaav1.EventVerdictChanged, Action: action(c.ID, c.Verdict),
		Note: fmt.Sprintf("%s: %s, was %s: %s", c.ID, c.Verdict, was, c.Message),
	}
}

func endsSoon(c *hipaav1.ControlResult) outcome.Event {
	return outcome.Event{
		Warning: true, Reason: hipaav1.EventSafeguardEnding, Action: action(c.ID, "Ending"), Note: c.ID + ": " + c.Warning,
	}
}

// action tells the changes of different controls apart.
func action(control string, verdict hipaav1.Verdict) string {
	var name strings.Builder
	for word := range strings.SplitSeq(control, "-") {
		if word != "" {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return outcome.Shorten(name.String(), 100) + string(verdict)
}
