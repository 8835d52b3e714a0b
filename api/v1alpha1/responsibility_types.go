package v1alpha1

// ResponsibilityParameters name who answers for safeguards and for privacy, for all
// that the profile governs.
//
// +kubebuilder:validation:MinProperties=1
type ResponsibilityParameters struct {
	// securityOfficer is the security official (45 CFR 164.308(a)(2)).
	// +optional
	SecurityOfficer *Officer `json:"securityOfficer,omitempty"`

	// privacyOfficer is the privacy official (45 CFR 164.530(a)(1)).
	// +optional
	PrivacyOfficer *Officer `json:"privacyOfficer,omitempty"`
}

// Officer is a person who answers for something, and where to reach them.
type Officer struct {
	// name is that of the person.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Name string `json:"name,omitempty"`

	// contact is an address that is read, such as an e-mail address.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Contact string `json:"contact,omitempty"`
}
