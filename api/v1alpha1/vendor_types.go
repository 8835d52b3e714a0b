package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// VendorSpec declares a third party that gets PHI from workloads of this cluster: where
// it is called, what it gets, where it keeps it, and the agreement that lets it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.onEnd) || self.onEnd != 'Close' || (has(self.continuity) && self.continuity != 'PatientCare')",fieldPath=".onEnd",message="is Close, and calls that the care of patients depends on are closed by people alone: set continuity to Business or Deferrable where it does not depend on them, or leave onEnd out"
type VendorSpec struct {
	// description says in a sentence what the vendor does.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// owner answers for the relation with the vendor.
	// +required
	Owner Owner `json:"owner,omitempty,omitzero"`

	// hosts are where the vendor is called, by name and port. Addresses are no hosts: what
	// is behind one changes hands.
	// +required
	// +listType=map
	// +listMapKey=name
	// +listMapKey=port
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Hosts []VendorHost `json:"hosts,omitempty"`

	// receives are the classes of data that the vendor may get. A workload that handles
	// another class may not call it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Receives []DataClass `json:"receives,omitempty"`

	// regions are where the vendor keeps and works on the data, in the words of
	// spec.residency.regions of the profiles. Absent means not stated, which fails where a
	// profile names regions.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Regions []string `json:"regions,omitempty"`

	// agreement is the business associate agreement. Absent means that there is none, and
	// then no workload may call the vendor.
	// +optional
	Agreement *Agreement `json:"agreement,omitempty"`

	// continuity says what an interruption of calls to the vendor would cost. Absent means
	// PatientCare.
	// +optional
	Continuity Continuity `json:"continuity,omitempty"`

	// onEnd says what becomes of calls to the vendor at the end of its agreement: they go on
	// while people are alarmed, or are closed at that instant. Absent means Alarm.
	// +optional
	OnEnd OnEnd `json:"onEnd,omitempty"`
}

// OnEnd says what becomes of calls to a vendor at the end of its agreement.
//
// +kubebuilder:validation:Enum=Alarm;Close
type OnEnd string

const (
	// OnEndAlarm lets calls go on: the workloads fail and people are alarmed until two of
	// them have decided to close, or there is another agreement.
	OnEndAlarm OnEnd = "Alarm"
	// OnEndClose closes calls at the very end, also while the operator is down.
	OnEndClose OnEnd = "Close"
)

// VendorHost is a name and a port at which a vendor is called.
type VendorHost struct {
	// name is an exact DNS name in lower case, with a dot in it.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])$')",message="is no exact DNS name in lower case such as api.vendor.example: no address, no wildcard, no port"
	Name string `json:"name,omitempty"`

	// port is where TLS is spoken there; 443 unless it says otherwise, and such as 5432 for
	// PostgreSQL.
	// +optional
	// +default=443
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// Agreement is what a business associate agreement says, as its reader vouches for. It
// counts from effective until expires, and only with every clause.
//
// +kubebuilder:validation:XValidation:rule="self.effective < self.expires",fieldPath=".expires",message="is not after effective: an agreement that is never in force lets nobody call"
// +kubebuilder:validation:XValidation:rule="self.signed <= self.expires",fieldPath=".signed",message="is after expires"
type Agreement struct {
	// document says where it is kept, such as its number in the contract system.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	Document string `json:"document,omitempty"`

	// digest identifies the document that was read: "sha256:" and 64 hex digits.
	// +required
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`

	// signed is when the last party signed it.
	// +required
	Signed metav1.Time `json:"signed,omitempty,omitzero"`

	// effective is the first instant at which it counts; it does not before it is signed.
	// +required
	Effective metav1.Time `json:"effective,omitempty,omitzero"`

	// expires is the instant from which it no longer counts. One that runs until somebody
	// gives notice has the day on which it is read again.
	// +required
	Expires metav1.Time `json:"expires,omitempty,omitzero"`

	// clauses are those of 45 CFR 164.504(e)(2) and 164.314(a)(2)(i) that the reader has
	// found in it. One that is not there keeps the agreement from counting.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=13
	Clauses []AgreementClause `json:"clauses,omitempty"`

	// subprocessors are whom the vendor passes data on to.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Subprocessors []Subprocessor `json:"subprocessors,omitempty"`
}

// Subprocessor is whom a vendor passes data on to.
type Subprocessor struct {
	// name of the subprocessor.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// agreement says how it is known that the same restrictions bind it (45 CFR
	// 164.502(e)(1)(ii)), such as the number of the vendor's contract with it. Absent means
	// not known.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	Agreement string `json:"agreement,omitempty"`
}

// AgreementClause is a clause that the law asks a business associate agreement to have.
//
// +kubebuilder:validation:Enum=PermittedUses;NoOtherUse;Safeguards;Reporting;SecurityIncidents;Subcontractors;Access;Amendment;Accounting;DelegatedObligations;BooksForSecretary;ReturnOrDestroy;Termination
type AgreementClause string

const (
	// ClausePermittedUses says what the vendor may do with PHI (164.504(e)(2)(i)).
	ClausePermittedUses AgreementClause = "PermittedUses"
	// ClauseNoOtherUse says that it does nothing else with it ((ii)(A)).
	ClauseNoOtherUse AgreementClause = "NoOtherUse"
	// ClauseSafeguards says that it keeps the Security Rule ((ii)(B), 164.314(a)(2)(i)(A)).
	ClauseSafeguards AgreementClause = "Safeguards"
	// ClauseReporting says that it reports other uses, and breaches ((ii)(C)).
	ClauseReporting AgreementClause = "Reporting"
	// ClauseSecurityIncidents says that it reports security incidents (164.314(a)(2)(i)(C)).
	ClauseSecurityIncidents AgreementClause = "SecurityIncidents"
	// ClauseSubcontractors says that it binds those whom it passes PHI on to ((ii)(D),
	// 164.314(a)(2)(i)(B)).
	ClauseSubcontractors AgreementClause = "Subcontractors"
	// ClauseAccess says that it helps with requests for access ((ii)(E)).
	ClauseAccess AgreementClause = "Access"
	// ClauseAmendment says that it helps with amendments ((ii)(F)).
	ClauseAmendment AgreementClause = "Amendment"
	// ClauseAccounting says that it helps to account for disclosures ((ii)(G)).
	ClauseAccounting AgreementClause = "Accounting"
	// ClauseDelegatedObligations says that what it does in the place of the covered entity it
	// does as that one must ((ii)(H)).
	ClauseDelegatedObligations AgreementClause = "DelegatedObligations"
	// ClauseBooksForSecretary says that it opens its books to the Secretary ((ii)(I)).
	ClauseBooksForSecretary AgreementClause = "BooksForSecretary"
	// ClauseReturnOrDestroy says what becomes of PHI at the end ((ii)(J)).
	ClauseReturnOrDestroy AgreementClause = "ReturnOrDestroy"
	// ClauseTermination says that it can be ended for a violation ((2)(iii)).
	ClauseTermination AgreementClause = "Termination"
)

// AllAgreementClauses are all that the law asks for, in its order.
var AllAgreementClauses = []AgreementClause{
	ClausePermittedUses, ClauseNoOtherUse, ClauseSafeguards, ClauseReporting, ClauseSecurityIncidents, ClauseSubcontractors, ClauseAccess,
	ClauseAmendment, ClauseAccounting, ClauseDelegatedObligations, ClauseBooksForSecretary, ClauseReturnOrDestroy, ClauseTermination,
}

// VendorStatus says whether the agreement is in force, and whether calls get out.
type VendorStatus struct {
	// observedGeneration is the generation of the spec that this status is about;
	// -1 until the operator has looked at the object for the first time.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"` //nolint:kubeapilinter // 0 never occurs: -1 before the first pass, then generations from 1

	// conditions follow kstatus: Ready, Reconciling, Stalled, and those of
	// conditions.go.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// callers are the workloads whose declarations name the vendor, sorted by namespace and
	// name: whom it concerns when calls are closed. The first 64 are listed.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Callers []VendorCaller `json:"callers,omitempty"`

	// impact counts all of the callers.
	// +optional
	Impact *VendorImpact `json:"impact,omitempty"`

	// agreementDigest identifies the content of spec.agreement, for those who decide about
	// calls under it.
	// +optional
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	AgreementDigest string `json:"agreementDigest,omitempty"`

	// closure is the decision of two people to close calls to the vendor. Either of them, or
	// anybody else who may decide, takes it back by removing their words.
	// +optional
	Closure *VendorClosure `json:"closure,omitempty"`
}

// VendorCaller is a workload whose declaration names a vendor.
type VendorCaller struct {
	// namespace of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// continuity of the PHIWorkload.
	// +required
	Continuity Continuity `json:"continuity,omitempty"`
}

// VendorImpact counts whom it concerns when calls to a vendor are closed.
type VendorImpact struct {
	// workloads is how many PHIWorkloads name the vendor.
	// +required
	// +kubebuilder:validation:Minimum=0
	Workloads *int32 `json:"workloads,omitempty"`

	// patientCare is how many of them patients' care depends on.
	// +required
	// +kubebuilder:validation:Minimum=0
	PatientCare *int32 `json:"patientCare,omitempty"`
}

// VendorClosure is what two people say who have the verb "approve" on vendors. It counts
// once both have, about the agreement that stands.
//
// +kubebuilder:validation:XValidation:rule="!has(self.proposal) || !has(self.approval) || self.proposal.person != self.approval.person",fieldPath=".approval",message="is of whoever proposed it: somebody else must decide as well"
type VendorClosure struct {
	// proposal is the first one's word.
	// +optional
	Proposal *ClosureWord `json:"proposal,omitempty"`

	// approval is the second one's.
	// +optional
	Approval *ClosureWord `json:"approval,omitempty"`
}

// ClosureWord is one person's word that calls to a vendor are to be closed.
type ClosureWord struct {
	// person is the user name of who writes it; admission takes no other.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Person string `json:"person,omitempty"`

	// agreementDigest is what the person has read, from status.agreementDigest. Another
	// agreement opens calls again: the decision was about this one.
	// +required
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	AgreementDigest string `json:"agreementDigest,omitempty"`
}

// Fingerprint identifies the content of an agreement. Nil, which is none, has one too.
func (a *Agreement) Fingerprint() (string, error) {
	canonical := a.DeepCopy()
	if canonical != nil {
		for _, at := range []*metav1.Time{&canonical.Signed, &canonical.Effective, &canonical.Expires} {
			*at = metav1.NewTime(at.UTC().Truncate(time.Second))
		}
	}
	encoded, err := json.Marshal(canonical)
	if err != nil {
		return "", fmt.Errorf("encoding the agreement: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Vendor is a third party that gets PHI, and the agreement that lets it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=hipaa
// +kubebuilder:printcolumn:name="Agreement",type=string,JSONPath=`.status.conditions[?(@.type=="AgreementInForce")].reason`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.agreement.expires`
// +kubebuilder:printcolumn:name="Calls",type=string,JSONPath=`.status.conditions[?(@.type=="CallsOpen")].status`
// +kubebuilder:printcolumn:name="Receives",type=string,JSONPath=`.spec.receives`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner.team`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Hosts",type=string,priority=1,JSONPath=`.spec.hosts[*].name`
// +kubebuilder:printcolumn:name="Regions",type=string,priority=1,JSONPath=`.spec.regions`
// +kubebuilder:printcolumn:name="Document",type=string,priority=1,JSONPath=`.spec.agreement.document`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name is longer than 63 characters"
type Vendor struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the privacy officer declares.
	// +required
	Spec VendorSpec `json:"spec,omitempty,omitzero"`

	// status says whether the agreement is in force.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status VendorStatus `json:"status,omitempty,omitzero"` //nolint:kubeapilinter // the default, in the form that controller-gen reads, makes kstatus wait for the first pass
}

// VendorList is a list of Vendors.
//
// +kubebuilder:object:root=true
type VendorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Vendor `json:"items"`
}
