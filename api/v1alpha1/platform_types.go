package v1alpha1

// PlatformParameters say what stands under PHI: nodes, their software, the services
// of a cloud.
//
// +kubebuilder:validation:MinProperties=1
type PlatformParameters struct {
	// tableMaxAgeDays is how old a table of the operator's own may be, such as that of
	// supported versions, for it to show that something is in order. What an older one
	// shows is Unknown until the operator is updated. Where several profiles set it the
	// smallest counts; where none does it is 365.
	// +optional
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=730
	TableMaxAgeDays int32 `json:"tableMaxAgeDays,omitempty"`

	// supported states of versions that somebody supplies them with security updates,
	// where the operator's table does not know that, such as a distribution's extended
	// support.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Supported []SupportStatement `json:"supported,omitempty"`

	// secretEncryption states that what etcd writes of Secrets is encrypted, where API
	// servers do not show it: because they cannot be asked, or because the disk or the
	// service under etcd encrypts and not they.
	// +optional
	SecretEncryption *Statement `json:"secretEncryption,omitempty"`
}

// SupportStatement says that versions get security updates until it ends.
type SupportStatement struct {
	// version is how what a node reports begins, of its kubelet, OS image or container
	// runtime: "v1.33" covers v1.33.9 and not v1.330; "Bottlerocket OS 1.50" and
	// "containerd://1.7" are others.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	Statement `json:",inline"`
}
