// Package v1alpha1 is the contract of hipaa-operator: the kinds that people
// write and the status they may rely on. It imports apimachinery only.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=hipaa-operator.io
package v1alpha1
