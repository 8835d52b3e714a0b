// Package control is the vocabulary of safeguards: Control, Subject, Finding.
// Its promise: a control is a pure description. It is given everything it may
// know and touches nothing; what a finding leads to is the engine's business.
package control

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// Control is one safeguard. Check, Mutate, Default and Owns are
// pure and total: no client, no clock, no log, no panic, whatever the Subject holds.
type Control struct {
	// ID is the name in denials, conditions, reports and exceptions; it never
	// changes, and the file is named after it.
	ID string
	// Title says in the imperative what the control asks for.
	Title string
	// Cites are the paragraphs it rests on, the first the most specific.
	Cites []hipaa.Citation
	// Severity ranks it among others when something must come first.
	Severity Severity
	// Since is the ruleset that brought it.
	Since Ruleset
	// Why says what goes wrong without it.
	Why string
	// Remedy says what to do about a finding that brings no remedy of its own.
	Remedy string
	// Decides says, for the docs page, what decides at admission and what only live.
	Decides string
	// Parameters are what a profile can set, each with its basis.
	Parameters []Parameter
	// Example is a manifest that meets the control, for the docs page.
	Example string

	// Resources are the types that Judges stands for where it has Resources.
	Resources []ResourceType
	// Families are API groups all of whose types Judges stands for beside Resources.
	// Live their objects come with their metadata alone.
	Families []Family

	// Reports are types in which other systems report what Check reads from the world.
	// Nobody asks admission about them.
	Reports []ReportType

	// Judges are the kinds of object that Check is given one at a time.
	Judges Kinds
	// AtDeclaration says that a PHIWorkload is judged when people write it, as far as
	// Judges has Workloads. Without it the workload as a whole is judged live alone.
	AtDeclaration bool
	// Needs is the evidence beside the object without which there is no verdict,
	// at admission and live.
	Needs Evidence
	// NeedsLive is evidence that only live judgement asks for.
	NeedsLive Evidence

	// Check judges the object of the subject. No finding is a Pass.
	Check func(Subject) []Finding
	// Mutate adds the safeguard to a pod at admission. Optional. Idempotent.
	Mutate func(Subject, *corev1.Pod)
	// Lasts reports whether Mutate goes on in every mode but Off: others rely on what it
	// has added. Optional.
	Lasts func(Subject) bool
	// Keeps says what an update of a stored pod takes away of what Mutate added. Optional.
	Keeps func(was, now *corev1.Pod) []Finding
	// Default fills in a claim at admission. Optional. Idempotent.
	Default func(Subject, *corev1.PersistentVolumeClaim)
	// Owns returns what the operator owns for the subject's workload, or for its
	// namespace where the subject has no workload, and says, one sentence each, what the
	// workload declares and no object could express: it stays closed. Optional.
	Owns func(Subject) (objects []client.Object, unresolved []string)

	// Backstop is what of Check holds of pods inside the API server while the operator
	// is gone. Optional.
	Backstop *Backstop

	// Replaces says that to run on without the safeguard is worse than to be
	// interrupted: a running pod that violates the control is evicted, as far as
	// continuity, windows and budgets let it, and comes back through admission.
	// Where it does not say so, the pod is reported until it restarts by itself.
	Replaces bool

	// Satisfy does, in tests, what only people can do to meet the control.
	// Optional.
	Satisfy func(*Subject)
	// Breaks are named ways to violate the control, for the laws.
	Breaks Breaks
}

// Breaks maps what is broken to a function that breaks it. Each is applied to a
// satisfied subject whose object is of one of the kinds that the control judges.
type Breaks map[string]Break

// Break violates a control in one way.
type Break struct {
	// Kind is the kind of object to start from.
	Kind Kinds
	// Apply breaks it.
	Apply func(*Subject)
	// Reported says that the violation cannot be refused at admission, only
	// reported live.
	Reported bool
}

// Admits reports whether admission asks the control about a kind.
func (c *Control) Admits(kind Kinds) bool {
	return c.Judges.Has(kind) && (kind != Workloads || c.AtDeclaration)
}

// Severity ranks controls.
type Severity string

// Severities.
const (
	Low      Severity = "Low"
	Medium   Severity = "Medium"
	High     Severity = "High"
	Critical Severity = "Critical"
)

// Basis says on what a parameter rests.
type Basis string

// Bases, as in the catalogue of controls.
const (
	// BasisRegulation is the text of the rule.
	BasisRegulation Basis = "Regulation"
	// BasisGuidance is guidance of the regulator or NIST.
	BasisGuidance Basis = "Guidance"
	// BasisProposed is a proposed rule, with its status date.
	BasisProposed Basis = "Proposed"
	// BasisState is a state statute.
	BasisState Basis = "State"
	// BasisProfile is good practice that the profile chooses.
	BasisProfile Basis = "Profile"
)

// Parameter is a setting of the profile that a control reads.
type Parameter struct {
	// Path is the field of ComplianceProfileSpec, such as "storage.encryptedClass".
	Path string `json:"path"`
	// Basis says on what its default rests.
	Basis Basis `json:"basis"`
	// Meaning says what it does.
	Meaning string `json:"meaning"`
}
