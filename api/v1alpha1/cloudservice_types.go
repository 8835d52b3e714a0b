package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Cloud is a provider whose services may be declared in the cluster.
//
// +kubebuilder:validation:Enum=AWS;GoogleCloud;Azure
type Cloud string

// Clouds. Of AWS alone the operator has a list of services that its agreement covers.
const (
	CloudAWS    Cloud = "AWS"
	CloudGoogle Cloud = "GoogleCloud"
	CloudAzure  Cloud = "Azure"
)

// CloudServiceParameters say which services of clouds may hold PHI.
//
// +kubebuilder:validation:MinProperties=1
type CloudServiceParameters struct {
	// covered states of services that the business associate agreement with their
	// provider covers them, where the operator's list does not say so, or where it has
	// none. Where several profiles state one the first by name counts.
	// +optional
	// +listType=map
	// +listMapKey=cloud
	// +listMapKey=service
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Covered []CoveredService `json:"covered,omitempty"`

	// withheld are services that must not hold PHI whatever lists and statements say.
	// Those of all profiles count.
	// +optional
	// +listType=map
	// +listMapKey=cloud
	// +listMapKey=service
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Withheld []CloudService `json:"withheld,omitempty"`

	// listCompared states that a person has compared the operator's list with the page
	// of the provider: from that day on it is as old as the comparison. Where several
	// profiles state it the latest counts.
	// +optional
	ListCompared *ListComparison `json:"listCompared,omitempty"`
}

// CloudService names a service of a cloud.
type CloudService struct {
	// cloud is whose service it is.
	// +required
	Cloud Cloud `json:"cloud,omitempty"`

	// service is what the API groups of its resources begin with: "apprunner" of
	// apprunner.aws.upbound.io, "storage" of storage.cnrm.cloud.google.com. Projects call
	// some services differently; each name counts for itself.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(\.[a-z0-9]+)*$`
	Service string `json:"service,omitempty"`
}

// CoveredService says that a service is covered until the statement ends.
type CoveredService struct {
	// cloud is whose service it is.
	// +required
	Cloud Cloud `json:"cloud,omitempty"`

	// service is what the API groups of its resources begin with, as under withheld.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(\.[a-z0-9]+)*$`
	Service string `json:"service,omitempty"`

	Statement `json:",inline"`
}

// ListComparison says that the operator's list of AWS's services was the provider's on a
// day.
//
// +kubebuilder:validation:XValidation:rule="self.comparedOn < self.expires",fieldPath=".expires",message="has to be later than comparedOn"
type ListComparison struct {
	// comparedOn is when the lists were compared. What lies ahead does not count yet.
	// +required
	ComparedOn metav1.Time `json:"comparedOn,omitempty,omitzero"`

	Statement `json:",inline"`
}
