package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BackstopName is the only name that a Backstop may have.
const BackstopName = "in-force"

// BackstopSpec is what the API server knows of a PHI namespace when it decides by
// itself. It is whole at every instant: what is absent is not in force.
//
// +structType=atomic
type BackstopSpec struct {
	// ungoverned says that no profile governs the namespace: no pod is admitted.
	// +optional
	Ungoverned bool `json:"ungoverned,omitempty"` //nolint:kubeapilinter // absent is false, and nothing else

	// undeclaredPods says from when pods are refused that no workload claims.
	// Absent, they are not.
	// +optional
	UndeclaredPods *BackstopInstant `json:"undeclaredPods,omitempty"`

	// controls are those that refuse objects which belong to no PHIWorkload, such as
	// Roles where there is none yet, by their IDs as in docs/controls.
	// +optional
	// +kubebuilder:validation:MaxProperties=128
	Controls map[string]BackstopControl `json:"controls,omitempty"` //nolint:kubeapilinter // a policy looks one up by its ID, many times for each pod

	// workloads are the PHIWorkloads of the namespace, with the controls that refuse
	// for them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Workloads []BackstopWorkload `json:"workloads,omitempty"`

	// reflects names the PHIWorkloads and exceptions that all this was made from, as
	// they stood then. It tells the operator whether the API server has caught up.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10000
	// +kubebuilder:validation:items:MaxLength=64
	Reflects []string `json:"reflects,omitempty"`
}

// BackstopInstant is the instant from which something is refused.
type BackstopInstant struct {
	// from is the first instant at which it is, such as the end of an exception.
	// Absent, it is refused already.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
}

// BackstopWorkload is what the API server knows of a PHIWorkload.
type BackstopWorkload struct {
	// name is that of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// labels are those that the selector of the PHIWorkload demands, as key=value.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=400
	Labels []string `json:"labels,omitempty"`

	// expressions are what its selector demands beside them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Expressions []metav1.LabelSelectorRequirement `json:"expressions,omitempty"`

	// controls are those that refuse its pods and what concerns it, now or from an
	// instant on, by their IDs as in docs/controls.
	// +optional
	// +kubebuilder:validation:MaxProperties=128
	Controls map[string]BackstopControl `json:"controls,omitempty"` //nolint:kubeapilinter // a policy looks one up by its ID, many times for each pod
}

// BackstopControl says how a control is in force for a workload.
type BackstopControl struct {
	BackstopInstant `json:",inline"`

	// settings are what the control reads of the PHIWorkload and of its profile, in
	// an order and a form of its own.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Settings []string `json:"settings,omitempty"`
}

// Backstop says what the API server refuses by itself in a PHI namespace, while the
// operator is stopped and its webhooks are gone. The operator keeps one in each PHI
// namespace, and nobody else writes any: it follows from the profiles, PHIWorkloads
// and exceptions, which are what people change. People read it to see what an outage
// of the operator leaves in force. The form is the operator's own and may change with
// any release.
//
// +kubebuilder:object:root=true
// +kubebuilder:printcolumn:name="Ungoverned",type=boolean,JSONPath=`.spec.ungoverned`,description="No profile governs the namespace"
// +kubebuilder:printcolumn:name="Workloads",type=string,JSONPath=`.spec.workloads[*].name`,description="PHIWorkloads whose pods are held to their controls",priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'in-force'",message="must be named in-force: there is one for each namespace"
type Backstop struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is in force.
	// +required
	Spec BackstopSpec `json:"spec"` //nolint:kubeapilinter // an empty one says that nothing is in force
}

// BackstopList is a list of Backstops.
//
// +kubebuilder:object:root=true
type BackstopList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Backstop `json:"items"`
}
