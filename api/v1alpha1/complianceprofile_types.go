package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ComplianceProfileSpec is what the security team decides for namespaces.
// Several profiles may govern a namespace; the most restrictive setting counts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.exceptions) || !has(self.exceptions.neverFor) || !has(self.controls) || !self.controls.exists(c, c.mode == 'Off' && c.id in self.exceptions.neverFor)",fieldPath=".exceptions.neverFor",message="names a control that this profile sets to Off"
type ComplianceProfileSpec struct {
	// namespaceSelector selects the PHI namespaces that this profile governs;
	// only namespaces with the label hipaa-operator.io/phi: "true" count. Empty
	// means all of them. Absent means that the profile takes effect only where a
	// PHIWorkload's profileRef or another profile's extends names it.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// jurisdictions binds the profile to PHIWorkloads that state one of these under
	// spec.jurisdictions, state no jurisdiction, or name the country alone: the law of
	// a state reaches the data of its residents, and silence loosens nothing. What no
	// PHIWorkload claims is not judged by it. Empty binds it to none. Codes are those
	// of ISO 3166-2, such as US-CA.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=6
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`
	Jurisdictions []string `json:"jurisdictions,omitempty"`

	// rulesetVersion pins the rules, as year.number. Controls that a later ruleset
	// brings stay out until it is raised.
	// +required
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^20[0-9]{2}\.[1-9][0-9]?$`
	RulesetVersion string `json:"rulesetVersion,omitempty"`

	// extends names profiles whose settings count as well.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Extends []string `json:"extends,omitempty"`

	// defaultMode is the mode of every control that controls does not list.
	// +optional
	// +default="Enforce"
	DefaultMode Mode `json:"defaultMode,omitempty"`

	// controls sets single controls apart.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=128
	Controls []ControlSetting `json:"controls,omitempty"`

	// customControls are controls of your own. Their modes are set as those of the
	// catalogue are; this profile brings them into force.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=16
	CustomControls []CustomControl `json:"customControls,omitempty"`

	// undeclaredPods says what admission does with a pod that no PHIWorkload selects.
	// +optional
	// +default="Deny"
	UndeclaredPods UndeclaredPods `json:"undeclaredPods,omitempty"`

	// network holds the parameters of network isolation.
	// +optional
	Network *NetworkParameters `json:"network,omitempty"`

	// storage holds the parameters of encryption at rest.
	// +optional
	Storage *StorageParameters `json:"storage,omitempty"`

	// transmission holds the parameters of encryption on the way.
	// +optional
	Transmission *TransmissionParameters `json:"transmission,omitempty"`

	// session holds the limits of people's sessions.
	// +optional
	Session *SessionParameters `json:"session,omitempty"`

	// users says how proxies find out who people are.
	// +optional
	Users *UserParameters `json:"users,omitempty"`

	// tagging holds the label keys of classification.
	// +optional
	Tagging *TaggingParameters `json:"tagging,omitempty"`

	// residency says in which regions PHI may be.
	// +optional
	Residency *ResidencyParameters `json:"residency,omitempty"`

	// detection says what watches the nodes.
	// +optional
	Detection *DetectionParameters `json:"detection,omitempty"`

	// vulnerabilities holds the limits of known holes in images.
	// +optional
	Vulnerabilities *VulnerabilityParameters `json:"vulnerabilities,omitempty"`

	// platform says what stands under PHI.
	// +optional
	Platform *PlatformParameters `json:"platform,omitempty"`

	// cloudServices says which services of clouds may hold PHI.
	// +optional
	CloudServices *CloudServiceParameters `json:"cloudServices,omitempty"`

	// responsibility names who answers for safeguards and for privacy.
	// +optional
	Responsibility *ResponsibilityParameters `json:"responsibility,omitempty"`

	// access holds the parameters of who may do what.
	// +optional
	Access *AccessParameters `json:"access,omitempty"`

	// exceptions bounds exceptions from controls.
	// +optional
	Exceptions *ExceptionParameters `json:"exceptions,omitempty"`

	// rollout bounds what the operator may do to running pods, and how workloads
	// enter Enforce.
	// +optional
	Rollout *RolloutParameters `json:"rollout,omitempty"`

	// pause turns Warn and Enforce of this profile into Audit until it ends by
	// itself, within seven days. Admission stamps who wrote it into the annotation
	// hipaa-operator.io/paused-by.
	// +optional
	Pause *Pause `json:"pause,omitempty"`
}

// ControlSetting sets one control apart from the default mode.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Off' || (has(self.reason) && self.reason.size() >= 10)",fieldPath=".reason",message="is required with mode Off: reports show the control as not met, with this reason"
type ControlSetting struct {
	// id is the control, as in docs/controls.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`

	// mode is the mode of the control.
	// +required
	Mode Mode `json:"mode,omitempty"`

	// reason says why the control departs from the default (45 CFR
	// 164.306(d)(3) for an addressable specification).
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:MinLength=1
	Reason string `json:"reason,omitempty"`

	// record is what the law asks for where mode is Off and the control stands for an
	// addressable specification: without it such a setting is refused.
	// +optional
	Record *AddressableRecord `json:"record,omitempty"`
}

// UndeclaredCounts are live pods that no PHIWorkload selects. The default deny
// of their namespace cuts them off; nothing evicts them.
type UndeclaredCounts struct {
	// pods counts them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Pods int32 `json:"pods,omitempty"`

	// namespaces counts the namespaces in which they live.
	// +required
	// +kubebuilder:validation:Minimum=1
	Namespaces int32 `json:"namespaces,omitempty"`

	// in lists the namespaces, those with the most pods first, 64 at most.
	// +required
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	In []UndeclaredIn `json:"in,omitempty"`
}

// UndeclaredIn counts the undeclared pods of one namespace.
type UndeclaredIn struct {
	// namespace in which they live.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// pods counts them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Pods int32 `json:"pods,omitempty"`

	// lastCreated is when the youngest of them was created.
	// +required
	LastCreated metav1.Time `json:"lastCreated,omitempty,omitzero"`
}

// ComplianceProfileStatus is what became of a profile.
type ComplianceProfileStatus struct {
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

	// namespaces counts the PHI namespaces that the profile governs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Namespaces *int32 `json:"namespaces,omitempty"`

	// workloads counts the PHIWorkloads that the profile governs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Workloads *int32 `json:"workloads,omitempty"`

	// previewing counts those of them that have not entered Enforce.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Previewing *int32 `json:"previewing,omitempty"`

	// pause is the pause that is in force; absent while none is.
	// +optional
	Pause *PauseInForce `json:"pause,omitempty"`

	// undeclared counts live pods of the governed namespaces that no PHIWorkload
	// selects, whatever the mode; absent where there are none.
	// +optional
	Undeclared *UndeclaredCounts `json:"undeclared,omitempty"`
}

// ComplianceProfile says which controls hold in which namespaces, in which
// mode, with which parameters. The security team writes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cprof,categories=hipaa
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.defaultMode`
// +kubebuilder:printcolumn:name="Ruleset",type=string,JSONPath=`.spec.rulesetVersion`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Workloads",type=integer,JSONPath=`.status.workloads`
// +kubebuilder:printcolumn:name="Previewing",type=integer,JSONPath=`.status.previewing`
// +kubebuilder:printcolumn:name="Paused-Until",type=string,JSONPath=`.status.pause.until`
// +kubebuilder:printcolumn:name="Admission",type=string,JSONPath=`.status.conditions[?(@.type=="AdmissionGuarded")].reason`
// +kubebuilder:printcolumn:name="Paused-By",type=string,JSONPath=`.status.pause.by`,priority=1
// +kubebuilder:printcolumn:name="Undeclared",type=integer,JSONPath=`.status.undeclared.pods`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name is longer than 63 characters"
type ComplianceProfile struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the security team decides.
	// +required
	Spec ComplianceProfileSpec `json:"spec,omitempty,omitzero"`

	// status is what became of it.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ComplianceProfileStatus `json:"status,omitempty,omitzero"` //nolint:kubeapilinter // the default, in the form that controller-gen reads, makes kstatus wait for the first pass
}

// ComplianceProfileList is a list of ComplianceProfiles.
//
// +kubebuilder:object:root=true
type ComplianceProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComplianceProfile `json:"items"`
}
