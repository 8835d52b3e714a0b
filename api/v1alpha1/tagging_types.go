package v1alpha1

// TaggingParameters are the label keys of classification.
//
// +kubebuilder:validation:XValidation:rule="self.ownerKey != self.criticalityKey && self.ownerKey != self.environmentKey && self.criticalityKey != self.environmentKey",message="ownerKey, criticalityKey and environmentKey must differ"
// +kubebuilder:validation:XValidation:rule="self.dataClassPrefix != self.jurisdictionPrefix",message="dataClassPrefix and jurisdictionPrefix must differ"
type TaggingParameters struct {
	// ownerKey carries the owner's team.
	// +optional
	// +default="hipaa-operator.io/owner"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	OwnerKey string `json:"ownerKey,omitempty"`

	// criticalityKey carries the continuity.
	// +optional
	// +default="hipaa-operator.io/criticality"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	CriticalityKey string `json:"criticalityKey,omitempty"`

	// environmentKey carries the environment.
	// +optional
	// +default="hipaa-operator.io/environment"
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	EnvironmentKey string `json:"environmentKey,omitempty"`

	// dataClassPrefix and a data class make a key of value "true".
	// +optional
	// +default="data-class.hipaa-operator.io"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	DataClassPrefix string `json:"dataClassPrefix,omitempty"`

	// jurisdictionPrefix and a jurisdiction make a key of value "true".
	// +optional
	// +default="jurisdiction.hipaa-operator.io"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	JurisdictionPrefix string `json:"jurisdictionPrefix,omitempty"`
}
