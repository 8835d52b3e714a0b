package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LongestPause bounds a pause: one that nobody ends must not become the rule. A
// week covers a go-live weekend and the days after it; whoever needs longer says so
// again, and is on record again.
const LongestPause = 7 * 24 * time.Hour

// Pause suspends enforcement for a time.
type Pause struct {
	// reason says why.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`

	// until is the instant from which the profile enforces again. More than seven
	// days ahead is refused; where that was written while admission was away, only
	// the last seven days count.
	// +required
	Until metav1.Time `json:"until,omitempty,omitzero"`
}

// Begins is the earliest instant at which the pause can count.
func (p *Pause) Begins() time.Time { return p.Until.Add(-LongestPause) }

// Holds reports whether the pause counts at an instant; nil is no pause.
func (p *Pause) Holds(now time.Time) bool {
	return p != nil && now.Before(p.Until.Time) && !now.Before(p.Begins())
}

// PauseInForce is a pause that counts now.
type PauseInForce struct {
	// until is the instant at which it ends by itself.
	// +required
	Until metav1.Time `json:"until,omitempty,omitzero"`

	// by is who wrote it, stamped by admission. Absent where it was written while
	// admission was away; the API server's audit log knows.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	By string `json:"by,omitempty"`
}
