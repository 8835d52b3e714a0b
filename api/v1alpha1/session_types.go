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

	// withoutPeople says what becomes of workloads whose PHIWorkload states in
	// session.serves that no people are served. Stated takes the team's word: nothing
	// asks them for an end of unused sessions. Judged, the default, does not: they are
	// judged as if people signed in. Stated counts only where every profile that sets
	// session says it.
	// +optional
	// +default="Judged"
	WithoutPeople SessionsWithoutPeople `json:"withoutPeople,omitempty"`
}

// SessionsWithoutPeople says whether a team's word is taken that no people are served.
//
// +kubebuilder:validation:Enum=Judged;Stated
type SessionsWithoutPeople string

const (
	// SessionsWithoutPeopleJudged does not take it.
	SessionsWithoutPeopleJudged SessionsWithoutPeople = "Judged"
	// SessionsWithoutPeopleStated takes it.
	SessionsWithoutPeopleStated SessionsWithoutPeople = "Stated"
)

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

// WorkloadSession is what an application team says of the sessions that a workload
// has.
//
// +kubebuilder:validation:XValidation:rule="self.serves == 'People' || has(self.reason)",fieldPath=".reason",message="is required where serves says that no people are served"
// +kubebuilder:validation:XValidation:rule="self.serves != 'People' || !has(self.reason)",fieldPath=".reason",message="belongs to serves Machines or MonitoringStream"
// +kubebuilder:validation:XValidation:rule="self.serves == 'People' || !(has(self.idleTimeout) || has(self.absoluteTimeout))",fieldPath=".idleTimeout",message="limits are those of people's sessions"
type WorkloadSession struct {
	// serves says who has sessions with the workload. Where it is not people, and the
	// profiles take the team's word (session.withoutPeople: Stated), nothing asks for an
	// end of unused sessions: the verdict is NotApplicable, and its evidence Attested.
	// Otherwise it is judged as if people signed in.
	// +optional
	// +default="People"
	Serves SessionPrincipals `json:"serves,omitempty"`

	// reason says how the team knows that no people have sessions with it.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`

	// idleTimeout is how long a session may go unused, where that is shorter than the
	// profiles'. A longer one does not count.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"` //nolint:kubeapilinter // as in profiles

	// absoluteTimeout is how long a session may last however much it is used, where
	// that is shorter than the profiles'. A longer one does not count.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	AbsoluteTimeout *metav1.Duration `json:"absoluteTimeout,omitempty"` //nolint:kubeapilinter // as in profiles
}

// SessionPrincipals says who has sessions with a workload.
//
// +kubebuilder:validation:Enum=People;Machines;MonitoringStream
type SessionPrincipals string

const (
	// SessionPrincipalsPeople says that people sign in, or may.
	SessionPrincipalsPeople SessionPrincipals = "People"
	// SessionPrincipalsMachines says that machines alone call it, each with a credential
	// of its own.
	SessionPrincipalsMachines SessionPrincipals = "Machines"
	// SessionPrincipalsMonitoringStream says that it shows what must go on though nobody
	// touches it, such as the monitors of a ward, and takes no input.
	SessionPrincipalsMonitoringStream SessionPrincipals = "MonitoringStream"
)
