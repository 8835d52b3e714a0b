package backstop

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Instants says from when each control refuses for a workload, by ID. One that is not
// in it does not; the zero instant is that it does already.
type Instants map[string]time.Time

// Parameters are what the policy goes by in a namespace. They stand beside the pods and
// not with the operator: so one binding, which is installed and guarded as it stands,
// serves all namespaces, and one look-up finds them. What they say is no secret, and a
// policy lets nobody but the operator write them.
func Parameters(namespace string, spec *hipaav1.BackstopSpec) *hipaav1.Backstop {
	return &hipaav1.Backstop{
		TypeMeta: metav1.TypeMeta{APIVersion: hipaav1.GroupVersion.String(), Kind: "Backstop"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: hipaav1.BackstopName,
			Labels: map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue},
		},
		Spec: *spec,
	}
}

// Workload is what the policy knows of a PHIWorkload, in namespaces of some hundred of
// which each pod is compared with every one: a list is far cheaper to it than a map.
func Workload(w *hipaav1.PHIWorkload, holding map[string]hipaav1.BackstopControl) hipaav1.BackstopWorkload {
	selector := w.Spec.Selector
	labels := make([]string, 0, len(selector.MatchLabels))
	for _, key := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		labels = append(labels, key+"="+selector.MatchLabels[key])
	}
	return hipaav1.BackstopWorkload{Name: w.Name, Labels: labels, Expressions: selector.MatchExpressions, Controls: holding}
}

// From is an instant as the API server reads it.
func From(at time.Time) hipaav1.BackstopInstant {
	if at.IsZero() {
		return hipaav1.BackstopInstant{}
	}
	whole := metav1.NewTime(at.UTC().Truncate(time.Second))
	return hipaav1.BackstopInstant{From: &whole}
}

// Holding are the controls that state a backstop and refuse for the subject's workload,
// or for what is no workload's, with what their faults read. Pods are always some
// workload's.
func Holding(controls []control.Control, s control.Subject, from Instants) map[string]hipaav1.BackstopControl {
	holding := map[string]hipaav1.BackstopControl{}
	for i := range controls {
		c := &controls[i]
		at, holds := from[c.ID]
		if c.Backstop == nil || !holds || s.Workload == nil && !slices.ContainsFunc(c.Backstop.Faults, beyondPods) {
			continue
		}
		one := hipaav1.BackstopControl{BackstopInstant: From(at)}
		if c.Backstop.Settings != nil {
			one.Settings = c.Backstop.Settings(s)
		}
		holding[c.ID] = one
	}
	return holding
}

func beyondPods(fault control.Fault) bool { return fault.Kind() != control.Pods }
