package v1alpha1

// IngressStatement is what a person says of the ingress controller that serves a
// class: that it turns plaintext to TLS or does not answer it, and refuses TLS below
// 1.2, where an Ingress asks for nothing else. The settings by which it does are not
// to be seen from Ingresses. Of a class of Gateways it says the latter alone.
type IngressStatement struct {
	// ingressClass is the name of the class, as Ingresses give it, or Gateways.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	IngressClass string `json:"ingressClass,omitempty"`

	Statement `json:",inline"`
}
