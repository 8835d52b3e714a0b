package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ControlExceptionSpec excuses one workload from one control until a fixed
// instant. An approval covers exactly this content, and the PHIWorkload as it
// exists then: any change voids it, also one that is taken back, and so does a
// workload created anew.
//
// +kubebuilder:validation:XValidation:rule="self.controlID == oldSelf.controlID",reason=FieldValueForbidden,fieldPath=".controlID",message="is immutable; create a new exception"
// +kubebuilder:validation:XValidation:rule="self.workloadRef == oldSelf.workloadRef",reason=FieldValueForbidden,fieldPath=".workloadRef",message="is immutable; create a new exception"
type ControlExceptionSpec struct {
	// controlID names the control being excused, as in docs/controls. One that the
	// catalogue does not have is refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ControlID string `json:"controlID,omitempty"`

	// workloadRef names the PHIWorkload in the same namespace.
	// +required
	WorkloadRef WorkloadReference `json:"workloadRef,omitempty,omitzero"`

	// reason says why the control cannot be met for now.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// compensatingControl says what protects the data meanwhile.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=1024
	CompensatingControl string `json:"compensatingControl,omitempty"`

	// record is what the law asks for where the control stands for an addressable
	// specification, as the control's page in docs/controls says: without it such an
	// exception is refused, and does not count. It is the record, not the excuse: the
	// control is not met either way.
	// +optional
	Record *AddressableRecord `json:"record,omitempty"`

	// expires is the instant at which the exception stops counting. At that
	// instant it is already void. A spec whose end has passed is not taken, and
	// neither is one that ends later after its creation than
	// spec.exceptions.maximumLength of the profiles allows.
	// +required
	Expires metav1.Time `json:"expires,omitempty,omitzero"`
}

// WorkloadReference names a PHIWorkload in the same namespace.
type WorkloadReference struct {
	// name of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// Digest identifies the content of the spec, as "sha256:" and 64 hex digits.
// Instants count by their second in UTC, as they are stored.
func (s *ControlExceptionSpec) Digest() (string, error) {
	canonical := *s
	canonical.Expires = metav1.NewTime(s.Expires.UTC().Truncate(time.Second))
	encoded, err := json.Marshal(canonical)
	if err != nil {
		return "", fmt.Errorf("encoding the exception's spec: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Decision is what an approver decided.
//
// +kubebuilder:validation:Enum=Approved;Denied
type Decision string

// Decisions.
const (
	DecisionApproved Decision = "Approved"
	DecisionDenied   Decision = "Denied"
)

// Approval is the act of a person with the verb "approve" on the kind. The
// person sets decision and specDigest; admission stamps the rest.
type Approval struct {
	// decision is what the approver decided.
	// +required
	Decision Decision `json:"decision,omitempty"`

	// approver is the user name of the approver, stamped by admission.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	Approver string `json:"approver,omitempty"`

	// time is when the decision was made, stamped by admission.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`

	// specDigest is the digest of the spec that the approver has read, from
	// status.specDigest. A decision without it, or about another content than the
	// stored one, is refused, and it counts only while it equals that of the spec.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:MinLength=1
	SpecDigest string `json:"specDigest,omitempty"`

	// generation is metadata.generation at the decision, stamped by admission. Any
	// change of the spec voids the approval, also one that was taken back.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Generation int64 `json:"generation,omitempty"`

	// workloadUID is the UID of the PHIWorkload at the decision, stamped by
	// admission. The approval does not count for another of the same name.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:MinLength=1
	WorkloadUID string `json:"workloadUID,omitempty"`
}

// ControlExceptionStatus says whether the exception counts.
type ControlExceptionStatus struct {
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

	// specDigest is the digest of the present spec. A decision repeats it, as the
	// sign that this is what was read.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:MinLength=1
	SpecDigest string `json:"specDigest,omitempty"`

	// uses counts how often admission let something in because of the exception; absent
	// while it never did.
	// +optional
	Uses *ExceptionUses `json:"uses,omitempty"`

	// approval is the decision of an approver. The operator never writes it.
	// +optional
	Approval *Approval `json:"approval,omitempty"`
}

// ControlException excuses one workload from one control, with a reason, a
// compensating control and an end. It counts once somebody other than the
// requester has approved it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cex,categories=hipaa
// +kubebuilder:printcolumn:name="Control",type=string,JSONPath=`.spec.controlID`
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workloadRef.name`
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.status.conditions[?(@.type=="Approved")].reason`
// +kubebuilder:printcolumn:name="Approver",type=string,JSONPath=`.status.approval.approver`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expires`
// +kubebuilder:printcolumn:name="In-Force",type=string,JSONPath=`.status.conditions[?(@.type=="InForce")].status`
// +kubebuilder:printcolumn:name="Uses",type=integer,JSONPath=`.status.uses.count`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Last-Used",type=date,priority=1,JSONPath=`.status.uses.last`
// +kubebuilder:printcolumn:name="Digest",type=string,priority=1,JSONPath=`.status.specDigest`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name is longer than 63 characters"
type ControlException struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the requester asks for.
	// +required
	Spec ControlExceptionSpec `json:"spec,omitempty,omitzero"`

	// status says whether it counts.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ControlExceptionStatus `json:"status,omitempty,omitzero"` //nolint:kubeapilinter // the default, in the form that controller-gen reads, makes kstatus wait for the first pass
}

// ControlExceptionList is a list of ControlExceptions.
//
// +kubebuilder:object:root=true
type ControlExceptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ControlException `json:"items"`
}
