package phitest_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestUnlawfulConditions(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "m", ObservedGeneration: 2, LastTransitionTime: phitest.After(0)}
	}
	ready := condition(hipaav1.ConditionReady, metav1.ConditionTrue, "Fine")
	notReady := condition(hipaav1.ConditionReady, metav1.ConditionFalse, "Broken")
	unknown := condition(hipaav1.ConditionReady, metav1.ConditionUnknown, "Busy")
	stalled := condition(hipaav1.ConditionStalled, metav1.ConditionTrue, "Broken")
	reconciling := condition(hipaav1.ConditionReconciling, metav1.ConditionTrue, "Busy")
	with := func(c metav1.Condition, change func(*metav1.Condition)) metav1.Condition {
		change(&c)
		return c
	}
	tests := map[string]struct {
		give   []metav1.Condition
		change func(*hipaav1.PHIWorkload)
		want   string // part of a broken law; empty is lawful
	}{
		"ready":       {give: []metav1.Condition{ready}},
		"stalled":     {give: []metav1.Condition{notReady, stalled}},
		"reconciling": {give: []metav1.Condition{unknown, reconciling}},
		"being deleted": {
			give: []metav1.Condition{unknown, reconciling},
			change: func(w *hipaav1.PHIWorkload) {
				at := phitest.After(time.Hour)
				w.DeletionTimestamp = &at
			},
		},
		"nothing at all":              {want: "no conditions"},
		"no Ready":                    {give: []metav1.Condition{reconciling}, want: "no condition Ready"},
		"one type twice":              {give: []metav1.Condition{ready, ready}, want: "twice"},
		"Stalled while it is not":     {give: []metav1.Condition{ready, with(stalled, func(c *metav1.Condition) { c.Status = metav1.ConditionFalse })}, want: "Stalled is there"},
		"Reconciling while it is not": {give: []metav1.Condition{ready, with(reconciling, func(c *metav1.Condition) { c.Status = metav1.ConditionFalse })}, want: "Reconciling is there"},
		"ready and yet stalled":       {give: []metav1.Condition{ready, stalled}, want: "is Ready and yet"},
		"not ready for no reason":     {give: []metav1.Condition{notReady}, want: "not Stalled for that reason"},
		"stalled for another reason":  {give: []metav1.Condition{notReady, with(stalled, func(c *metav1.Condition) { c.Reason = "Other" })}, want: "not Stalled for that reason"},
		"unknown and idle":            {give: []metav1.Condition{unknown}, want: "not Reconciling for that reason"},
		"both":                        {give: []metav1.Condition{unknown, reconciling, stalled}, want: "both Stalled and Reconciling"},
		"a reason that is a sentence": {give: []metav1.Condition{with(ready, func(c *metav1.Condition) { c.Reason = "it is fine" })}, want: "has reason"},
		"no message":                  {give: []metav1.Condition{with(ready, func(c *metav1.Condition) { c.Message = "" })}, want: "no message"},
		"no time":                     {give: []metav1.Condition{with(ready, func(c *metav1.Condition) { c.LastTransitionTime = metav1.Time{} })}, want: "no time"},
		"a generation of the future":  {give: []metav1.Condition{with(ready, func(c *metav1.Condition) { c.ObservedGeneration = 3 })}, want: "speaks of generation 3"},
		"ready for what it did not observe": {
			give: []metav1.Condition{ready}, change: func(w *hipaav1.PHIWorkload) { w.Status.ObservedGeneration = 1 },
			want: "has observed 1",
		},
		"more than the API takes": {
			give: func() []metav1.Condition {
				list := []metav1.Condition{ready}
				for i := range 16 {
					list = append(list, condition(strings.Repeat("X", i+1), metav1.ConditionTrue, "Fine"))
				}
				return list
			}(),
			want: "17 conditions",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := phitest.Workload("api").Obj()
			w.Generation, w.Status.ObservedGeneration, w.Status.Conditions = 2, 2, tt.give
			if tt.change != nil {
				tt.change(w)
			}
			broken := strings.Join(phitest.UnlawfulConditions(w), "; ")
			if tt.want == "" && broken != "" || !strings.Contains(broken, tt.want) {
				t.Errorf("broken laws: %q, want %q", broken, tt.want)
			}
		})
	}
}
