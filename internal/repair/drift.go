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

// Place names an object, and the field where it is not the whole of it.
func Place(object, path string) string {
	if path == wholeObject {
		return object
	}
	return object + " " + path
}

func (d *Drift) place() string { return Place(d.Object(), d.Path) }

// DetectedEvent tells of the departure. What must not be there at all is told by
// what it does.
func (d *Drift) DetectedEvent() outcome.Event {
	note := fmt.Sprintf("%s: found %s, want %s, by %s", d.place(), d.Was, d.Want, d.Who)
	if d.Want == absent && d.Was != present {
		note = fmt.Sprintf("%s %s; want it gone, by %s", d.place(), d.Was, d.Who)
	}
	return outcome.Event{
		Warning: true, Reason: hipaav1.EventDriftDetected, Action: "Compare", Related: d.reference(), Note: note,
	}
}

// CorrectedEvent tells that it was put right.
func (d *Drift) CorrectedEvent() outcome.Event {
	return outcome.Event{
		Reason: hipaav1.EventDriftCorrected, Action: "Repair", Related: d.reference(),
		Note: fmt.Sprintf("%s put right after %s", d.place(), d.Took.Round(time.Millisecond)),
	}
}

// reference names the field as well, so that events about different fields of
// one object are not counted as one.
func (d *Drift) reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: d.Kind, Namespace: d.Namespace, Name: d.Name, FieldPath: d.Path}
}
