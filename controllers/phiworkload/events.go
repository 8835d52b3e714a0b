package phiworkload

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// maxNote bounds the text of an event, as the API server does.
const maxNote = 1000

// announceActs tells what the pass did or noticed. It does not depend on whether
// the status could be written: what was done is done.
func (r *Reconciler) announceActs(s *scope) {
	for _, d := range s.drift {
		related := &corev1.ObjectReference{Kind: d.Kind, Namespace: s.workload.Namespace, Name: d.Name}
		if !isKnown(s, d) {
			metrics.DriftDetected(d.Kind)
			r.event(s.workload, related, corev1.EventTypeWarning, hipaav1.EventDriftDetected, "Compare",
				fmt.Sprintf("%s %s: found %s, want %s, by %s", d.Object(), d.Path, d.Was, d.Want, d.Who))
		}
		if d.Corrected {
			r.event(s.workload, related, corev1.EventTypeNormal, hipaav1.EventDriftCorrected, "Repair",
				fmt.Sprintf("%s %s put right after %s", d.Object(), d.Path, d.Took.Round(time.Millisecond)))
		}
	}
	for _, e := range s.protection.Evicted {
		related := &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: e.Pod.Namespace, Name: e.Pod.Name}
		r.event(s.workload, related, corev1.EventTypeNormal, hipaav1.EventPodEvicted, "Evict",
			fmt.Sprintf("Pod/%s ran without %s; it comes back through admission", e.Pod.Name, strings.Join(e.Controls, ", ")))
	}
}

// isKnown reports whether an earlier pass has told of a departure that stands.
func isKnown(s *scope, d repair.Drift) bool {
	entry := entryOf(d, metav1.Time{})
	if standsIn(s.workload.Status.Drift, entry) != nil {
		return true
	}
	for _, before := range s.unpublished {
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
		kind := corev1.EventTypeNormal
		switch {
		case t.After.Status != metav1.ConditionTrue:
			kind = corev1.EventTypeWarning
		case t.Before == nil:
			continue // as it should be from the start
		}
		r.event(w, nil, kind, t.After.Reason, t.After.Type, t.After.Type+": "+t.After.Message)
	}
	if before.Stage != after.Stage && before.Stage != "" {
		r.event(w, nil, corev1.EventTypeNormal, hipaav1.EventStageChanged, string(after.Stage), fmt.Sprintf("%s, was %s", after.Stage, before.Stage))
	}
	verdicts := make(map[string]hipaav1.Verdict, len(before.Controls))
	for i := range before.Controls {
		verdicts[before.Controls[i].ID] = before.Controls[i].Verdict
	}
	for i := range after.Controls {
		c := &after.Controls[i]
		if was, known := verdicts[c.ID]; known && was != c.Verdict {
			r.event(w, nil, weight(c.Verdict), hipaav1.EventVerdictChanged, action(c.ID, c.Verdict),
				fmt.Sprintf("%s: %s, was %s: %s", c.ID, c.Verdict, was, c.Message))
		}
	}
}

func weight(v hipaav1.Verdict) string {
	if v == hipaav1.VerdictPass || v == hipaav1.VerdictNotApplicable {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// action tells the changes of different controls apart: events of the same
// action are counted and keep only the first text.
func action(control string, verdict hipaav1.Verdict) string {
	var name strings.Builder
	for word := range strings.SplitSeq(control, "-") {
		if word != "" {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return outcome.Shorten(name.String(), 100) + string(verdict)
}

func (r *Reconciler) event(w *hipaav1.PHIWorkload, related *corev1.ObjectReference, kind, reason, act string, note string) {
	if related == nil {
		r.Events.Eventf(w, nil, kind, reason, act, "%s", outcome.Shorten(note, maxNote))
		return
	}
	r.Events.Eventf(w, related, kind, reason, act, "%s", outcome.Shorten(note, maxNote))
}
