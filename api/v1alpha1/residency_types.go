package v1alpha1

// ResidencyParameters say where PHI may be.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!(has(self.regions) && has(self.unbounded))",message="name either regions or unbounded"
// +kubebuilder:validation:XValidation:rule="has(self.regions) || !has(self.failover)",fieldPath=".failover",message="belongs beside regions"
// +kubebuilder:validation:XValidation:rule="has(self.regions) || !has(self.placement) || self.placement == 'AsDeclared'",fieldPath=".placement",message="needs regions to place pods in"
type ResidencyParameters struct {
	// regions are the values of the node label topology.kubernetes.io/region where
	// PHI may be. Where several profiles name regions, those that all of them name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Regions []string `json:"regions,omitempty"`

	// failover allows further regions while a disaster lasts, on record and until
	// an end.
	// +optional
	Failover *ResidencyFailover `json:"failover,omitempty"`

	// unbounded states that nothing binds PHI to a place. Without it and without
	// regions the verdict is Unknown. Where another profile names regions, they
	// count.
	// +optional
	Unbounded *Statement `json:"unbounded,omitempty"`

	// placement Required adds a required node affinity to new pods that leave the
	// region open; one that fits no node does not start. AsDeclared, the default,
	// leaves them.
	// +optional
	// +default="AsDeclared"
	Placement Placement `json:"placement,omitempty"`
}

// ResidencyFailover allows regions for a time.
type ResidencyFailover struct {
	// regions are allowed beside the others until the end.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Regions []string `json:"regions,omitempty"`

	Statement `json:",inline"`
}

// Placement says what becomes of pods that leave the region open.
//
// +kubebuilder:validation:Enum=AsDeclared;Required
type Placement string

const (
	// PlacementAsDeclared leaves them to the scheduler.
	PlacementAsDeclared Placement = "AsDeclared"
	// PlacementRequired binds them to the allowed regions.
	PlacementRequired Placement = "Required"
)
