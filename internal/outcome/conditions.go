package outcome

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// maxMessage bounds the message of a condition, in bytes.
const maxMessage = 1024

// Conditions builds the conditions of an object afresh, in the order in which
// they are set. What is not set is gone; what stays as it was keeps the time of
// its last transition.
type Conditions struct {
	// Previous are those that the object has.
	Previous []metav1.Condition
	// Generation is that of the spec they are about.
	Generation int64
	// Now is the time of transitions.
	Now metav1.Time

	list []metav1.Condition
}

// Set adds a condition.
func (c *Conditions) Set(kind string, status metav1.ConditionStatus, reason, message string) {
	condition := metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: Shorten(message, maxMessage),
		ObservedGeneration: c.Generation, LastTransitionTime: c.Now,
	}
	if before := meta.FindStatusCondition(c.Previous, kind); before != nil && before.Status == status {
		condition.LastTransitionTime = before.LastTransitionTime
	}
	c.list = append(c.list, condition)
}

// Ready adds Ready, and beside it what kstatus asks for: Stalled where only a
// person can help (False), Reconciling where the operator goes on by itself
// (Unknown).
func (c *Conditions) Ready(status metav1.ConditionStatus, reason, message string) {
	c.Set(hipaav1.ConditionReady, status, reason, message)
	switch status {
	case metav1.ConditionTrue:
	case metav1.ConditionFalse:
		c.Set(hipaav1.ConditionStalled, metav1.ConditionTrue, reason, message)
	default:
		c.Set(hipaav1.ConditionReconciling, metav1.ConditionTrue, reason, message)
	}
}

// NotLookedAt adds a condition of a step that did not run because an earlier one
// failed.
func (c *Conditions) NotLookedAt(kind string, failed Condition) {
	c.Set(kind, metav1.ConditionUnknown, failed.Reason, "not looked at: an earlier step did not finish")
}

// List is what has been set.
func (c *Conditions) List() []metav1.Condition { return c.list }

// Shorten cuts a text to so many bytes and shows that it did.
func Shorten(text string, size int) string {
	const cut = "..."
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size-len(cut)], "") + cut
}

// Transition is a condition that became something else.
type Transition struct {
	Before *metav1.Condition // nil if it is new
	After  metav1.Condition
}

// Transitions lists the conditions whose status or reason changed, in order.
func Transitions(before, after []metav1.Condition) []Transition {
	var changed []Transition
	for _, condition := range after {
		old := meta.FindStatusCondition(before, condition.Type)
		if old == nil || old.Status != condition.Status || old.Reason != condition.Reason {
			changed = append(changed, Transition{Before: old, After: condition})
		}
	}
	return changed
}
