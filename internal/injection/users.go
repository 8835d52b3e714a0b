package injection

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// everythingElse is the route of what no other one matches. The API reserves its name.
	everythingElse = "everything-else"
	// defaultExpired is for how long tokens count beyond their end in an emergency, while
	// their provider cannot be reached.
	defaultExpired = 4 * time.Hour
)

// errNobodyKnows keeps a configuration from being made: without users it would let
// everybody in.
var errNobodyKnows = errors.New("spec.users names no realm and no gateway that the profile lets tell who the users are")

// users has the proxies ask for the people behind requests; nil where the workload
// declares nothing of them.
func (b *builder) users(outbound []config.Outbound) (*config.Users, error) {
	says := b.workload.Spec.Users
	if says == nil {
		return nil, nil //nolint:nilnil // nobody is asked
	}
	profile := &b.subject.Profile.Users
	u := &config.Users{
		Issuers: b.issuers(says), Gateways: b.userGateways(says), Limits: b.limits(), Cookie: says.Cookie,
		Records: config.Records{Show: config.Show(profile.Records)}, Refusals: b.with.Users,
	}
	if len(u.Issuers)+len(u.Gateways) == 0 {
		return nil, errNobodyKnows
	}
	if profile.Factors != nil {
		u.Factors = config.Factors{Methods: profile.Factors.Methods, Classes: profile.Factors.Classes}
	}
	for _, role := range slices.Sorted(maps.Keys(profile.Roles)) {
		limits := profile.Roles[role]
		u.Roles = append(u.Roles, config.RoleLimits{Role: role, Limits: b.tightened(limits)})
	}
	failures, lasts := profile.Lockout()
	u.Lockout = &config.Lockout{Failures: failures, Duration: config.Duration(lasts)}
	u.DevicesAtOnce = int(profile.DevicesAtOnce)
	opened := b.routes(u, says)
	u.BreakGlass = breakGlassOf(profile.BreakGlass, opened)
	u.Store = b.store(says.Replicas, outbound)
	return u, nil
}

// issuers are the realms whose tokens count.
func (b *builder) issuers(says *hipaav1.WorkloadUsers) []config.Issuer {
	var list []config.Issuer
	for i, name := range says.Realms {
		path := fmt.Sprintf("spec.users.realms[%d]", i)
		realm, known := b.subject.Profile.Users.Realms[name]
		if !known {
			b.keepClosed(path, "the profile declares no realm %q", name)
			continue
		}
		audiences := realm.Audiences
		if len(says.Audiences) > 0 {
			audiences = intersection(realm.Audiences, says.Audiences)
		}
		if len(audiences) == 0 {
			b.keepClosed(path, "spec.users.audiences names none of the audiences of realm %q", name)
			continue
		}
		issuer := config.Issuer{
			URL: realm.Issuer, Audiences: audiences, Keys: realm.Keys, Upstream: realm.Upstream, Roots: realm.Roots,
			RolesClaim: realm.RolesClaim, Machines: realm.Machines, Outage: durationOf(realm.Outage),
		}
		for _, algorithm := range realm.Algorithms {
			issuer.Algorithms = append(issuer.Algorithms, string(algorithm))
		}
		if slices.ContainsFunc(list, func(other config.Issuer) bool { return other.URL == issuer.URL }) {
			b.keepClosed(path, "realm %q is the same issuer as another one", name)
			continue
		}
		list = append(list, issuer)
	}
	slices.SortFunc(list, func(x, y config.Issuer) int { return cmp.Compare(x.URL, y.URL) })
	return list
}

// intersection has what stands in both, as the first has it in order.
func intersection(first, second []string) []string {
	var both []string
	for _, text := range first {
		if slices.Contains(second, text) {
			both = append(both, text)
		}
	}
	return both
}

// userGateways are the gateways whose word counts: those that may call, and have an
// identity.
func (b *builder) userGateways(says *hipaav1.WorkloadUsers) []config.Gateway {
	var list []config.Gateway
	for i, name := range says.Gateways {
		path := fmt.Sprintf("spec.users.gateways[%d]", i)
		speaks, known := b.subject.Profile.Users.Gateways[name]
		gateway := b.subject.Profile.Network.Gateways[name]
		switch {
		case !known:
			b.keepClosed(path, "the profile has no users.gateways %q", name)
		case gateway.Namespace == "":
			b.keepClosed(path, "gateway %q names addresses and no pods, so that it has no identity, and its word counts for nothing", name)
		case !b.calledBy(name):
			b.keepClosed(path, "gateway %q may not call: it does not stand under spec.access.from", name)
		case speaks.Authenticated == "" && says.Cookie == "":
			b.keepClosed(path, "gateway %q does not say when users proved who they are, so that a locked session could never go on: set its field authenticated in the profile, or spec.users.cookie", name)
		default:
			id := pki.ID{TrustDomain: b.with.TrustDomain, Kind: pki.Gateway, Namespace: gateway.Namespace, Name: name}
			list = append(list, config.Gateway{
				ID: id.String(), User: string(speaks.User), Roles: string(speaks.Roles),
				Methods: string(speaks.Methods), Authenticated: string(speaks.Authenticated),
			})
		}
	}
	slices.SortFunc(list, func(x, y config.Gateway) int { return cmp.Compare(x.ID, y.ID) })
	return list
}

// calledBy reports whether a gateway may call.
func (b *builder) calledBy(gateway string) bool {
	access := b.workload.Spec.Access
	return access != nil && slices.ContainsFunc(access.From, func(from hipaav1.AccessPeer) bool {
		return from.Gateway != nil && from.Gateway.Name == gateway
	})
}

// limits are those of every session.
func (b *builder) limits() config.SessionLimits {
	session := &b.subject.Profile.Session
	return config.SessionLimits{Idle: config.Duration(session.Idle()), Absolute: config.Duration(session.Absolute())}
}

// tightened are the limits of a role, no longer than those that the workload sets for
// itself.
func (b *builder) tightened(role control.RoleSession) config.SessionLimits {
	session := &b.subject.Profile.Session
	return config.SessionLimits{
		Idle: config.Duration(shorter(role.Idle, session.OwnIdle)), Absolute: config.Duration(shorter(role.Absolute, session.OwnAbsolute)),
	}
}

// shorter is the shorter one that is set; zero where none is.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// routes adds what is asked where, and returns the names of those that an emergency
// opens. What no route matches has one of its own at the end, so that its demands stand
// somewhere.
func (b *builder) routes(u *config.Users, says *hipaav1.WorkloadUsers) (opened []string) {
	rest := hipaav1.UserRoute{Name: everythingElse, Paths: []string{"/*"}}
	for i := range says.Routes {
		if route, ok := b.route(&says.Routes[i], fmt.Sprintf("spec.users.routes[%d]", i), says); ok {
			u.Routes = append(u.Routes, route)
			if opensInEmergency(&says.Routes[i], says) {
				opened = append(opened, route.Name)
			}
		}
	}
	route, _ := b.route(&rest, "spec.users", says)
	u.Routes = append(u.Routes, route)
	if opensInEmergency(&rest, says) {
		opened = append(opened, route.Name)
	}
	return opened
}

// HasPeople reports whether a route is one that people take.
func HasPeople(r *hipaav1.UserRoute) bool {
	return r.Who != hipaav1.RoutePrincipalsMachines && r.Who != hipaav1.RoutePrincipalsNobody
}

func opensInEmergency(r *hipaav1.UserRoute, says *hipaav1.WorkloadUsers) bool {
	return HasPeople(r) && cmp.Or(r.Emergency, says.Emergency) != hipaav1.EmergencyEffectClosed
}

// whoOf is whom a route is for.
var whoOf = map[hipaav1.RoutePrincipals]config.Who{
	hipaav1.RoutePrincipalsMachines: config.MachineOnly, hipaav1.RoutePrincipalsAnyone: config.Anyone, hipaav1.RoutePrincipalsNobody: config.Nobody,
}

// activityOf is what the requests of a route mean.
var activityOf = map[hipaav1.RouteActivity]config.Activity{
	hipaav1.RouteActivityPolling: config.Polling, hipaav1.RouteActivityMonitoringStream: config.Stream,
}

// route is one route. What it opens further than the profile lets it is left out, so that
// what comes behind it decides: in the end, that a person is needed.
func (b *builder) route(r *hipaav1.UserRoute, path string, says *hipaav1.WorkloadUsers) (config.Route, bool) {
	route := config.Route{
		Name: r.Name, Paths: r.Paths, Methods: r.Methods, Who: whoOf[r.Who], Login: r.SignIn == hipaav1.SignInApplication,
	}
	if r.Who == hipaav1.RoutePrincipalsNobody {
		if route.Paths = b.openPaths(r, path); len(route.Paths) == 0 {
			return route, false
		}
	}
	if route.Ports = b.portsOf(r, path); len(r.Ports) > 0 && len(route.Ports) == 0 {
		return route, false
	}
	if len(r.Machines) > 0 {
		route.Machines = b.machines(r, path)
		if len(route.Machines) == 0 && r.Who == hipaav1.RoutePrincipalsMachines {
			return route, false
		}
		if len(route.Machines) == 0 {
			route.Who = "" // there are people still
		}
	}
	if HasPeople(r) {
		route.MultiFactor = FactorsOf(r, says) == hipaav1.FactorDemandSeveral
		route.MaxAge, route.Activity = durationOf(r.MaxAge), activityOf[r.Activity]
		route.Limits = config.SessionLimits{Idle: durationOf(r.IdleTimeout), Absolute: durationOf(r.AbsoluteTimeout)}
	}
	return route, true
}

// FactorsOf says in how many ways people have to have proved who they are on a route.
func FactorsOf(r *hipaav1.UserRoute, says *hipaav1.WorkloadUsers) hipaav1.FactorDemand {
	return cmp.Or(r.Factors, says.Factors, hipaav1.FactorDemandSeveral)
}

// openPaths are those that the profile lets nobody in particular have.
func (b *builder) openPaths(r *hipaav1.UserRoute, path string) []string {
	var open []string
	for i, p := range r.Paths {
		if b.subject.Profile.Users.Opens(p) {
			open = append(open, p)
		} else {
			b.keepClosed(fmt.Sprintf("%s.paths[%d]", path, i), "lies outside users.openPaths of the profile, and so needs a person")
		}
	}
	return open
}

// portsOf are the route's ports that have requests.
func (b *builder) portsOf(r *hipaav1.UserRoute, path string) []string {
	var ports []string
	for i, name := range r.Ports {
		if slices.ContainsFunc(b.workload.Spec.Ports, func(p hipaav1.WorkloadPort) bool {
			return p.Name == name && p.Protocol != hipaav1.PortProtocolTCP
		}) {
			ports = append(ports, name)
		} else {
			b.keepClosed(fmt.Sprintf("%s.ports[%d]", path, i), "names no port of spec.ports that speaks HTTP or gRPC")
		}
	}
	return ports
}

// machines are who of a route may call without a person.
func (b *builder) machines(r *hipaav1.UserRoute, path string) []config.Machine {
	var list []config.Machine
	for i := range r.Machines {
		m, at := &r.Machines[i], fmt.Sprintf("%s.machines[%d]", path, i)
		if m.PHIWorkload != nil {
			for _, peer := range b.identities(at, b.key(m.PHIWorkload)) {
				list = append(list, config.Machine{Peer: peer.ID})
			}
			continue
		}
		realm, known := b.subject.Profile.Users.Realms[m.Realm]
		if !known || !slices.Contains(b.workload.Spec.Users.Realms, m.Realm) {
			b.keepClosed(at, "names realm %q, which spec.users.realms and the profile do not both have", m.Realm)
			continue
		}
		list = append(list, config.Machine{Issuer: realm.Issuer, Subject: m.Subject})
	}
	slices.SortFunc(list, func(x, y config.Machine) int {
		return cmp.Or(cmp.Compare(x.Peer, y.Peer), cmp.Compare(x.Issuer, y.Issuer), cmp.Compare(x.Subject, y.Subject))
	})
	return slices.Compact(list)
}

// breakGlassOf is what emergencies open; nil where the profile lets nobody, or nothing
// opens.
func breakGlassOf(p *hipaav1.BreakGlassParameters, opened []string) *config.BreakGlass {
	if p == nil || len(opened) == 0 {
		return nil
	}
	glass := &config.BreakGlass{
		Routes: opened, Roles: p.Roles, Duration: durationOf(p.Duration), Expired: config.Duration(defaultExpired),
		Credentials: p.Credentials, Audience: p.Audience, OnlyCredentials: len(p.Roles) == 0,
	}
	if p.Expired != nil {
		glass.Expired = config.Duration(p.Expired.Duration)
	}
	return glass
}

// store is where replicas know sessions by. It is reached as the application reaches the
// same workload: by a loopback address of the proxy's own, and mutual TLS from there.
func (b *builder) store(says *hipaav1.ReplicaSessions, outbound []config.Outbound) *config.Store {
	if says == nil || says.Store == nil {
		return nil
	}
	const path = "spec.users.replicas.store"
	key := b.key(&says.Store.PHIWorkload)
	for _, service := range b.party(key).Services {
		host := b.host(service.Name + "." + service.Namespace)
		for i := range outbound {
			call := &outbound[i]
			if call.Trust != config.Mutual || call.Protocol != config.TCP || !slices.Contains(call.Names, host) {
				continue
			}
			return &config.Store{
				Address: fmt.Sprintf("%s:%d", call.Address, call.Port), Plain: true,
				OnOutage: cmp.Or(config.OnOutage(says.Store.OnOutage), config.Alone),
			}
		}
	}
	b.keepClosed(path, "PHIWorkload %s is not called at a port of protocol TCP by mutual TLS: declare it under spec.egress.to, give it a Service, and let its pods have proxies; until then each replica goes by what it knows itself", key)
	return nil
}

func durationOf(d *metav1.Duration) config.Duration {
	if d == nil {
		return 0
	}
	return config.Duration(d.Duration)
}

// AskingOf says how proxies that go by an encoded configuration ask for the users of
// requests; empty where they ask for nobody.
func AskingOf(encoded []byte) hipaav1.UserAsking {
	c, err := config.Parse(encoded)
	switch {
	case err != nil || c.Users == nil:
		return ""
	case c.Users.Store != nil:
		return hipaav1.UserAskingShared
	default:
		return hipaav1.UserAskingEachReplica
	}
}
