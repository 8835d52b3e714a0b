package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadUsers has the workload's proxies ask for the people behind requests. As soon as
// it stands, no request of an HTTP or GRPC port passes without a user, whatever modes
// controls have: what is not said by a route needs a person.
//
// +kubebuilder:validation:XValidation:rule="has(self.realms) || has(self.gateways)",message="name realms, gateways or both: somebody has to know the users"
type WorkloadUsers struct {
	// realms names those of the profiles' users.realms whose tokens count.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Realms []string `json:"realms,omitempty"`

	// audiences are those of the realms' audiences of which a token has to name one: what
	// this application is called there. Absent means all of them, so that a token for
	// another application counts too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Audiences []string `json:"audiences,omitempty"`

	// gateways names those of the profiles' users.gateways whose word counts. They have
	// to stand under access.from too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Gateways []string `json:"gateways,omitempty"`

	// factors says how people have to have proved who they are where a route does not say
	// it: Several, the default, in more than one way.
	// +optional
	// +default="Several"
	Factors FactorDemand `json:"factors,omitempty"`

	// emergency says whether breaking the glass opens what routes do not say it of: Opens,
	// the default, where a profile has users.breakGlass.
	// +optional
	// +default="Opens"
	Emergency EmergencyEffect `json:"emergency,omitempty"`

	// routes say what is asked where. The first that matches counts; where none does, a
	// person is needed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Routes []UserRoute `json:"routes,omitempty"`

	// cookie is the application's session cookie. It tells sessions apart where tokens and
	// gateways do not, and is cleared when a session is locked. Name it only where the
	// application signs people in by it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[-A-Za-z0-9_.]+$`
	Cookie string `json:"cookie,omitempty"`

	// replicas says how several replicas know of each other's sessions. Absent means that
	// they do not: then each ends sessions by what it saw itself, and automatic-logoff
	// fails as soon as there are two.
	// +optional
	Replicas *ReplicaSessions `json:"replicas,omitempty"`
}

// FactorDemand says in how many ways people have to have proved who they are.
//
// +kubebuilder:validation:Enum=Several;One
type FactorDemand string

const (
	// FactorDemandSeveral is more than one.
	FactorDemandSeveral FactorDemand = "Several"
	// FactorDemandOne is one, or more.
	FactorDemandOne FactorDemand = "One"
)

// EmergencyEffect says whether breaking the glass opens something.
//
// +kubebuilder:validation:Enum=Opens;Closed
type EmergencyEffect string

const (
	// EmergencyEffectOpens lets in who breaks the glass.
	EmergencyEffectOpens EmergencyEffect = "Opens"
	// EmergencyEffectClosed lets nobody in by it.
	EmergencyEffectClosed EmergencyEffect = "Closed"
)

// UserRoute is what is asked of some requests.
//
// +kubebuilder:validation:XValidation:rule="self.name != 'everything-else'",fieldPath=".name",message="is the name of what no route matches"
// +kubebuilder:validation:XValidation:rule="(has(self.who) && (self.who == 'Machines' || self.who == 'Anyone')) == has(self.machines)",fieldPath=".machines",message="belongs to who Machines or Anyone, and is required there"
// +kubebuilder:validation:XValidation:rule="!has(self.who) || self.who == 'People' || self.who == 'Anyone' || !(has(self.factors) || has(self.maxAge) || has(self.activity) || has(self.idleTimeout) || has(self.absoluteTimeout) || has(self.emergency))",fieldPath=".who",message="has no people, of whom factors, maxAge, activity, idleTimeout, absoluteTimeout and emergency are"
// +kubebuilder:validation:XValidation:rule="!has(self.signIn) || self.signIn != 'Application' || !has(self.who) || self.who != 'Machines'",fieldPath=".signIn",message="is of people, and who are machines"
type UserRoute struct {
	// name of the route in records.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// ports names those of spec.ports. Empty means all that speak HTTP or gRPC.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=15
	Ports []string `json:"ports,omitempty"`

	// paths match whole, or with /* at the end whatever is below. Case does not count.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^/(\*|\.{0,2}[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]*(/\.{0,2}[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]*)*(/\*)?)?$`
	Paths []string `json:"paths,omitempty"`

	// methods are those of HTTP. Empty means all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Z][-A-Z]*$`
	Methods []string `json:"methods,omitempty"`

	// who makes these requests. Absent means People. Nobody, which asks nobody who they
	// are, counts only for paths within users.openPaths of the profiles.
	// +optional
	Who RoutePrincipals `json:"who,omitempty"`

	// machines are who may call without a person.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Machines []RouteMachine `json:"machines,omitempty"` //nolint:kubeapilinter // CEL asks for one of its fields

	// factors says how people have to have proved who they are. Absent means as
	// users.factors says.
	// +optional
	Factors FactorDemand `json:"factors,omitempty"`

	// maxAge is how long ago they may have proved it. Absent means any time within the
	// session.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"` //nolint:kubeapilinter // as in profiles

	// activity says what the requests mean for a session. Absent means Interactive.
	// +optional
	Activity RouteActivity `json:"activity,omitempty"`

	// idleTimeout is how long these paths may go unused before they alone are locked,
	// where that is shorter than the session's.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"` //nolint:kubeapilinter // as in profiles

	// absoluteTimeout is how long these paths may be used at most, where that is shorter
	// than the session's.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	AbsoluteTimeout *metav1.Duration `json:"absoluteTimeout,omitempty"` //nolint:kubeapilinter // as in profiles

	// emergency says whether breaking the glass opens the route. Absent means as
	// users.emergency says.
	// +optional
	Emergency EmergencyEffect `json:"emergency,omitempty"`

	// signIn says who signs people in here. Application has its answer 401 count as a
	// failure of the user towards their lock-out: of the user of the token, of the one
	// that the gateway names, or of the name in Authorization: Basic. Names in forms are
	// not read. Absent means nobody.
	// +optional
	SignIn SignIn `json:"signIn,omitempty"`
}

// RoutePrincipals says who makes requests.
//
// +kubebuilder:validation:Enum=People;Machines;Anyone;Nobody
type RoutePrincipals string

const (
	// RoutePrincipalsPeople is a person.
	RoutePrincipalsPeople RoutePrincipals = "People"
	// RoutePrincipalsMachines is one of the route's machines.
	RoutePrincipalsMachines RoutePrincipals = "Machines"
	// RoutePrincipalsAnyone is a person or one of the route's machines.
	RoutePrincipalsAnyone RoutePrincipals = "Anyone"
	// RoutePrincipalsNobody is nobody in particular.
	RoutePrincipalsNobody RoutePrincipals = "Nobody"
)

// RouteMachine is who may call without a person: a PHI workload, or a subject of a realm.
//
// +kubebuilder:validation:XValidation:rule="has(self.phiWorkload) != has(self.subject)",message="name exactly one of phiWorkload, subject"
// +kubebuilder:validation:XValidation:rule="has(self.subject) == has(self.realm)",fieldPath=".realm",message="goes together with subject"
type RouteMachine struct {
	// phiWorkload is known by its certificate. It has to stand under access.from too.
	// +optional
	PHIWorkload *PHIWorkloadPeer `json:"phiWorkload,omitempty"`

	// realm is the one of users.realms that knows the subject.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Realm string `json:"realm,omitempty"`

	// subject is the claim sub of the machine's tokens.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject,omitempty"`
}

// RouteActivity says what requests mean for a session.
//
// +kubebuilder:validation:Enum=Interactive;Polling;MonitoringStream
type RouteActivity string

const (
	// RouteActivityInteractive is a user who is there.
	RouteActivityInteractive RouteActivity = "Interactive"
	// RouteActivityPolling comes whether or not somebody is there: it needs a session,
	// and does not keep it.
	RouteActivityPolling RouteActivity = "Polling"
	// RouteActivityMonitoringStream goes on though nobody touches it, such as the
	// monitors of a ward: it needs a user when it begins, and no limit ends it. Profiles
	// have to take the team's word for it (session.withoutPeople: Stated), or
	// automatic-logoff fails.
	RouteActivityMonitoringStream RouteActivity = "MonitoringStream"
)

// SignIn says who signs people in.
//
// +kubebuilder:validation:Enum=Application
type SignIn string

// SignInApplication is the application itself, which answers 401 to who fails.
const SignInApplication SignIn = "Application"

// ReplicaSessions says how replicas know of each other's sessions.
//
// +kubebuilder:validation:XValidation:rule="(self.knowBy == 'Store') == has(self.store)",fieldPath=".store",message="goes together with knowBy Store"
// +kubebuilder:validation:XValidation:rule="(self.knowBy == 'StickyRouting') == has(self.reason)",fieldPath=".reason",message="goes together with knowBy StickyRouting"
type ReplicaSessions struct {
	// knowBy says how.
	// +required
	KnowBy ReplicaKnowledge `json:"knowBy,omitempty"`

	// store is the Redis that the replicas have in common.
	// +optional
	Store *SessionStore `json:"store,omitempty"`

	// reason says what leads each user to one replica. That is the team's word, and the
	// evidence of automatic-logoff Attested.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// ReplicaKnowledge is how replicas know of each other's sessions.
//
// +kubebuilder:validation:Enum=Store;StickyRouting
type ReplicaKnowledge string

const (
	// ReplicaKnowledgeStore is a Redis.
	ReplicaKnowledgeStore ReplicaKnowledge = "Store"
	// ReplicaKnowledgeSticky is that whoever leads callers leads each user to one replica.
	ReplicaKnowledgeSticky ReplicaKnowledge = "StickyRouting"
)

// SessionStore is a Redis that is a PHI workload itself. Proxies reach it by mutual TLS.
// Pseudonyms and times are in it, and the key that pseudonyms are made by.
type SessionStore struct {
	// phiWorkload is the Redis. It has to stand under egress.to too.
	// +required
	PHIWorkload PHIWorkloadPeer `json:"phiWorkload,omitempty,omitzero"`

	// onOutage says what happens while the store does not answer. Absent means Alone.
	// +optional
	// +default="Alone"
	OnOutage StoreOutage `json:"onOutage,omitempty"`
}

// StoreOutage says what happens while the store of sessions does not answer.
//
// +kubebuilder:validation:Enum=Alone;Refuse
type StoreOutage string

const (
	// StoreOutageAlone lets each replica go by what it knows itself.
	StoreOutageAlone StoreOutage = "Alone"
	// StoreOutageRefuse answers people 503.
	StoreOutageRefuse StoreOutage = "Refuse"
)

// UserAsking says how proxies ask for the users of requests.
//
// +kubebuilder:validation:Enum=EachReplica;Shared
type UserAsking string

const (
	// UserAskingEachReplica means that each replica knows the sessions that it saw.
	UserAskingEachReplica UserAsking = "EachReplica"
	// UserAskingShared means that replicas know sessions by a store.
	UserAskingShared UserAsking = "Shared"
)
