package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DetectionParameters say what watches the nodes.
//
// +kubebuilder:validation:MinProperties=1
type DetectionParameters struct {
	// sensors are DaemonSets that count as runtime sensors beside Falco, Tetragon and
	// the GuardDuty agent in the namespaces that their projects install them into.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Sensors []Sensor `json:"sensors,omitempty"`
}

// Sensor is a DaemonSet whose pods watch what processes of their node do.
type Sensor struct {
	// name by which verdicts call it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// namespace of its pods. A PHI namespace does not count: its tenants could put
	// there what looks like a sensor.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// podSelector selects its pods.
	// +required
	PodSelector metav1.LabelSelector `json:"podSelector,omitempty,omitzero"` //nolint:kubeapilinter // the empty selector means every DaemonSet of the namespace, and the type is not ours to mark
}
