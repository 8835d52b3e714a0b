package catalog

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

var _ = add(control.Control{
	ID:       "multi-factor-authentication",
	Title:    "Let in people only who proved who they are in more than one way",
	Cites:    []hipaa.Citation{hipaa.EntityAuthentication},
	Severity: control.High,
	Since:    1,
	Why: "A password is guessed, bought and read off a note at the screen. Who has it passes for its owner, unless something else " +
		"has to be shown too.",
	Remedy: "set factors: Several, or leave it out",
	Decides: "What a PHIWorkload declares under spec.users. Its proxies take people on every route only with a token whose amr or acr means more than one " +
		"factor, or by a gateway's word for the same, unless spec.users.factors or that of a route is One. Those fail, and a PHIWorkload that " +
		"brings one is refused at admission. Live it passes once every pod has its proxy and the sealed configuration asks for users. Which values " +
		"mean several factors the profile says, or else RFC 8176, REFEDS and NIST do; that the identity provider writes them truly is its own " +
		"matter. Who breaks the glass passes with one factor, on record. A workload that people may reach and that declares no spec.users is Unknown; one that " +
		"has none of people's requests is not applicable.",
	Parameters: []control.Parameter{
		{Path: "users.factors", Basis: control.BasisProfile, Meaning: "Values of amr and acr of which each means several factors. The rule asks to verify that a person is the one claimed and names no factor."},
	},
	Example:       exampleUsers,
	Judges:        control.Workloads,
	AtDeclaration: true,
	NeedsLive:     control.Proxies,
	Check: func(s control.Subject) []control.Finding {
		if findings := unasked(&s); findings != nil || s.Kind() != control.Workloads {
			return findings
		}
		says := s.Workload.Spec.Users
		var findings []control.Finding
		routes, paths := userRoutes(says)
		for i := range routes {
			if injection.HasPeople(&routes[i]) && injection.FactorsOf(&routes[i], says) == hipaav1.FactorDemandOne {
				findings = append(findings, control.Failed(paths[i]+".factors", "is One, so that a password alone lets people in").As("factors on "+routes[i].Name))
			}
		}
		if len(findings) == 0 {
			findings = unenforced(&s)
		}
		if len(findings) == 0 {
			findings = append(findings, control.Met("spec.users", "has its proxies take only people who proved who they are in more than one way"))
		}
		return findings
	},
	Satisfy: func(s *control.Subject) { satisfyUsers(s) },
	Breaks: control.Breaks{
		"one factor everywhere": breaksUsers(func(u *hipaav1.WorkloadUsers) { u.Factors = hipaav1.FactorDemandOne }),
		"one factor on a route": breaksUsers(func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{Name: "chart", Paths: []string{"/chart/*"}, Factors: hipaav1.FactorDemandOne}}
		}),
		"a workload that says nothing of people": saysNothingOfPeople,
		"proxies that ask for nobody yet":        asksNobodyYet,
		"pods without proxies":                   podsWithoutProxies,
		"an operator without a proxy":            withoutAProxy,
	},
})
