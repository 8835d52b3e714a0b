package repair

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// Drift is a departure from what the operator owns or guards.
type Drift struct {
	// ControlID is the control that wants otherwise; empty if none is known.
	ControlID string
	// Kind, Namespace and Name of the object.
	Kind, Namespace, Name string
	// Path, Was, Want and Who are as in the API.
	Path, Was, Want, Who string
	// Corrected says that it was put right, and Took after how long.
	Corrected bool
	Took      time.Duration
	// Noticed is when.
	Noticed time.Time
}

// Object is kind/name.
func (d *Drift) Object() string { return d.Kind + "/" + d.Name }

// DetectedEvent tells of the departure.
func (d *Drift) DetectedEvent() outcome.Event {
	return outcome.Event{
		Warning: true, Reason: hipaav1.EventDriftDetected, Action: "Compare", Related: d.reference(),
		Note: fmt.Sprintf("%s %s: found %s, want %s, by %s", d.Object(), d.Path, d.Was, d.Want, d.Who),
	}
}

// CorrectedEvent tells that it was put right.
func (d *Drift) CorrectedEvent() outcome.Event {
	return outcome.Event{
		Reason: hipaav1.EventDriftCorrected, Action: "Repair", Related: d.reference(),
		Note: fmt.Sprintf("%s %s put right after %s", d.Object(), d.Path, d.Took.Round(time.Millisecond)),
	}
}

// reference names the field as well, so that events about different fields of
// one object are not counted as one.
func (d *Drift) reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: d.Kind, Namespace: d.Namespace, Name: d.Name, FieldPath: d.Path}
}
