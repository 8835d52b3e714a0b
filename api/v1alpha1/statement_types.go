package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Statement is what a person says where no machine can look. Verdicts that rest
// on it have the evidence class Attested, and it ends.
type Statement struct {
	// statedBy names the person.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	StatedBy string `json:"statedBy,omitempty"`

	// reason says how the person knows.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`

	// expires is the instant from which the statement no longer counts.
	// +required
	Expires metav1.Time `json:"expires,omitempty,omitzero"`
}
