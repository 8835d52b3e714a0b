package catalog

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "assigned-responsibility",
	Title:    "Name who answers for safeguards and for privacy",
	Cites:    []hipaa.Citation{hipaa.AssignedResponsibility, hipaa.PersonnelDesignations},
	Severity: control.Medium,
	Since:    1,
	Why: "When something happens, the first question is whom to call, and it is asked at night. A safeguard that nobody answers for decays " +
		"without anybody noticing.",
	Remedy: "name both under responsibility in the ComplianceProfile",
	Decides: "Only live: a profile in force names a security officer and a privacy officer, each with an address, and the PHIWorkload its owner, " +
		"without which the API server lets none in. That the people named are there, and know of it, nobody here can see: the evidence is Attested.",
	Parameters: []control.Parameter{
		{
			Path: "responsibility.securityOfficer", Basis: control.BasisRegulation,
			Meaning: "The official who is responsible for the policies and procedures of the Security Rule (164.308(a)(2)).",
		},
		{
			Path: "responsibility.privacyOfficer", Basis: control.BasisRegulation,
			Meaning: "The official who is responsible for the policies and procedures of the Privacy Rule (164.530(a)(1)).",
		},
	},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: officers}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  responsibility:
    securityOfficer: {name: Ada Moreno, contact: security@example.org}
    privacyOfficer: {name: Jon Okafor, contact: privacy@example.org}
`,
	Judges: control.Workloads,
	Check:  checkResponsibility,
	Satisfy: func(s *control.Subject) {
		s.Profile.Responsibility = hipaav1.ResponsibilityParameters{
			SecurityOfficer: &hipaav1.Officer{Name: "Ada Moreno", Contact: "security@example.org"},
			PrivacyOfficer:  &hipaav1.Officer{Name: "Jon Okafor", Contact: "privacy@example.org"},
		}
	},
	Breaks: control.Breaks{
		"nobody answers for security":     live(func(s *control.Subject) { s.Profile.Responsibility.SecurityOfficer = nil }),
		"nobody answers for privacy":      live(func(s *control.Subject) { s.Profile.Responsibility.PrivacyOfficer = nil }),
		"nobody answers for the workload": live(func(s *control.Subject) { s.Workload.Spec.Owner = hipaav1.Owner{} }),
	},
})

func checkResponsibility(s control.Subject) []control.Finding {
	if s.Kind() != control.Workloads || s.Workload == nil {
		return nil
	}
	var findings []control.Finding
	if s.Profile.Responsibility.SecurityOfficer == nil {
		findings = append(findings, control.Failed("", "no profile in force names a security officer"))
	}
	if s.Profile.Responsibility.PrivacyOfficer == nil {
		findings = append(findings, control.Failed("", "no profile in force names a privacy officer"))
	}
	if s.Workload.Spec.Owner.Team == "" {
		findings = append(findings, control.Failed("spec.owner", "names nobody").But("name the team and how to reach it"))
	}
	for i := range findings {
		findings[i] = findings[i].OnlyLive()
	}
	if len(findings) == 0 {
		return []control.Finding{control.Met("", "a security officer, a privacy officer and an owner are named").Known(hipaav1.EvidenceAttested)}
	}
	return findings
}
