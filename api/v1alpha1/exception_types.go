package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultExceptionLength is how long an exception may last where no profile says.
const DefaultExceptionLength = 365 * 24 * time.Hour

// ExceptionParameters bound exceptions from controls.
type ExceptionParameters struct {
	// maximumLength is the longest that may lie between an exception's creation and its
	// end. An exception with a later end is refused, and where it stands there already
	// it does not count. Whoever needs longer asks again, by another exception, and
	// somebody decides again. Where several profiles set it the shortest counts, and
	// where none does it is 8760h, a year.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="must be from 1h to 8760h"
	MaximumLength *metav1.Duration `json:"maximumLength,omitempty"` //nolint:kubeapilinter // as the limits of sessions

	// warnHoursBefore are the hours before its end at which people hear of an
	// exception. Where several profiles name some all of them count, and where none
	// does they are 168 and 24.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=8760
	WarnHoursBefore []int32 `json:"warnHoursBefore,omitempty"`

	// neverFor are controls from which no exception is taken. One that is asked for is
	// refused, and one that stands there already does not count. Where several profiles
	// name some all of them count. A grant of access is an exception too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="is not the ID of a control, such as volume-encryption"
	NeverFor []string `json:"neverFor,omitempty"`
}

// AddressableRecord is what 45 CFR 164.306(d)(3) asks to document where an addressable
// specification is not implemented.
type AddressableRecord struct {
	// notReasonable says why it would not be reasonable and appropriate to implement the
	// specification here.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=1024
	NotReasonable string `json:"notReasonable,omitempty"`

	// equivalentMeasure says which equivalent alternative measure is in its place, or why
	// none is reasonable and appropriate either.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=1024
	EquivalentMeasure string `json:"equivalentMeasure,omitempty"`
}

// ExceptionUses counts answers of admission: a template that is applied is one, each of
// its pods is one, and so is each connection that a grant lets in. Rehearsals (dry run)
// do not count. What was let in may have failed afterwards. A replica writes its counts
// every ten seconds, and may lose those of a round when it is killed.
type ExceptionUses struct {
	// count is how many there were since the exception was created.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int64 `json:"count,omitempty"`

	// last is when the latest one was.
	// +required
	Last metav1.Time `json:"last,omitempty,omitzero"`
}
