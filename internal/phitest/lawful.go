package phitest

import (
	"fmt"
	"regexp"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// T is what a failed law is told to: a *testing.T or Ginkgo's GinkgoT().
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// ExpectLawfulConditions holds an object to the laws of conditions; every spec of
// a controller ends in it.
func ExpectLawfulConditions(t T, object client.Object) {
	t.Helper()
	for _, broken := range UnlawfulConditions(object) {
		t.Errorf("%T %s: %s", object, client.ObjectKeyFromObject(object), broken)
	}
}

// maxConditions is the bound of the API.
const maxConditions = 16

var reasonForm = regexp.MustCompile(`^[A-Z][A-Za-z]*$`)

// UnlawfulConditions lists the laws of conditions that an object breaks:
//
//   - it has conditions, no more than the API takes, each type once;
//   - each is complete, speaks of a generation that exists, and of the present
//     one if Ready is True;
//   - Ready is there; Reconciling and Stalled are there only while True, and
//     never both;
//   - Ready is False with Stalled and Unknown with Reconciling, for the same
//     reason, and True with neither;
//   - kstatus comes to the same conclusion.
func UnlawfulConditions(object client.Object) []string {
	conditions, observed := ConditionsOf(object)
	l := laws{object: object, conditions: conditions, byType: map[string]metav1.Condition{}}
	l.complete()
	l.summary(observed)
	l.kstatus()
	return l.broken
}

// ConditionsOf are the conditions of an object of ours, and the generation of which
// they speak.
func ConditionsOf(object client.Object) (conditions []metav1.Condition, observed int64) {
	switch o := object.(type) {
	case *hipaav1.PHIWorkload:
		return o.Status.Conditions, o.Status.ObservedGeneration
	case *hipaav1.ComplianceProfile:
		return o.Status.Conditions, o.Status.ObservedGeneration
	case *hipaav1.ControlException:
		return o.Status.Conditions, o.Status.ObservedGeneration
	case *hipaav1.Vendor:
		return o.Status.Conditions, o.Status.ObservedGeneration
	default:
		return nil, 0
	}
}

type laws struct {
	object     client.Object
	conditions []metav1.Condition
	byType     map[string]metav1.Condition
	broken     []string
}

func (l *laws) require(holds bool, format string, args ...any) {
	if !holds {
		l.broken = append(l.broken, fmt.Sprintf(format, args...))
	}
}

func (l *laws) complete() {
	l.require(len(l.conditions) > 0, "has no conditions")
	l.require(len(l.conditions) <= maxConditions, "has %d conditions, the API takes %d", len(l.conditions), maxConditions)
	for _, c := range l.conditions {
		_, twice := l.byType[c.Type]
		l.require(!twice, "condition %s is there twice", c.Type)
		l.byType[c.Type] = c
		l.require(c.Status == metav1.ConditionTrue || c.Status == metav1.ConditionFalse || c.Status == metav1.ConditionUnknown,
			"condition %s has status %q", c.Type, c.Status)
		l.require(reasonForm.MatchString(c.Reason), "condition %s has reason %q", c.Type, c.Reason)
		l.require(c.Message != "", "condition %s has no message", c.Type)
		l.require(!c.LastTransitionTime.IsZero(), "condition %s has no time", c.Type)
		l.require(c.ObservedGeneration > 0 && c.ObservedGeneration <= l.object.GetGeneration(),
			"condition %s speaks of generation %d, the object is at %d", c.Type, c.ObservedGeneration, l.object.GetGeneration())
	}
}

func (l *laws) summary(observed int64) {
	ready, hasReady := l.byType[hipaav1.ConditionReady]
	stalled, isStalled := l.byType[hipaav1.ConditionStalled]
	reconciling, isReconciling := l.byType[hipaav1.ConditionReconciling]
	l.require(hasReady, "has no condition Ready")
	l.require(!isStalled || stalled.Status == metav1.ConditionTrue, "Stalled is there and %s", stalled.Status)
	l.require(!isReconciling || reconciling.Status == metav1.ConditionTrue, "Reconciling is there and %s", reconciling.Status)
	l.require(!isStalled || !isReconciling, "is both Stalled and Reconciling")
	switch ready.Status {
	case metav1.ConditionTrue:
		l.require(!isStalled && !isReconciling, "is Ready and yet Stalled or Reconciling")
		l.require(ready.ObservedGeneration == observed && observed > 0, "is Ready for generation %d and has observed %d", ready.ObservedGeneration, observed)
	case metav1.ConditionFalse:
		l.require(isStalled && stalled.Reason == ready.Reason, "is not Ready (%s) and not Stalled for that reason", ready.Reason)
	default:
		l.require(isReconciling && reconciling.Reason == ready.Reason, "may not be Ready (%s) and is not Reconciling for that reason", ready.Reason)
	}
}

// kstatus is what Flux, Argo CD and kubectl wait make of the object.
func (l *laws) kstatus() {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(l.object)
	if err != nil {
		l.require(false, "cannot be converted: %v", err)
		return
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		l.require(false, "kstatus cannot tell: %v", err)
		return
	}
	want := map[metav1.ConditionStatus]status.Status{
		metav1.ConditionTrue:    status.CurrentStatus,
		metav1.ConditionFalse:   status.FailedStatus,
		metav1.ConditionUnknown: status.InProgressStatus,
	}[l.byType[hipaav1.ConditionReady].Status]
	switch {
	case !l.object.GetDeletionTimestamp().IsZero():
		want = status.TerminatingStatus
	case l.byType[hipaav1.ConditionReady].ObservedGeneration < l.object.GetGeneration():
		return // about an earlier generation: anything may follow
	}
	l.require(result.Status == want, "kstatus says %s (%s), Ready says %s", result.Status, result.Message, want)
}
