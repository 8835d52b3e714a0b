package phitest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// ExceptionBuilder builds a ControlException.
type ExceptionBuilder struct{ exception hipaav1.ControlException }

// Exception excuses a workload from a control for a day from Epoch, once
// somebody approves it.
func Exception(name, workload, controlID string) *ExceptionBuilder {
	return &ExceptionBuilder{hipaav1.ControlException{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace, Generation: 1},
		Spec: hipaav1.ControlExceptionSpec{
			ControlID:           controlID,
			WorkloadRef:         hipaav1.WorkloadReference{Name: workload},
			Reason:              reason,
			CompensatingControl: reason,
			Record:              record(),
			Expires:             After(24 * time.Hour),
		},
	}}
}

// Namespace moves it to another namespace.
func (b *ExceptionBuilder) Namespace(name string) *ExceptionBuilder {
	b.exception.Namespace = name
	return b
}

// Expires sets its end.
func (b *ExceptionBuilder) Expires(at metav1.Time) *ExceptionBuilder {
	b.exception.Spec.Expires = at
	return b
}

// Created sets when the API server stored it.
func (b *ExceptionBuilder) Created(at metav1.Time) *ExceptionBuilder {
	b.exception.CreationTimestamp = at
	return b
}

// Unrecorded takes the record off that an addressable specification asks for.
func (b *ExceptionBuilder) Unrecorded() *ExceptionBuilder {
	b.exception.Spec.Record = nil
	return b
}

func record() *hipaav1.AddressableRecord {
	return &hipaav1.AddressableRecord{NotReasonable: reason, EquivalentMeasure: reason}
}

// ApprovedBy approves what the spec says now for the workload that Stored makes,
// as admission stamps it.
func (b *ExceptionBuilder) ApprovedBy(user string) *ExceptionBuilder {
	return b.decided(hipaav1.DecisionApproved, user)
}

// DeniedBy denies what the spec says now, as ApprovedBy approves it.
func (b *ExceptionBuilder) DeniedBy(user string) *ExceptionBuilder {
	return b.decided(hipaav1.DecisionDenied, user)
}

func (b *ExceptionBuilder) decided(d hipaav1.Decision, user string) *ExceptionBuilder {
	digest, err := b.exception.Spec.Digest()
	if err != nil {
		panic(err)
	}
	at := After(0)
	b.exception.Status.Approval = &hipaav1.Approval{Decision: d, Approver: user, Time: &at, SpecDigest: digest,
		Generation: b.exception.Generation, WorkloadUID: string(UIDOf(b.exception.Spec.WorkloadRef.Name))}
	return b
}

// Because replaces the reason; after an approval it voids it.
func (b *ExceptionBuilder) Because(text string) *ExceptionBuilder {
	b.exception.Spec.Reason = text
	b.exception.Generation++
	return b
}

// Obj returns the object.
func (b *ExceptionBuilder) Obj() *hipaav1.ControlException { return b.exception.DeepCopy() }
