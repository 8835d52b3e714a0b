package catalog

import (
	"fmt"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "login-lockout",
	Title:    "Let nobody go on guessing who they could be",
	Cites:    []hipaa.Citation{hipaa.EntityAuthentication, hipaa.LoginMonitoring},
	Severity: control.Medium,
	Since:    1,
	Why: "Who may try as often as they like gets in at last. Who is locked out for ever at the first mistake, or because " +
		"somebody else at the same address made one, is not there for the patient.",
	Remedy: "state under lockout of the realm or gateway in the profile that guessing is ended there, once it is",
	Decides: "Only live. Where a PHIWorkload declares spec.users, its proxies count the failures of each user: who proves too little for a route, and " +
		"whom the application answers 401 on a route with signIn: Application. From the third failure on the next try waits, twice as long each time; " +
		"after the profile's number the user is locked for its duration, which ends by itself, and stands on record. Never an address is locked, and " +
		"who breaks the glass gets past it. Each replica counts for itself: the evidence says how many tries that makes in all. Passwords are typed at the " +
		"identity provider, where proxies see nothing: that it ends guessing is Attested by the profile's statement about each realm and gateway until " +
		"that ends, and Unknown without. Names in forms of an application are not read. A workload that people may reach and that declares no spec.users is " +
		"Unknown; one that has none of people's requests is not applicable.",
	Parameters: []control.Parameter{
		{Path: "users.lockout.failures", Basis: control.BasisProfile, Meaning: "After how many failures in a row a user is locked. Default 10."},
		{Path: "users.lockout.duration", Basis: control.BasisProfile, Meaning: "How long a user is locked. Default 15m."},
		{Path: "users.realms", Basis: control.BasisProfile, Meaning: "What a person states of each under lockout, until an end date: that the provider itself ends guessing."},
	},
	Example:   exampleUsers,
	Judges:    control.Workloads,
	NeedsLive: control.Proxies,
	Check: func(s control.Subject) []control.Finding {
		if findings := unasked(&s); findings != nil || s.Kind() != control.Workloads {
			return findings
		}
		if findings := unenforced(&s); findings != nil {
			return findings
		}
		failures, lasts := s.Profile.Users.Lockout()
		text := fmt.Sprintf("a user is locked for %s after %d failures", spoken(lasts), failures)
		if n := len(s.World.Pods); n > 1 {
			text += fmt.Sprintf("; each of %d replicas counts for itself, so that it may be %d in all", n, n*failures)
		}
		return append(guessedElsewhere(&s), control.Met("spec.users", "%s", text))
	},
	Satisfy: func(s *control.Subject) { satisfyUsers(s) },
	Breaks: control.Breaks{
		"a provider of which nobody says that it ends guessing": live(func(s *control.Subject) {
			for name, realm := range s.Profile.Users.Realms {
				realm.Lockout = nil
				s.Profile.Users.Realms[name] = realm
			}
		}),
		"a workload that says nothing of people": saysNothingOfPeople,
		"proxies that ask for nobody yet":        asksNobodyYet,
		"pods without proxies":                   podsWithoutProxies,
		"an operator without a proxy":            withoutAProxy,
	},
})

// guessedElsewhere says of each provider whether guessing is ended there.
func guessedElsewhere(s *control.Subject) []control.Finding {
	var findings []control.Finding
	stated := func(path, who string, st *hipaav1.Statement) {
		if st == nil {
			findings = append(findings, control.Undecided(path, "is %s, of which nobody states that it ends the guessing of passwords", who).As(who).OnlyLive())
			return
		}
		findings = append(findings, control.Met(path, "is %s, which is stated to end the guessing of passwords", who).Known(hipaav1.EvidenceAttested))
	}
	for i, name := range s.Workload.Spec.Users.Realms {
		realm := s.Profile.Users.Realms[name]
		stated(fmt.Sprintf("spec.users.realms[%d]", i), fmt.Sprintf("realm %q", name), realm.Lockout)
	}
	for i, name := range s.Workload.Spec.Users.Gateways {
		gateway := s.Profile.Users.Gateways[name]
		stated(fmt.Sprintf("spec.users.gateways[%d]", i), fmt.Sprintf("gateway %q", name), gateway.Lockout)
	}
	return findings
}
