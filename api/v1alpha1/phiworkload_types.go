package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PHIWorkloadSpec declares that pods handle protected health information, and
// what they need to do so. Everything else follows from the profile.
type PHIWorkloadSpec struct {
	// profileRef adds a profile to those that govern the namespace. The most
	// restrictive setting of all of them counts, so it can only tighten.
	// +optional
	ProfileRef *ProfileReference `json:"profileRef,omitempty"`

	// selector selects the pods of this workload in its namespace. It cannot be
	// changed: pods would fall out of protection. Two workloads must not select
	// the same pod.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="is immutable; create a new PHIWorkload"
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="must not be empty: it would select every pod of the namespace"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.size() <= 16",message="has more than 16 labels"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() <= 16",message="has more than 16 expressions"
	Selector metav1.LabelSelector `json:"selector,omitempty,omitzero"` //nolint:kubeapilinter // a rule above refuses the empty selector; the type is not ours to mark

	// continuity says what an interruption would cost, and so what the operator
	// may do by itself.
	// +required
	Continuity Continuity `json:"continuity,omitempty"`

	// owner answers for the workload (45 CFR 164.308(a)(2)).
	// +required
	Owner Owner `json:"owner,omitempty,omitzero"`

	// dataClasses says what the workload handles.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	DataClasses []DataClass `json:"dataClasses,omitempty"`

	// jurisdictions lists the states whose residents' data the workload handles,
	// as ISO 3166-2 codes such as US-CA. Empty means not stated.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=6
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`
	Jurisdictions []string `json:"jurisdictions,omitempty"`

	// environment says whose data the workload may hold.
	// +optional
	// +default="Production"
	Environment Environment `json:"environment,omitempty"`

	// role says what the workload is to the others.
	// +optional
	// +default="Service"
	Role Role `json:"role,omitempty"`

	// ports are the ports on which the workload is called. No other port opens.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, q.port == p.port))",message="names one port number twice"
	Ports []WorkloadPort `json:"ports,omitempty"`

	// access says who may call. Absent means nobody.
	// +optional
	Access *Access `json:"access,omitempty"`

	// egress says whom the workload may call. Absent means nobody.
	// +optional
	Egress *Egress `json:"egress,omitempty"`

	// transmission is how its traffic is carried. Absent means by names, without any
	// capability.
	// +optional
	Transmission *WorkloadTransmission `json:"transmission,omitempty"`

	// session says whose sessions the workload has, and limits of its own. Absent means
	// people's, with the limits of the profiles.
	// +optional
	Session *WorkloadSession `json:"session,omitempty"`

	// users has the workload's proxies ask for the people behind requests of its HTTP and
	// GRPC ports. Absent means that nobody is asked: then whoever may call decides.
	// +optional
	Users *WorkloadUsers `json:"users,omitempty"`
}

// ProfileReference names a ComplianceProfile.
type ProfileReference struct {
	// name of the ComplianceProfile.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// Owner answers for a workload.
type Owner struct {
	// team is a short name, fit for a label value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Team string `json:"team,omitempty"`

	// contacts are addresses at which the team can be reached at any hour.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=254
	Contacts []string `json:"contacts,omitempty"`
}

// WorkloadPort is a port on which a workload is called.
type WorkloadPort struct {
	// name is unique in the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// port is the number on which the container listens.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// protocol is what is spoken there.
	// +required
	Protocol PortProtocol `json:"protocol,omitempty"`
}

// PHIWorkloadStatus is what the operator found and did.
type PHIWorkloadStatus struct {
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

	// profiles are the profiles in force, sorted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	Profiles []string `json:"profiles,omitempty"`

	// profileSummary names them for people: the first two, and how many more.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	// +kubebuilder:validation:MinLength=1
	ProfileSummary string `json:"profileSummary,omitempty"`

	// mode is the strongest mode that any control has for this workload now,
	// after stage and pauses.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// stage says how far the adoption has come. A workload that was judged in
	// Audit or Warn stays Previewing when its profile turns to Enforce, until its
	// preview is empty or accepted, and so does one whose pods ran before it was
	// declared; any other that first appears under Enforce is Enforced from its
	// first pod.
	// +optional
	Stage Stage `json:"stage,omitempty"`

	// safeguards counts the verdicts.
	// +optional
	Safeguards *SafeguardCounts `json:"safeguards,omitempty"`

	// controls has one result per control in force, sorted by id.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=128
	Controls []ControlResult `json:"controls,omitempty"`

	// proxy says what the proxies of the workload's pods go by. Absent where it has
	// none.
	// +optional
	Proxy *ProxyStatus `json:"proxy,omitempty"`

	// drift lists the latest departures from what the operator owns or guards,
	// newest first; at most 20. The whole history is in events and the audit log.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Drift []Drift `json:"drift,omitempty"`

	// preview says what mode Enforce would refuse, change and cut. Present only
	// while stage is Previewing, or that of a control: then it is about these
	// controls.
	// +optional
	Preview *Preview `json:"preview,omitempty"`
}

// SafeguardCounts counts verdicts over the controls in force.
type SafeguardCounts struct {
	// summary is met/applicable, such as 31/34. Excepted counts as applicable and
	// not as met; NotApplicable counts as neither.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:MinLength=1
	Summary string `json:"summary,omitempty"`

	// met counts Pass.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Met *int32 `json:"met,omitempty"`

	// failing counts Fail.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failing *int32 `json:"failing,omitempty"`

	// unknown counts Unknown.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Unknown *int32 `json:"unknown,omitempty"`

	// excepted counts Excepted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Excepted *int32 `json:"excepted,omitempty"`

	// notApplicable counts NotApplicable.
	// +optional
	// +kubebuilder:validation:Minimum=0
	NotApplicable *int32 `json:"notApplicable,omitempty"`
}

// ControlResult is the verdict of one control.
type ControlResult struct {
	// id is the control, as in docs/controls.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`

	// verdict is the outcome.
	// +required
	Verdict Verdict `json:"verdict,omitempty"`

	// class says how the outcome is known. Empty with Unknown.
	// +optional
	Class EvidenceClass `json:"class,omitempty"`

	// mode is the mode in force for this control and workload.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// stage says whether mode Enforce has been let in for this control. A control
	// that a profile raises to Enforce while the workload runs is Previewing until
	// the preview is empty or accepted. Empty where no profile enforces it.
	// +optional
	Stage Stage `json:"stage,omitempty"`

	// message names the evidence or the first finding.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:MinLength=1
	Message string `json:"message,omitempty"`

	// warning names evidence that will before long be against the workload, such as a
	// certificate that ends in a few days. Absent if there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:MinLength=1
	Warning string `json:"warning,omitempty"`

	// exception is the ControlException that excuses the workload from the control
	// now, whether or not there is anything to excuse. For the control of
	// connections it is the grant that lets people in. Absent if there is none.
	// +optional
	Exception *ExceptionReference `json:"exception,omitempty"`

	// since is when the verdict became what it is.
	// +required
	Since metav1.Time `json:"since,omitempty,omitzero"`
}

// ExceptionReference names a ControlException that is in force.
type ExceptionReference struct {
	// name of the ControlException, in the workload's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// expires is the instant at which it stops counting.
	// +required
	Expires metav1.Time `json:"expires,omitempty,omitzero"`
}

// DriftState says what became of a drift.
//
// +kubebuilder:validation:Enum=Detected;Corrected;Resolved
type DriftState string

const (
	// DriftDetected means that it still stands: the mode, a pause or continuity
	// keeps the operator from correcting it, or the correction has not succeeded.
	DriftDetected DriftState = "Detected"
	// DriftCorrected means that the operator put it right.
	DriftCorrected DriftState = "Corrected"
	// DriftResolved means that it is there no more, and that the operator did nothing
	// about it for this workload: somebody put it right or took it away, or what is
	// wanted has changed.
	DriftResolved DriftState = "Resolved"
)

// Drift is one departure from what the operator owns or guards.
type Drift struct {
	// object is kind/name in the workload's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Object string `json:"object,omitempty"`

	// path is the field, such as spec.ingress; "." is the whole object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path,omitempty"`

	// was is what was found, shortened.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	Was string `json:"was,omitempty"`

	// want is what the operator wants, shortened.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	Want string `json:"want,omitempty"`

	// who is the user where admission saw the change, else "field manager" and its
	// name, which any client chooses freely and which is no user, else "unknown".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	Who string `json:"who,omitempty"`

	// state says what became of it.
	// +required
	State DriftState `json:"state,omitempty"`

	// time is when the operator noticed it.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// resolvedTime is when the operator noticed that it is there no more. Present
	// with state Resolved.
	// +optional
	ResolvedTime *metav1.Time `json:"resolvedTime,omitempty"`

	// resolvedBy is the user who deleted the object, where admission saw that. Absent
	// otherwise: what was only changed does not tell who meant what.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:MinLength=1
	ResolvedBy string `json:"resolvedBy,omitempty"`
}

// Preview says what would happen if the workload were enforced now.
type Preview struct {
	// digest identifies this content; a profile accepts it under
	// rollout.acceptedPreviews.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest,omitempty"`

	// refuse lists templates and pods that admission would refuse.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Refuse []PreviewEntry `json:"refuse,omitempty"`

	// change lists templates whose pods admission would change.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Change []PreviewEntry `json:"change,omitempty"`

	// cut lists policies that would appear or go, and so close flows that nobody
	// declared.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Cut []PreviewEntry `json:"cut,omitempty"`

	// omitted counts the entries that the bounds of this status leave out.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Omitted int32 `json:"omitted,omitempty"`
}

// PreviewEntry is one object and the controls that concern it.
type PreviewEntry struct {
	// object is kind/name in the workload's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Object string `json:"object,omitempty"`

	// controls are the controls that refuse or change it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	Controls []string `json:"controls,omitempty"`

	// message says what would happen to the object.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:MinLength=1
	Message string `json:"message,omitempty"`

	// findings are why it would be refused, each with its remedy: at most ten, and
	// then "and N more".
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=11
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Findings []string `json:"findings,omitempty"`
}

// PHIWorkload declares that the pods it selects handle protected health
// information. It lives in a namespace labelled hipaa-operator.io/phi: "true".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=phiw,categories=hipaa
// +kubebuilder:printcolumn:name="Profile",type=string,JSONPath=`.status.profileSummary`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="Safeguards",type=string,JSONPath=`.status.safeguards.summary`
// +kubebuilder:printcolumn:name="Failing",type=integer,JSONPath=`.status.safeguards.failing`
// +kubebuilder:printcolumn:name="Unknown",type=integer,JSONPath=`.status.safeguards.unknown`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].reason`
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`,priority=1
// +kubebuilder:printcolumn:name="Continuity",type=string,JSONPath=`.spec.continuity`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52",message="metadata.name is longer than 52 characters: names of owned objects are made from it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'default-deny'",message="metadata.name default-deny is taken: the namespace's own policy is named after it"
type PHIWorkload struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what people declare.
	// +required
	Spec PHIWorkloadSpec `json:"spec,omitempty,omitzero"`

	// status is what the operator found and did.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status PHIWorkloadStatus `json:"status,omitempty,omitzero"` //nolint:kubeapilinter // the default, in the form that controller-gen reads, makes kstatus wait for the first pass
}

// PHIWorkloadList is a list of PHIWorkloads.
//
// +kubebuilder:object:root=true
type PHIWorkloadList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PHIWorkload `json:"items"`
}
