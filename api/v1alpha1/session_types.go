package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SessionParameters are the limits of people's sessions. Where several profiles set
// one the shortest counts.
type SessionParameters struct {
	// idleTimeout is how long a session may go unused before it ends. Where no
	// profile sets it, it is 15m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"` //nolint:kubeapilinter // people write 15m, as in the configuration of their applications

	// absoluteTimeout is how long a session may last however much it is used. Where
	// no profile sets it, it is 12h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	AbsoluteTimeout *metav1.Duration `json:"absoluteTimeout,omitempty"` //nolint:kubeapilinter // as idleTimeout

	// settings says what becomes of containers of known applications that say nothing
	// about unused sessions: Complete tells new ones idleTimeout, by the variable that
	// the application reads, but where care depends on the workload: there people do.
	// AsDeclared, the default, leaves them.
	// +optional
	// +default="AsDeclared"
	Settings SessionSettings `json:"settings,omitempty"`
}

// SessionSettings says what becomes of settings that leave unused sessions open.
//
// +kubebuilder:validation:Enum=AsDeclared;Complete
type SessionSettings string

const (
	// SessionSettingsAsDeclared leaves them.
	SessionSettingsAsDeclared SessionSettings = "AsDeclared"
	// SessionSettingsComplete adds a limit.
	SessionSettingsComplete SessionSettings = "Complete"
)
