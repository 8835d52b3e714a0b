package catalog

import (
	"cmp"
	"fmt"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

var _ = add(control.Control{
	ID:       "emergency-access",
	Title:    "Let clinicians in when an emergency asks for it, and write down who and why",
	Cites:    []hipaa.Citation{hipaa.EmergencyAccess},
	Severity: control.High,
	Since:    1,
	Why: "A patient cannot wait until an identity provider is back, a lock has ended or a second factor is found. What has no way in for " +
		"emergencies is given one that nobody sees: a shared password.",
	Remedy: "have the security team say in the profile under users.breakGlass who may",
	Decides: "Where a PHIWorkload declares spec.users, its proxies let in who says that it is an emergency, with a purpose and a reason, though " +
		"the session or the user is locked, one factor is missing, or the identity provider cannot be reached: people with a role that the profile " +
		"names, and holders of credentials that were handed out beforehand. Each beginning is on record with the user's name, purpose and reason, and " +
		"it ends by itself. At admission a PHIWorkload is refused where emergencies open no route. Live it fails where no profile says who may. A " +
		"workload that people may reach and that declares no spec.users is Unknown: nothing shows how its application lets people in then. One that has none " +
		"of people's requests is not applicable. Not yet there: the review on the next day, and engineers' emergency access to pods, for which an approved " +
		"ControlException of privileged-access is what there is.",
	Parameters: []control.Parameter{
		{Path: "users.breakGlass.roles", Basis: control.BasisProfile, Meaning: "The roles whose holders may break the glass with a token."},
		{Path: "users.breakGlass.credentials", Basis: control.BasisProfile, Meaning: "The public keys of credentials that were handed out beforehand: the way in for who has no token when the provider is down."},
		{Path: "users.breakGlass.duration", Basis: control.BasisProfile, Meaning: "How long an emergency lasts. Default 1h."},
		{Path: "users.breakGlass.expired", Basis: control.BasisProfile, Meaning: "For how long tokens count beyond their end while their provider cannot be reached. Default 4h."},
	},
	Example:       exampleUsers,
	Judges:        control.Workloads,
	AtDeclaration: true,
	NeedsLive:     control.Proxies,
	Check: func(s control.Subject) []control.Finding {
		if findings := unasked(&s); findings != nil || s.Kind() != control.Workloads {
			return findings
		}
		if opened(s.Workload.Spec.Users) == 0 {
			return []control.Finding{control.Failed("spec.users.emergency", "is Closed for every route that people take").
				But("set it to Opens for the routes on which care depends")}
		}
		glass := s.Profile.Users.BreakGlass
		if glass == nil {
			return []control.Finding{control.Failed("spec.users", "has its proxies ask for people, and no profile says who may break the glass").OnlyLive()}
		}
		if findings := unenforced(&s); findings != nil {
			return findings
		}
		return []control.Finding{control.Met("spec.users", "%s", brokenBy(glass))}
	},
	Satisfy: func(s *control.Subject) { satisfyUsers(s) },
	Breaks: control.Breaks{
		"emergencies that open nothing": breaksUsers(func(u *hipaav1.WorkloadUsers) { u.Emergency = hipaav1.EmergencyEffectClosed }),
		"a profile that lets nobody":    live(func(s *control.Subject) { s.Profile.Users.BreakGlass = nil }),

		"a workload that says nothing of people": saysNothingOfPeople,
		"proxies that ask for nobody yet":        asksNobodyYet,
		"pods without proxies":                   podsWithoutProxies,
		"an operator without a proxy":            withoutAProxy,
	},
})

// opened counts the routes that emergencies open.
func opened(says *hipaav1.WorkloadUsers) int {
	n := 0
	routes, _ := userRoutes(says)
	for i := range routes {
		if injection.HasPeople(&routes[i]) && cmp.Or(routes[i].Emergency, says.Emergency) != hipaav1.EmergencyEffectClosed {
			n++
		}
	}
	return n
}

// brokenBy says who may, and for how long.
func brokenBy(glass *hipaav1.BreakGlassParameters) string {
	lasts := time.Hour
	if glass.Duration != nil {
		lasts = glass.Duration.Duration
	}
	who := "people of " + counted(len(glass.Roles), "role") + " who have a token"
	switch {
	case glass.Credentials != "" && len(glass.Roles) > 0:
		who += ", and holders of credentials that were handed out,"
	case glass.Credentials != "":
		who = "holders of credentials that were handed out"
	}
	return fmt.Sprintf("lets %s break the glass for %s, on record", who, spoken(lasts))
}
