package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:    "business-associate-agreement",
	Title: "Let PHI go only to vendors whose agreement covers it",
	Cites: []hipaa.Citation{
		hipaa.BusinessAssociateContract, hipaa.WrittenContract, hipaa.AssociateContractClauses, hipaa.DisclosureToAssociates, hipaa.PrivacyContractClauses,
	},
	Severity: control.Critical,
	Since:    1,
	Why: "Whoever gets PHI without a business associate agreement owes nobody anything: no safeguards, no word of a breach, no return. " +
		"Agreements also end, mostly unnoticed, while data flows on.",
	Remedy: "ask the privacy officer to declare the vendor with an agreement that covers this, or leave the flow out",
	Decides: "The Vendor that the privacy officer declares, by the name under spec.egress.to of a PHIWorkload. Its agreement must be signed and " +
		"effective, have every clause of 164.504(e)(2) and 164.314(a)(2)(i), and not have ended; the Vendor must receive every data class that " +
		"the PHIWorkload handles, and keep them in regions that the profiles allow. At admission a PHIWorkload is refused for each fault that it " +
		"brings, at its creation or by a change: what stood before is not refused again. Live each fault fails from the very instant of an " +
		"agreement's end; 60, 30 and 7 days before it a warning stands beside the verdict. A subprocessor of which no agreement with the vendor " +
		"is known is Unknown, live. What an agreement says its reader vouches for, so that evidence is Attested. Calls go on past the end, unless the Vendor " +
		"says onEnd: Close or two people close them; no pod is interrupted. A PHIWorkload that names no vendor is not judged: nothing but what it declares leaves its pods, which network-isolation holds.",
	Parameters: []control.Parameter{
		{Path: "residency.regions", Basis: control.BasisState, Meaning: "Where vendors may keep PHI, as everything else. Without it any region will do."},
	},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical]
  egress: {to: [{vendor: {name: eprescribe}}]}
`,
	Judges:        control.Workloads,
	AtDeclaration: true,
	Needs:         control.Vendors,
	Check:         checkAgreements,
	Breaks: control.Breaks{
		"a vendor that nobody declares": breaksVendor(func(s *control.Subject, _ *hipaav1.Vendor) { s.World.Vendors = nil }),
		"a vendor without an agreement": breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) { v.Spec.Agreement = nil }),
		"an agreement that has ended": breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) {
			v.Spec.Agreement.Expires = metav1.NewTime(v.Spec.Agreement.Effective.Add(time.Hour))
		}),
		"an agreement that has not begun": breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) {
			v.Spec.Agreement.Effective = metav1.NewTime(v.Spec.Agreement.Expires.Add(-time.Hour))
		}),
		"an agreement without a clause": breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) {
			v.Spec.Agreement.Clauses = v.Spec.Agreement.Clauses[1:]
		}),
		"a class of data that the vendor does not receive": breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) {
			v.Spec.Receives = []hipaav1.DataClass{hipaav1.DataClassBilling}
		}),
		"a vendor elsewhere":                        breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) { v.Spec.Regions = []string{"elsewhere-1"} }),
		"a vendor that does not say where":          breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) { v.Spec.Regions = nil }),
		"a subprocessor whose agreement is unknown": passesOn(),
	},
})

// breaksVendor breaks the vendor that the workload calls.
func breaksVendor(apply func(*control.Subject, *hipaav1.Vendor)) control.Break {
	return control.Break{Kind: control.Workloads, Apply: func(s *control.Subject) { apply(s, s.World.Vendors["eprescribe"]) }}
}

func passesOn() control.Break {
	b := breaksVendor(func(_ *control.Subject, v *hipaav1.Vendor) {
		v.Spec.Agreement.Subprocessors = []hipaav1.Subprocessor{{Name: "hosting"}}
	})
	b.Reported = true
	return b
}

// checkAgreements judges each vendor that the workload names.
func checkAgreements(s control.Subject) []control.Finding {
	if s.Kind() != control.Workloads || s.Workload == nil {
		return nil
	}
	var findings []control.Finding
	if s.Workload.Spec.Egress != nil {
		for i := range s.Workload.Spec.Egress.To {
			if to := s.Workload.Spec.Egress.To[i].Vendor; to != nil {
				findings = append(findings, agreementWith(&s, to.Name, fmt.Sprintf("spec.egress.to[%d].vendor", i))...)
			}
		}
	}
	if len(findings) == 0 {
		return []control.Finding{control.NotApplicable("it declares no vendor, and nothing else may leave")}
	}
	return findings
}

// agreementWith judges one vendor. Faults are told apart by the vendor and by what is
// wrong, so that an update is refused for new ones alone.
func agreementWith(s *control.Subject, name, path string) []control.Finding {
	v := s.World.Vendors[name]
	if v == nil {
		return []control.Finding{control.Failed(path, "is %q, which no Vendor declares", name).As(name+" undeclared").
			But("ask the privacy officer to declare Vendor %q with its hosts and its agreement, or leave the flow out", name)}
	}
	a := v.Spec.Agreement
	changes := agreement.Changes(a, s.Now)
	if says, remedy := without(a, s.Now); says != "" {
		return []control.Finding{control.Failed(path, "is %q, %s", name, says).As(name+" agreement").But("%s", remedy).
			Known(hipaav1.EvidenceAttested).EndsAt(changes)}
	}
	findings := uncovered(s, v, path)
	for i := range a.Subprocessors {
		if sub := &a.Subprocessors[i]; sub.Agreement == "" {
			findings = append(findings, control.Undecided(path, "is %q, which passes data on to its subprocessor %d under no agreement that is known", name, i).
				As(name+" passes on to "+sub.Name).OnlyLive().
				But("ask the vendor, and write under spec.agreement.subprocessors[%d].agreement of the Vendor how it is known", i))
		}
	}
	if len(findings) > 0 {
		return findings
	}
	met := control.Met(path, "is %q, whose agreement is in force until %s", name, a.Expires.UTC().Format(time.DateOnly)).
		Known(hipaav1.EvidenceAttested).EndsAt(changes)
	if failover := s.Profile.Residency.FailoverEnds; !failover.IsZero() {
		met = met.EndsAt(earlier(changes, failover))
	}
	if agreement.Warned(a, s.Now) > 0 {
		met = met.Warning()
	}
	return []control.Finding{met}
}

// without says why an agreement does not count, and what to do; empty where it does.
func without(a *hipaav1.Agreement, now time.Time) (says, remedy string) {
	switch agreement.StateOf(a, now) {
	case agreement.None:
		return "with which there is no agreement", "conclude a business associate agreement and have the privacy officer declare it, or leave the flow out"
	case agreement.Expired:
		return "whose agreement ended on " + a.Expires.UTC().Format(time.DateOnly),
			"renew the agreement and have the privacy officer declare it, or take the flow away"
	case agreement.Incomplete:
		return "whose agreement lacks " + clauses(agreement.Missing(a)),
			"have the agreement amended and the privacy officer declare its clauses, or leave the flow out"
	case agreement.NotYetEffective:
		begins := agreement.Begins(a).UTC().Format(time.RFC3339)
		return "whose agreement counts from " + begins, "declare the flow after " + begins
	default:
		return "", ""
	}
}

// clauses names the first few, and how many more there are.
func clauses(missing []hipaav1.AgreementClause) string {
	const shown = 3
	var names []string
	for _, clause := range missing[:min(shown, len(missing))] {
		names = append(names, string(clause))
	}
	text := strings.Join(names, ", ")
	if more := len(missing) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// uncovered is what the vendor's declaration does not cover of the workload's data.
func uncovered(s *control.Subject, v *hipaav1.Vendor, path string) []control.Finding {
	var findings []control.Finding
	for _, class := range s.Workload.Spec.DataClasses {
		if !slices.Contains(v.Spec.Receives, class) {
			findings = append(findings, control.Failed(path, "is %q, which may not receive %s, a class of data that this workload handles", v.Name, class).
				As(v.Name+" receives "+string(class)).
				But("have the privacy officer add %s to spec.receives of the Vendor if the agreement covers it, or call the vendor from a workload that handles less", class))
		}
	}
	allowed := s.Profile.Residency.Allowed
	if allowed == nil {
		return findings
	}
	if len(v.Spec.Regions) == 0 {
		return append(findings, control.Failed(path, "is %q, which does not say in which regions it keeps data", v.Name).As(v.Name+" regions").
			But("have the privacy officer ask the vendor, and declare spec.regions of the Vendor"))
	}
	for _, region := range v.Spec.Regions {
		if !slices.Contains(allowed, region) {
			findings = append(findings, control.Failed(path, "is %q, which keeps data in %s, where the profile does not allow it", v.Name, region).
				As(v.Name+" keeps in "+region).EndsAt(s.Profile.Residency.FailoverEnds).
				But("agree with the vendor on one of %s, or call another vendor", strings.Join(allowed, ", ")))
		}
	}
	return findings
}
