package v1alpha1

// Mode says what happens when a control finds something.
//
// +kubebuilder:validation:Enum=Off;Audit;Warn;Enforce
type Mode string

const (
	// ModeOff does not judge the control. Reports show it as not met.
	ModeOff Mode = "Off"
	// ModeAudit judges and reports; nothing is refused, changed or repaired.
	ModeAudit Mode = "Audit"
	// ModeWarn is Audit, and admission answers with a warning.
	ModeWarn Mode = "Warn"
	// ModeEnforce refuses at admission, mutates, and repairs drift.
	ModeEnforce Mode = "Enforce"
)

// Continuity says what an interruption of a workload would cost. It bounds
// every destructive act of the operator (45 CFR 164.306(a)(1) protects
// availability as well).
//
// +kubebuilder:validation:Enum=PatientCare;Business;Deferrable
type Continuity string

const (
	// ContinuityPatientCare means that care depends on it: people, never the
	// operator alone, evict its pods or cut its flows.
	ContinuityPatientCare Continuity = "PatientCare"
	// ContinuityBusiness means that the organisation works less well without it.
	ContinuityBusiness Continuity = "Business"
	// ContinuityDeferrable means that its work can wait.
	ContinuityDeferrable Continuity = "Deferrable"
)

// DataClass names what kind of protected health information a workload handles.
// Genetic, HIV, ReproductiveHealth, GenderAffirmingCare, Psychotherapy and
// SubstanceUse are special classes under state law or 42 CFR part 2.
//
// +kubebuilder:validation:Enum=Clinical;Demographic;Billing;Claims;Imaging;Genetic;HIV;ReproductiveHealth;GenderAffirmingCare;Psychotherapy;SubstanceUse
type DataClass string

// Data classes.
const (
	DataClassClinical            DataClass = "Clinical"
	DataClassDemographic         DataClass = "Demographic"
	DataClassBilling             DataClass = "Billing"
	DataClassClaims              DataClass = "Claims"
	DataClassImaging             DataClass = "Imaging"
	DataClassGenetic             DataClass = "Genetic"
	DataClassHIV                 DataClass = "HIV"
	DataClassReproductiveHealth  DataClass = "ReproductiveHealth"
	DataClassGenderAffirmingCare DataClass = "GenderAffirmingCare"
	DataClassPsychotherapy       DataClass = "Psychotherapy"
	DataClassSubstanceUse        DataClass = "SubstanceUse"
)

// AllDataClasses are all that there are.
var AllDataClasses = []DataClass{
	DataClassClinical, DataClassDemographic, DataClassBilling, DataClassClaims, DataClassImaging, DataClassGenetic, DataClassHIV,
	DataClassReproductiveHealth, DataClassGenderAffirmingCare, DataClassPsychotherapy, DataClassSubstanceUse,
}

// Environment says whose data a workload may hold.
//
// +kubebuilder:validation:Enum=Production;Staging;Test;Development
type Environment string

// Environments. Only Production holds the PHI of real people as a matter of course.
const (
	EnvironmentProduction  Environment = "Production"
	EnvironmentStaging     Environment = "Staging"
	EnvironmentTest        Environment = "Test"
	EnvironmentDevelopment Environment = "Development"
)

// Role says what a workload is to the others.
//
// +kubebuilder:validation:Enum=Service;DataStore;Job
type Role string

const (
	// RoleService answers requests and keeps nothing of its own.
	RoleService Role = "Service"
	// RoleDataStore keeps PHI at rest.
	RoleDataStore Role = "DataStore"
	// RoleJob runs to completion.
	RoleJob Role = "Job"
)

// PortProtocol is the application protocol of a port.
//
// +kubebuilder:validation:Enum=HTTP;GRPC;TCP
type PortProtocol string

// Application protocols. All three are carried by TCP.
const (
	PortProtocolHTTP PortProtocol = "HTTP"
	PortProtocolGRPC PortProtocol = "GRPC"
	PortProtocolTCP  PortProtocol = "TCP"
)

// TransportProtocol is the transport of a port outside the PHI workloads.
//
// +kubebuilder:validation:Enum=TCP;UDP;SCTP
type TransportProtocol string

// Transport protocols, spelled as in core/v1.
const (
	TransportTCP  TransportProtocol = "TCP"
	TransportUDP  TransportProtocol = "UDP"
	TransportSCTP TransportProtocol = "SCTP"
)

// UndeclaredPods says what admission does with a pod in a PHI namespace that
// no PHIWorkload selects.
//
// +kubebuilder:validation:Enum=Deny;Warn;Allow
type UndeclaredPods string

// Answers to undeclared pods.
const (
	UndeclaredPodsDeny  UndeclaredPods = "Deny"
	UndeclaredPodsWarn  UndeclaredPods = "Warn"
	UndeclaredPodsAllow UndeclaredPods = "Allow"
)

// Verdict is the outcome of one control for one workload.
//
// +kubebuilder:validation:Enum=Pass;Fail;Unknown;Excepted;NotApplicable
type Verdict string

const (
	// VerdictPass means that a completed check found the safeguard in place.
	VerdictPass Verdict = "Pass"
	// VerdictFail means that a completed check found it missing.
	VerdictFail Verdict = "Fail"
	// VerdictUnknown means that evidence is missing. It is never counted as met.
	VerdictUnknown Verdict = "Unknown"
	// VerdictExcepted means Fail under an approved, unexpired exception. It is
	// never counted as met.
	VerdictExcepted Verdict = "Excepted"
	// VerdictNotApplicable means that there is nothing the control could apply
	// to, for the reason in its message; never that a data source is absent.
	VerdictNotApplicable Verdict = "NotApplicable"
)

// EvidenceClass says how a verdict is known.
//
// +kubebuilder:validation:Enum=Observed;Tested;Imported;Attested
type EvidenceClass string

const (
	// EvidenceObserved is live state read from the cluster.
	EvidenceObserved EvidenceClass = "Observed"
	// EvidenceTested is a probe, a handshake, a restore.
	EvidenceTested EvidenceClass = "Tested"
	// EvidenceImported is a result of another system, with its age.
	EvidenceImported EvidenceClass = "Imported"
	// EvidenceAttested is what a person says.
	EvidenceAttested EvidenceClass = "Attested"
)

// Stage says how far the adoption of a workload has come.
//
// +kubebuilder:validation:Enum=Previewing;Enforced
type Stage string

const (
	// StagePreviewing caps every mode at Warn, until the preview is empty or
	// accepted by the profile.
	StagePreviewing Stage = "Previewing"
	// StageEnforced lets Enforce take effect.
	StageEnforced Stage = "Enforced"
)
