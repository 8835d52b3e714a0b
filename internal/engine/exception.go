package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// ExceptionState says whether an exception counts at an instant, and why not.
type ExceptionState string

// States of an exception.
const (
	ExceptionInForce ExceptionState = "InForce"
	ExceptionPending ExceptionState = "Pending"
	ExceptionDenied  ExceptionState = "Denied"
	// ExceptionVoid means that the spec was changed after the decision, or that the
	// workload is another than the one it was about.
	ExceptionVoid    ExceptionState = "Void"
	ExceptionExpired ExceptionState = "Expired"
)

// StateOf says whether an exception counts at an instant for the workload of this
// UID, which is empty where there is none. At its end it is already void.
func StateOf(x *hipaav1.ControlException, workload types.UID, now time.Time) ExceptionState {
	if !now.Before(x.Spec.Expires.Time) {
		return ExceptionExpired
	}
	approval := x.Status.Approval
	if approval == nil || approval.Approver == "" || approval.SpecDigest == "" || approval.WorkloadUID == "" || approval.Generation == 0 {
		return ExceptionPending
	}
	digest, err := x.Spec.Digest()
	if err != nil || digest != approval.SpecDigest || x.Generation != approval.Generation || string(workload) != approval.WorkloadUID {
		return ExceptionVoid
	}
	if approval.Decision != hipaav1.DecisionApproved {
		return ExceptionDenied
	}
	return ExceptionInForce
}

// exception finds one that excuses the workload from the control now, the one
// that ends last.
func (r Ruling) exception(workload *hipaav1.PHIWorkload, controlID string) *hipaav1.ControlException {
	var found *hipaav1.ControlException
	for _, x := range r.Exceptions {
		if x.Spec.ControlID != controlID {
			continue
		}
		if _, counts := r.Effective.Excuses(x, workload, r.Now); !counts {
			continue
		}
		if found == nil || x.Spec.Expires.After(found.Spec.Expires.Time) {
			found = x
		}
	}
	return found
}

// HasExcused reports whether an exception counted for the workload of this UID, for
// however short a time, while what is there since an instant was there. Whether it
// still counts is [StateOf].
func HasExcused(x *hipaav1.ControlException, workload types.UID, since time.Time) bool {
	end := x.Spec.Expires.Time
	if !since.Before(end) || StateOf(x, workload, end.Add(-1)) != ExceptionInForce {
		return false
	}
	decided := x.Status.Approval.Time
	return decided == nil || decided.Time.Before(end)
}
