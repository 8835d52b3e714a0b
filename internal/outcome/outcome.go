// Package outcome says who can help with an error. Its promise: what only a
// person can fix never spins, what time fixes never alarms, and a failed write
// is always tried again.
package outcome

import (
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// afterConflict is how soon a write is tried again that lost a race: the cache
// needs a moment to see what the other side wrote.
const afterConflict = 100 * time.Millisecond

// blocked is an error that only a person can fix.
type blocked struct {
	reason string
	err    error
}

func (b *blocked) Error() string { return b.err.Error() }
func (b *blocked) Unwrap() error { return b.err }

// waiting is a state that time ends.
type waiting struct {
	reason string
	after  time.Duration
}

func (w *waiting) Error() string { return fmt.Sprintf("waiting %s: %s", w.after, w.reason) }

// Blocked says that only a person can fix err. The comment of the reason in the
// API names the watch that lifts it: nothing is tried again meanwhile.
func Blocked(reason string, err error) error {
	return &blocked{reason: reason, err: err}
}

// Waiting says that time will fix it, and when to look again.
func Waiting(reason string, after time.Duration) error {
	return &waiting{reason: reason, after: after}
}

// IsBlocked reports whether only a person can fix err.
func IsBlocked(err error) bool {
	var b *blocked
	return errors.As(err, &b)
}

// Condition is what an error means for the condition of the step that returned it.
type Condition struct {
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

// ConditionOf tells what an error means for the condition of its step. The text
// of an unexpected error may hold anything and stays in the log.
func ConditionOf(err error) Condition {
	if b, ok := errors.AsType[*blocked](err); ok {
		return Condition{Status: metav1.ConditionFalse, Reason: b.reason, Message: b.err.Error()}
	}
	if w, ok := errors.AsType[*waiting](err); ok {
		return Condition{Status: metav1.ConditionUnknown, Reason: w.reason, Message: "the operator looks again by itself"}
	}
	kind := "an unexpected error"
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		kind = "the API server answered " + string(reason)
	}
	return Condition{
		Status:  metav1.ConditionUnknown,
		Reason:  hipaav1.ReasonInternalError,
		Message: kind + "; the operator tries again, and its log says more",
	}
}

// Return turns the errors of a pass into what controller-runtime expects. Zero
// recheckAfter means that nothing ends by itself. A write error is never joined
// with one that only a person can fix, which would silence both.
func Return(recheckAfter time.Duration, stepErr, writeErr error) (ctrl.Result, error) {
	var w *waiting
	switch {
	case errors.As(stepErr, &w):
		recheckAfter, stepErr = sooner(recheckAfter, w.after), nil
	case IsBlocked(stepErr):
		if writeErr == nil {
			return ctrl.Result{}, reconcile.TerminalError(stepErr)
		}
		stepErr = nil
	}
	if apierrors.IsConflict(writeErr) {
		recheckAfter, writeErr = sooner(recheckAfter, afterConflict), nil
	}
	if err := errors.Join(stepErr, writeErr); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: recheckAfter}, nil
}

func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b < a {
		return b
	}
	return a
}
