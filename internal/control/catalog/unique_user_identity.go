package catalog

import (
	"fmt"
	"slices"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "unique-user-identity",
	Title:    "Let no request for PHI pass without the person behind it",
	Cites:    []hipaa.Citation{hipaa.UniqueUserIdentification, hipaa.EntityAuthentication},
	Severity: control.High,
	Since:    1,
	Why: "What nobody in particular has read cannot be accounted for: no misuse is found, no access taken back, no patient told. " +
		"A certificate says which workload calls, and not for whom.",
	Remedy: "name under spec.users a realm or a gateway of the profile, whose people may call",
	Decides: "What a PHIWorkload declares under spec.users: from then on its proxies let no request of an HTTP or GRPC port pass without a person " +
		"whom a token of a realm names, verified by the provider's keys, or a gateway over mutual TLS. Who is nobody is answered 401 and stands on record. " +
		"At admission a PHIWorkload is refused that names a realm or gateway which the profile does not have, that opens paths to nobody in particular " +
		"which the profile does not let it open (users.openPaths), or that asks for users where no port has requests. Live it passes once every pod " +
		"has its proxy and the sealed configuration asks for users. Machines may call where a route names them: each by its own certificate or subject. " +
		"Of a port of protocol TCP that a gateway or address range may call proxies see no user: that is Unknown. So is a workload that people may " +
		"reach and that declares no spec.users: its application may ask for itself, and nothing shows it. One that no gateway and no address range may call, that " +
		"keeps data, or runs to completion is not applicable, for whom people are is its callers' to know. One person on more devices at once than " +
		"users.devicesAtOnce stands in the proxies' records (credential-shared) and in phi_proxy_shared_credentials_total, as far as a session, a login " +
		"or a cookie tells devices apart; nobody is refused for it, and the verdict does not speak of it.",
	Parameters: []control.Parameter{
		{Path: "users.realms", Basis: control.BasisProfile, Meaning: "The identity providers whose tokens workloads may take."},
		{Path: "users.gateways", Basis: control.BasisProfile, Meaning: "The gateways whose word for who the user is workloads may take, and the fields that they speak by."},
		{Path: "users.openPaths", Basis: control.BasisProfile, Meaning: "The paths that workloads may open to requests of nobody. Absent means none."},
		{Path: "users.devicesAtOnce", Basis: control.BasisProfile, Meaning: "On how many devices one person is at once. Who is on more stands on record. Default 3."},
		{Path: "users.records", Basis: control.BasisProfile, Meaning: "Whether records name people (Subject) beside their pseudonyms. Who breaks the glass is always named. Default Pseudonym."},
	},
	Example:       exampleUsers,
	Judges:        control.Workloads,
	AtDeclaration: true,
	NeedsLive:     control.Proxies,
	Check: func(s control.Subject) []control.Finding {
		if findings := unasked(&s); findings != nil || s.Kind() != control.Workloads {
			return findings
		}
		findings := slices.Concat(unknownIdentities(&s), openToNobody(&s), portsWithoutUsers(&s))
		if len(findings) == 0 {
			findings = unenforced(&s)
		}
		if len(findings) > 0 {
			return findings
		}
		says := s.Workload.Spec.Users
		return []control.Finding{control.Met("spec.users", "has its proxies ask for the person behind each request, by %s and %s; %s let others in",
			counted(len(says.Realms), "realm"), counted(len(says.Gateways), "gateway"), counted(routesOfOthers(says), "route"))}
	},
	Satisfy: func(s *control.Subject) { satisfyUsers(s) },
	Breaks: control.Breaks{
		"a realm that no profile has": breaksUsers(func(u *hipaav1.WorkloadUsers) { u.Realms = []string{"elsewhere"} }),
		"a gateway that no profile lets speak for people": breaksUsers(func(u *hipaav1.WorkloadUsers) {
			u.Gateways = []string{"ingress-nginx"}
		}),
		"everything open to nobody in particular": breaksUsers(func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{Name: "all", Paths: []string{"/*"}, Who: hipaav1.RoutePrincipalsNobody}}
		}),
		"a subject of a realm that is not the workload's": breaksUsers(func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{
				Name: "load", Paths: []string{"/load"}, Who: hipaav1.RoutePrincipalsMachines,
				Machines: []hipaav1.RouteMachine{{Realm: "elsewhere", Subject: "etl"}},
			}}
		}),
		"people at a port that has no requests": {Kind: control.Workloads, Apply: func(s *control.Subject) {
			s.Workload.Spec.Ports[0].Protocol = hipaav1.PortProtocolTCP
		}},
		"a workload that says nothing of people": saysNothingOfPeople,
		"proxies that ask for nobody yet":        asksNobodyYet,
		"pods without proxies":                   podsWithoutProxies,
		"an operator without a proxy":            withoutAProxy,
	},
})

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// routesOfOthers counts the routes that take no person.
func routesOfOthers(says *hipaav1.WorkloadUsers) int {
	n := 0
	for i := range says.Routes {
		if who := says.Routes[i].Who; who != "" && who != hipaav1.RoutePrincipalsPeople {
			n++
		}
	}
	return n
}

// unknownIdentities are realms and gateways that the profile does not have.
func unknownIdentities(s *control.Subject) []control.Finding {
	var findings []control.Finding
	says, profile := s.Workload.Spec.Users, &s.Profile.Users
	for i, name := range says.Realms {
		if _, known := profile.Realms[name]; !known {
			findings = append(findings, control.Failed(fmt.Sprintf("spec.users.realms[%d]", i), "is %q, which no profile has, or not every one that names realms", name).As("realm "+name).
				But("name a realm of users.realms in the profile, or ask the security team for this one"))
		}
	}
	for i, name := range says.Gateways {
		_, speaks := profile.Gateways[name]
		switch gateway := s.Profile.Network.Gateways[name]; {
		case !speaks:
			findings = append(findings, control.Failed(fmt.Sprintf("spec.users.gateways[%d]", i), "is %q, which no profile lets speak for people", name).As("gateway "+name).
				But("name a gateway of users.gateways in the profile, or ask the security team for this one"))
		case gateway.Namespace == "":
			findings = append(findings, control.Failed(fmt.Sprintf("spec.users.gateways[%d]", i), "is %q, which has no identity, so that anybody could speak in its place", name).As("gateway "+name).
				But("have the security team declare its pods in network.gateways, and not its addresses"))
		}
	}
	for i := range says.Routes {
		for j := range says.Routes[i].Machines {
			m := &says.Routes[i].Machines[j]
			if m.Realm != "" && !slices.Contains(says.Realms, m.Realm) {
				findings = append(findings, control.Failed(fmt.Sprintf("spec.users.routes[%d].machines[%d].realm", i, j), "is %q, whose tokens the workload does not take", m.Realm).
					As("machines of "+m.Realm+" on "+says.Routes[i].Name).But("add it to spec.users.realms, or remove the machine"))
			}
		}
	}
	return findings
}

// openToNobody are paths that the workload opens further than the profile lets it. The
// proxies ask for a person there all the same.
func openToNobody(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for i := range s.Workload.Spec.Users.Routes {
		r := &s.Workload.Spec.Users.Routes[i]
		if r.Who != hipaav1.RoutePrincipalsNobody {
			continue
		}
		for j, path := range r.Paths {
			if !s.Profile.Users.Opens(path) {
				findings = append(findings, control.Failed(fmt.Sprintf("spec.users.routes[%d].paths[%d]", i, j), "is open to nobody in particular, and no users.openPaths of the profile has it").
					As("open "+path).But("ask for People there, or have the security team open the path in the profile"))
			}
		}
	}
	return findings
}

// portsWithoutUsers are ports that people may call, and where proxies see no user.
func portsWithoutUsers(s *control.Subject) []control.Finding {
	ports := s.Workload.Spec.Ports
	if !slices.ContainsFunc(ports, func(p hipaav1.WorkloadPort) bool { return hasRequests(&p) }) {
		return []control.Finding{control.Failed("spec.ports", "has no port of protocol HTTP or GRPC, and elsewhere proxies see no users").
			But("declare what is spoken there, or remove spec.users")}
	}
	var findings []control.Finding
	for i := range ports {
		if !hasRequests(&ports[i]) && calledByPeople(s.Workload, ports[i].Name) {
			findings = append(findings, control.Undecided(fmt.Sprintf("spec.ports[%d]", i), "is of protocol TCP, where proxies see no user").As("port "+ports[i].Name).
				But("let no gateway and no address range call it: name the ports of each caller under spec.access.from").OnlyLive())
		}
	}
	return findings
}

// calledByPeople reports whether a gateway or an address range may call a port.
func calledByPeople(w *hipaav1.PHIWorkload, port string) bool {
	return w.Spec.Access != nil && slices.ContainsFunc(w.Spec.Access.From, func(from hipaav1.AccessPeer) bool {
		return fromPeople(from) && (len(from.Ports) == 0 || slices.Contains(from.Ports, port))
	})
}
