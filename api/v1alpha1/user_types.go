package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserParameters say how the proxies of PHI workloads find out who people are. Workloads
// that declare spec.users ask for people by them; nobody else does.
//
// +kubebuilder:validation:MinProperties=1
type UserParameters struct {
	// realms are the identity providers whose tokens workloads may take. Where several
	// profiles name some, those count that all of them name; what the first profile by
	// name says of one counts.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Realms []Realm `json:"realms,omitempty"`

	// gateways are those of network.gateways that sign people in, and whose word
	// workloads may take for who the user is. They count as realms do.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Gateways []UserGateway `json:"gateways,omitempty"`

	// factors are values of claims that mean that a user proved who they are in more than
	// one way. What the first profile by name says counts; without it the values of RFC
	// 8176, REFEDS and NIST do.
	// +optional
	Factors *FactorValues `json:"factors,omitempty"`

	// openPaths are the paths that workloads may open to requests of nobody, such as
	// /static/*: whole, or with /* at the end whatever is below. Where several profiles
	// name some a path has to lie in each; where none does no path may be opened.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^/(\*|\.{0,2}[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]*(/\.{0,2}[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]*)*(/\*)?)?$`
	OpenPaths []string `json:"openPaths,omitempty"`

	// roles are limits of sessions of people with a role of their identity provider,
	// instead of session.idleTimeout and session.absoluteTimeout. They may be longer,
	// such as for a ward's own screen. Who has several roles has the shortest; of several
	// profiles the shortest counts.
	// +optional
	// +listType=map
	// +listMapKey=role
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Roles []RoleSession `json:"roles,omitempty"`

	// lockout ends guessing. Where several profiles set its fields the strictest count.
	// +optional
	Lockout *LockoutParameters `json:"lockout,omitempty"`

	// devicesAtOnce is on how many devices one person is at once. Who is on more stands in
	// the records of proxies, because several people may use one credential; nobody is
	// refused for it. Absent means 3; where several profiles set it the fewest count.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	DevicesAtOnce int32 `json:"devicesAtOnce,omitempty"`

	// breakGlass opens workloads in emergencies. What the first profile by name says
	// counts; without it nobody may, whatever happens.
	// +optional
	BreakGlass *BreakGlassParameters `json:"breakGlass,omitempty"`

	// records says how people appear in the records of proxies. Pseudonym wins where
	// profiles differ, and holds where none says anything. Who breaks the glass always
	// appears by name.
	// +optional
	Records UserRecords `json:"records,omitempty"`
}

// Realm is an identity provider of people, and how proxies reach it.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.namespace) && has(self.cidrs))",fieldPath=".cidrs",message="name namespace with podSelector, or cidrs"
// +kubebuilder:validation:XValidation:rule="has(self.namespace) == has(self.podSelector)",fieldPath=".podSelector",message="goes together with namespace"
// +kubebuilder:validation:XValidation:rule="(has(self.namespace) || has(self.cidrs)) == has(self.port)",fieldPath=".port",message="is the port behind namespace or cidrs, and goes together with them"
type Realm struct {
	// name by which workloads refer to it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// issuer is the URL of the provider as its tokens name it.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https://[^/?#\s]+[^?#\s]*$`
	Issuer string `json:"issuer,omitempty"`

	// audiences are those of which a token has to name one. A workload can take fewer.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Audiences []string `json:"audiences,omitempty"`

	// algorithms are those that tokens may be signed by. Empty means RS256, PS256 and
	// ES256.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	Algorithms []TokenAlgorithm `json:"algorithms,omitempty"`

	// keys is the URL of the provider's keys. Empty means that its metadata says it.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https://[^/?#\s]+[^?#\s]*$`
	Keys string `json:"keys,omitempty"`

	// upstream is the host and port that proxies connect to instead of the URLs' own,
	// such as keycloak.sso.svc.cluster.local:8443.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^[^\s/]+:[0-9]{1,5}$`
	Upstream string `json:"upstream,omitempty"`

	// roots are certificates in PEM that the provider's certificate is verified by. Empty
	// means those of the proxy's image.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	Roots string `json:"roots,omitempty"`

	// namespace of the provider's pods, where it runs in this cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// podSelector selects its pods.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// cidrs are its addresses, where it runs elsewhere. Policies open them to the pods of
	// workloads that take its tokens. With neither pods nor addresses they open nothing:
	// then the workload's own egress has to.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="is not a CIDR such as 198.51.100.0/24"
	CIDRs []string `json:"cidrs,omitempty"`

	// port is the number at which its pods or addresses answer.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// rolesClaim is the claim with a user's roles, with dots between nested names. Empty
	// means roles.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	RolesClaim string `json:"rolesClaim,omitempty"`

	// machines are subjects that are no people, beside those whose tokens say so.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Machines []string `json:"machines,omitempty"`

	// outage is for how long the provider's keys count while they cannot be had anew.
	// Absent means 24h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	Outage *metav1.Duration `json:"outage,omitempty"` //nolint:kubeapilinter // people write 24h, as everywhere in profiles

	// lockout states that the provider itself slows down and locks users for whom somebody
	// guesses passwords: proxies never see those. Without it login-lockout is Unknown.
	// +optional
	Lockout *Statement `json:"lockout,omitempty"`
}

// TokenAlgorithm is how a token is signed: never by a key that both sides share.
//
// +kubebuilder:validation:Enum=RS256;RS384;RS512;PS256;PS384;PS512;ES256;ES384;ES512;EdDSA
type TokenAlgorithm string

// UserGateway says in which fields of requests a gateway tells who the user is. From
// everybody else these fields are taken away.
type UserGateway struct {
	// name of the gateway, as in network.gateways.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// user is the field with the user's name, such as X-Auth-Request-User.
	// +required
	User FieldName `json:"user,omitempty"`

	// roles is the field with the user's roles, with commas between them.
	// +optional
	Roles FieldName `json:"roles,omitempty"`

	// methods is the field with the methods of authentication, as in the claim amr.
	// Without it nobody whom the gateway names has proved more than one factor.
	// +optional
	Methods FieldName `json:"methods,omitempty"`

	// authenticated is the field with the time at which the user proved who they are, in
	// seconds since 1970. A workload that takes the gateway's word needs it, or a cookie.
	// +optional
	Authenticated FieldName `json:"authenticated,omitempty"`

	// lockout states that the gateway, or the provider behind it, slows down and locks
	// users for whom somebody guesses passwords. Without it login-lockout is Unknown.
	// +optional
	Lockout *Statement `json:"lockout,omitempty"`
}

// FieldName is the name of a field of HTTP.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][-A-Za-z0-9]*$`
type FieldName string

// FactorValues are values of claims of which each means several factors.
//
// +kubebuilder:validation:MinProperties=1
type FactorValues struct {
	// methods are values of amr.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Methods []string `json:"methods,omitempty"`

	// classes are values of acr. Clients that prove too little are asked for them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Classes []string `json:"classes,omitempty"`
}

// RoleSession are the limits of the sessions of people with a role.
//
// +kubebuilder:validation:XValidation:rule="has(self.idleTimeout) || has(self.absoluteTimeout)",message="set idleTimeout, absoluteTimeout or both"
type RoleSession struct {
	// role as the identity provider or the gateway calls it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Role string `json:"role,omitempty"`

	// idleTimeout is how long a session may go unused.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"` //nolint:kubeapilinter // as session.idleTimeout

	// absoluteTimeout is how long a session may last however much it is used.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be from 1m to 168h"
	AbsoluteTimeout *metav1.Duration `json:"absoluteTimeout,omitempty"` //nolint:kubeapilinter // as session.absoluteTimeout
}

// LockoutParameters end guessing by people who prove too little. From the third failure
// on each makes the next try wait, twice as long each time.
//
// +kubebuilder:validation:MinProperties=1
type LockoutParameters struct {
	// failures is after how many in a row a user is locked. Absent means 10.
	// +optional
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=100
	Failures int32 `json:"failures,omitempty"`

	// duration is how long a user is locked. Absent means 15m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be from 1m to 24h"
	Duration *metav1.Duration `json:"duration,omitempty"` //nolint:kubeapilinter // as session.idleTimeout
}

// BreakGlassParameters say who may get in when an emergency asks for it: with a reason,
// on record, and whether or not the identity provider answers.
//
// +kubebuilder:validation:XValidation:rule="has(self.roles) || has(self.credentials)",message="name roles, credentials or both: nobody else may"
// +kubebuilder:validation:XValidation:rule="has(self.credentials) == has(self.audience)",fieldPath=".audience",message="goes together with credentials"
type BreakGlassParameters struct {
	// roles are those whose holders may, with a token of one of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Roles []string `json:"roles,omitempty"`

	// duration is how long an emergency lasts; its user may declare another one. Absent
	// means 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('12h')",message="must be from 1m to 12h"
	Duration *metav1.Duration `json:"duration,omitempty"` //nolint:kubeapilinter // as session.idleTimeout

	// expired is for how long tokens count beyond their end while their provider cannot
	// be reached. Absent means 4h; 0s takes none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('12h')",message="must be from 0s to 12h"
	Expired *metav1.Duration `json:"expired,omitempty"` //nolint:kubeapilinter // as session.idleTimeout

	// credentials are the public keys, as a JSON Web Key Set of which each has a kid, of
	// credentials that were handed out beforehand. They need no provider. Private keys
	// do not belong here.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="!self.contains('\"d\"')",message="has a private key; leave its members d, p, q, dp, dq, qi and k out"
	Credentials string `json:"credentials,omitempty"`

	// audience is what those credentials name as theirs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Audience string `json:"audience,omitempty"`
}

// UserRecords says how people appear in records.
//
// +kubebuilder:validation:Enum=Pseudonym;Subject
type UserRecords string

const (
	// UserRecordsPseudonym is the same word for the same user, and no name.
	UserRecordsPseudonym UserRecords = "Pseudonym"
	// UserRecordsSubject has the name that the provider or the gateway gives beside it.
	UserRecordsSubject UserRecords = "Subject"
)
