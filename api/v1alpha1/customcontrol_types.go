package v1alpha1

// CustomControl is a control that the security team writes: what has to hold for
// resources that declare infrastructure, of the types that the controls of the
// catalogue know. It is judged as those are; modes and exceptions work for it.
type CustomControl struct {
	// id names the control, and begins with "custom-" so that it never meets one of
	// the catalogue. Where several profiles define one ID, the first by name counts.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^custom(-[a-z0-9]+)+$`
	ID string `json:"id,omitempty"`

	// cites are the paragraphs of 45 CFR 164 that it rests on, such as 164.312(b),
	// the most specific first.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	Cites []string `json:"cites,omitempty"`

	// remedy says what to do about a finding, as the end of a sentence.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Remedy string `json:"remedy,omitempty"`

	// checks are what has to hold.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Checks []CustomCheck `json:"checks,omitempty"`
}

// CustomCheck is one condition on resources of some types.
type CustomCheck struct {
	// match are the types.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Match []MatchedType `json:"match,omitempty"`

	// when says in CEL which of them the check is about. Empty is all.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`

	// expression is true, in CEL, where the safeguard is in place. It may name
	// object (without its status), namespaceObject.metadata.name and .labels, and
	// profile.storage.cloudKeys. One that comes to no answer, or costs more than
	// the API server's own limit, counts as missing evidence.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Expression string `json:"expression,omitempty"`

	// path is the field that a finding names, such as spec.encryption.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path,omitempty"`

	// message says what is wrong where the expression is false.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// met says what is right where the expression is true.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Met string `json:"met,omitempty"`

	// remedy says what to change, where that of the control is too general.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Remedy string `json:"remedy,omitempty"`
}

// MatchedType is a type of custom resource in the version in which it is judged.
type MatchedType struct {
	// group of the API, such as s3.services.k8s.aws.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// version of the API, such as v1alpha1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version,omitempty"`

	// resource is the plural name, such as buckets.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Resource string `json:"resource,omitempty"`

	// kind of the resource, such as Bucket.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
}
