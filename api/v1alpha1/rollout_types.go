package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// RolloutParameters bound what the operator may do to running pods.
type RolloutParameters struct {
	// window is when pods may be replaced, such as
	// "Mon-Fri 09:00-16:00 America/Chicago". Absent means at any time.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? ([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9] [A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`
	// +kubebuilder:validation:MinLength=1
	Window string `json:"window,omitempty"`

	// maxUnavailable is how many pods of a workload may be away at once because
	// the operator replaces them: a number, or a percentage rounded down but
	// never below one. The last ready pod is never taken.
	// +optional
	// +default=1
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 1000 : self.matches('^(100|[1-9]?[0-9])%$')",message="is neither a number from 0 to 1000 nor a percentage"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// enforceBy is the instant from which workloads that are still Previewing are
	// enforced whatever their preview says.
	// +optional
	EnforceBy *metav1.Time `json:"enforceBy,omitempty"`

	// acceptedPreviews are the previews that the security team has read and
	// accepts: their workloads enter Enforce.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	AcceptedPreviews []AcceptedPreview `json:"acceptedPreviews,omitempty"`
}

// AcceptedPreview accepts the preview of one workload.
type AcceptedPreview struct {
	// namespace of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the PHIWorkload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// digest is status.preview.digest of what was read, in full.
	// +required
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`
}
