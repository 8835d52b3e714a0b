package config

import (
	"slices"
	"time"
)

// Users says whom a request has to come from, and when their sessions end. Absent
// means that nobody is asked. TCP ports have no requests, so it says nothing of them.
type Users struct {
	// Issuers are the identity providers whose tokens count.
	Issuers []Issuer `json:"issuers,omitempty"`
	// Gateways are peers whose word counts for who the user is.
	Gateways []Gateway `json:"gateways,omitempty"`
	// Routes say what is asked where. The first that matches counts; where none does, a
	// person is needed, with the limits of all.
	Routes []Route `json:"routes,omitempty"`
	// Limits are those of every session; 15m and 12h by default.
	Limits SessionLimits `json:"limits,omitzero"`
	// Roles have limits of their own instead. Who has several has the shortest.
	Roles []RoleLimits `json:"roles,omitempty"`
	// Cookie is the application's session cookie. It tells sessions apart where the
	// user's token or gateway does not, and is cleared when a session is locked.
	Cookie string `json:"cookie,omitempty"`
	// Factors are what means that a user proved who they are in more than one way.
	Factors Factors `json:"factors,omitzero"`
	// KeyFile holds what sessions and users are told apart by without being named; at
	// least 32 bytes, the same in every replica. Empty means that each process makes
	// its own, or where there is a store that all have the one that is kept there.
	KeyFile    string      `json:"keyFile,omitempty"`
	Store      *Store      `json:"store,omitempty"`
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
	Lockout    *Lockout    `json:"lockout,omitempty"`
	// DevicesAtOnce are how many one person uses at once; 3 by default. Who is on more
	// stands on record: several may use one credential.
	DevicesAtOnce int     `json:"devicesAtOnce,omitzero"`
	Records       Records `json:"records,omitzero"`
	// Refusals are what users are told of the safeguards that refused them.
	Refusals UserRefusals `json:"refusals"`
}

// Issuer is an identity provider.
type Issuer struct {
	// URL is the issuer as its tokens name it.
	URL string `json:"url"`
	// Audiences are those of which a token has to name one.
	Audiences []string `json:"audiences"`
	// Algorithms are those that tokens may be signed by; RS256, PS256 and ES256 by default.
	Algorithms []string `json:"algorithms,omitempty"`
	// Keys is where the issuer's keys are; its metadata says so where it is empty.
	Keys string `json:"keys,omitempty"`
	// Upstream is the host and port that is connected to instead of the URLs' own.
	Upstream string `json:"upstream,omitempty"`
	// Roots are certificates in PEM that the provider's certificate is verified by;
	// those of the system where there are none.
	Roots string `json:"roots,omitempty"`
	// Outage is for how long keys count that cannot be had anew; 24h by default.
	Outage Duration `json:"outage,omitzero"`
	// RolesClaim is where the roles are, with dots between nested names; roles by default.
	RolesClaim string `json:"rolesClaim,omitempty"`
	// Machines are subjects that are no people, beside those whose tokens say so.
	Machines []string `json:"machines,omitempty"`
}

// Gateway is a peer that has authenticated users, and says in fields who they are. From
// everybody else these fields are taken away.
type Gateway struct {
	// ID is the SPIFFE id of the gateway.
	ID string `json:"id"`
	// User is the field with the user's name.
	User string `json:"user"`
	// Roles is the field with the user's roles, with commas between them.
	Roles string `json:"roles,omitempty"`
	// Methods is the field with the methods of authentication, as in the claim amr.
	Methods string `json:"methods,omitempty"`
	// Authenticated is the field that says when the user proved who they are, in
	// seconds since 1970.
	Authenticated string `json:"authenticated,omitempty"`
}

// Fields are those that the gateway speaks by.
func (g *Gateway) Fields() []string {
	var names []string
	for _, name := range []string{g.User, g.Roles, g.Methods, g.Authenticated} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Who says whom a route is for.
type Who string

// Whom routes are for.
const (
	// Person is one person, also where nothing is set.
	Person Who = "Person"
	// MachineOnly is one of the route's machines.
	MachineOnly Who = "Machine"
	// Anyone is a person or one of the route's machines.
	Anyone Who = "Anyone"
	// Nobody is asked who they are.
	Nobody Who = "Nobody"
)

// Activity says what the requests of a route mean for a session.
type Activity string

// Activities.
const (
	// Interactive requests are a user who is there, also where nothing is set.
	Interactive Activity = "Interactive"
	// Polling requests come whether or not somebody is there: they need a session, and
	// do not keep it.
	Polling Activity = "Polling"
	// Stream goes on though nobody touches it, such as the monitors of a ward: limits
	// do not end it.
	Stream Activity = "Stream"
)

// Route is what is asked of some requests.
type Route struct {
	Name string `json:"name"`
	// Ports are names under inbound; all where there are none.
	Ports []string `json:"ports,omitempty"`
	// Paths match whole, or with /* at the end whatever is below. Case does not count.
	Paths []string `json:"paths"`
	// Methods are those of HTTP; all where there are none.
	Methods  []string  `json:"methods,omitempty"`
	Who      Who       `json:"who,omitempty"`
	Machines []Machine `json:"machines,omitempty"`
	// MultiFactor asks for more than one proof of who the user is.
	MultiFactor bool `json:"multiFactor,omitempty"`
	// MaxAge is how long ago the user may have proved it; any time where it is zero.
	MaxAge   Duration `json:"maxAge,omitzero"`
	Activity Activity `json:"activity,omitempty"`
	// Limits are shorter than those of the session, for these paths alone.
	Limits SessionLimits `json:"limits,omitzero"`
	// Login says that the application signs people in here, or asks them anew: its answer
	// 401 is a failure of the user.
	Login bool `json:"login,omitempty"`
}

// Machine is who may call without a person: a subject of an issuer, or a peer.
type Machine struct {
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
	Peer    string `json:"peer,omitempty"`
}

// SessionLimits end sessions. Zero means the one that is wider: of a route the session's,
// of a role that of all.
type SessionLimits struct {
	Idle     Duration `json:"idle,omitzero"`
	Absolute Duration `json:"absolute,omitzero"`
}

// RoleLimits are limits of users with a role.
type RoleLimits struct {
	Role   string        `json:"role"`
	Limits SessionLimits `json:"limits"`
}

// Factors are values of claims. Where a list is empty its defaults count.
type Factors struct {
	// Methods are values of amr of which each means several factors by itself.
	Methods []string `json:"methods,omitempty"`
	// Classes are values of acr that mean so.
	Classes []string `json:"classes,omitempty"`
}

// OnOutage says what happens while the store cannot be reached.
type OnOutage string

// What happens while the store cannot be reached.
const (
	// Alone lets each replica go by what it knows itself.
	Alone OnOutage = "Alone"
	// Refuse answers 503.
	Refuse OnOutage = "Refuse"
)

// Store is a Redis by which replicas know of each other's sessions.
type Store struct {
	// Address is the host and port.
	Address string `json:"address"`
	// Roots are certificates in PEM that its certificate is verified by.
	Roots string `json:"roots,omitempty"`
	// Plain leaves TLS to the proxy's own outbound side, where it reaches Redis by that.
	Plain    bool   `json:"plain,omitempty"`
	Username string `json:"username,omitempty"`
	// PasswordFile holds the password.
	PasswordFile string   `json:"passwordFile,omitempty"`
	OnOutage     OnOutage `json:"onOutage"`
}

// BreakGlass is access in emergencies.
type BreakGlass struct {
	// Routes are the names of those that it opens.
	Routes []string `json:"routes"`
	// Roles are those that may; every user may where there are none.
	Roles []string `json:"roles,omitempty"`
	// Duration is how long it lasts; 1h by default.
	Duration Duration `json:"duration,omitzero"`
	// Expired is for how long tokens count beyond their end while their issuer cannot be
	// reached; not at all where it is zero.
	Expired Duration `json:"expired,omitzero"`
	// Credentials are the public keys, as a JSON Web Key Set, of credentials that were
	// handed out beforehand; Audience is whom those are for.
	Credentials string `json:"credentials,omitempty"`
	Audience    string `json:"audience,omitempty"`
	// OnlyCredentials says that no token opens anything.
	OnlyCredentials bool `json:"onlyCredentials,omitempty"`
}

// Lockout slows down and ends guessing by users who prove less than a route asks for.
type Lockout struct {
	// Failures is after how many in a row a user is locked; 10 by default. From the
	// third on each makes the next try wait, twice as long each time.
	Failures int `json:"failures,omitzero"`
	// Duration is how long a user is locked; 15m by default.
	Duration Duration `json:"duration,omitzero"`
}

// Show says how a user appears in records.
type Show string

// How a user appears in records.
const (
	// ShowPseudonym is the same word for the same user, and no name; also where nothing is set.
	ShowPseudonym Show = "Pseudonym"
	// ShowSubject is the issuer's or the gateway's name of the user beside it.
	ShowSubject Show = "Subject"
)

// Records are what is written of people's sessions.
type Records struct {
	// File is where the records go, one JSON object a line; standard output where it is empty.
	File string `json:"file,omitempty"`
	Show Show   `json:"show,omitempty"`
}

// UserRefusals names for each safeguard the control and its citation.
type UserRefusals struct {
	Identity    Refusal `json:"identity"`
	MultiFactor Refusal `json:"multiFactor"`
	Session     Refusal `json:"session"`
	Lockout     Refusal `json:"lockout"`
}

// MaxDevicesAtOnce is the most that a configuration may say.
const MaxDevicesAtOnce = 32

// defaultDevices are a workstation, a telephone, and something to carry about.
const defaultDevices = 3

// MostDevices is on how many devices one person is at once.
func (u *Users) MostDevices() int { return orDefault(u.DevicesAtOnce, defaultDevices) }

// Limits of sessions where nothing is set.
const (
	defaultIdle    = 15 * time.Minute
	defaultLongest = 12 * time.Hour
)

// OfRoles are the limits of a session of a user with these roles.
func (u *Users) OfRoles(roles []string) SessionLimits {
	all := SessionLimits{
		Idle:     orDefault(u.Limits.Idle, Duration(defaultIdle)),
		Absolute: orDefault(u.Limits.Absolute, Duration(defaultLongest)),
	}
	var own SessionLimits
	for i := range u.Roles {
		if r := &u.Roles[i]; slices.Contains(roles, r.Role) {
			l := r.Limits.Within(all)
			own = SessionLimits{Idle: shorter(own.Idle, l.Idle), Absolute: shorter(own.Absolute, l.Absolute)}
		}
	}
	return own.Within(all)
}

// Within fills in what is not set.
func (l SessionLimits) Within(wider SessionLimits) SessionLimits {
	return SessionLimits{Idle: orDefault(l.Idle, wider.Idle), Absolute: orDefault(l.Absolute, wider.Absolute)}
}

// shorter is the shorter one that is set.
func shorter(a, b Duration) Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// OrDefault fills in what is not set.
func (l Lockout) OrDefault() Lockout {
	l.Failures = orDefault(l.Failures, 10)
	l.Duration = orDefault(l.Duration, Duration(15*time.Minute))
	return l
}
