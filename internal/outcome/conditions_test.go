package outcome_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

var (
	earlier = metav1.NewTime(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	now     = metav1.NewTime(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
)

func condition(kind string, status metav1.ConditionStatus, reason string, since metav1.Time) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "m", ObservedGeneration: 2, LastTransitionTime: since}
}

func TestConditions(t *testing.T) {
	previous := []metav1.Condition{
		condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, earlier),
		condition(hipaav1.ConditionStalled, metav1.ConditionTrue, hipaav1.ReasonNoProfile, earlier),
		condition(hipaav1.ConditionProfileBound, metav1.ConditionTrue, hipaav1.ReasonBound, earlier),
	}
	tests := map[string]struct {
		give func(*outcome.Conditions)
		want []metav1.Condition
	}{
		"ready stays ready and takes Stalled away": {
			give: func(c *outcome.Conditions) { c.Ready(metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, "m") },
			want: []metav1.Condition{condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, earlier)},
		},
		"another reason is no transition of status": {
			give: func(c *outcome.Conditions) {
				c.Set(hipaav1.ConditionProfileBound, metav1.ConditionTrue, hipaav1.ReasonResolved, "m")
			},
			want: []metav1.Condition{condition(hipaav1.ConditionProfileBound, metav1.ConditionTrue, hipaav1.ReasonResolved, earlier)},
		},
		"not ready is stalled": {
			give: func(c *outcome.Conditions) { c.Ready(metav1.ConditionFalse, hipaav1.ReasonProfileNotFound, "m") },
			want: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionFalse, hipaav1.ReasonProfileNotFound, now),
				condition(hipaav1.ConditionStalled, metav1.ConditionTrue, hipaav1.ReasonProfileNotFound, earlier),
			},
		},
		"unknown is reconciling": {
			give: func(c *outcome.Conditions) { c.Ready(metav1.ConditionUnknown, hipaav1.ReasonInternalError, "m") },
			want: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionUnknown, hipaav1.ReasonInternalError, now),
				condition(hipaav1.ConditionReconciling, metav1.ConditionTrue, hipaav1.ReasonInternalError, now),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &outcome.Conditions{Previous: previous, Generation: 2, Now: now}
			tt.give(c)
			if diff := cmp.Diff(tt.want, c.List()); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTransitions(t *testing.T) {
	before := []metav1.Condition{
		condition("A", metav1.ConditionTrue, "Same", earlier),
		condition("B", metav1.ConditionTrue, "Same", earlier),
		condition("C", metav1.ConditionTrue, "Same", earlier),
		condition("Gone", metav1.ConditionTrue, "Same", earlier),
	}
	after := []metav1.Condition{
		condition("A", metav1.ConditionTrue, "Same", earlier),
		condition("B", metav1.ConditionFalse, "Same", now),
		condition("C", metav1.ConditionTrue, "Other", earlier),
		condition("New", metav1.ConditionTrue, "Same", now),
	}
	var got []string
	for _, t := range outcome.Transitions(before, after) {
		got = append(got, t.After.Type)
	}
	if diff := cmp.Diff([]string{"B", "C", "New"}, got); diff != "" {
		t.Errorf("Transitions() (-want +got):\n%s", diff)
	}
}

func TestShortenKeepsTextWhole(t *testing.T) {
	tests := map[string]struct{ give, want string }{
		"short enough":           {"abcdefgh", "abcdefgh"},
		"too long":               {"abcdefghi", "abcde..."},
		"not through a rune":     {"abcdé" + strings.Repeat("x", 9), "abcd..."},
		"nothing stays nothing":  {"", ""},
		"one that just fits too": {strings.Repeat("é", 4), strings.Repeat("é", 4)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := outcome.Shorten(tt.give, 8)
			if got != tt.want || !utf8.ValidString(got) {
				t.Errorf("Shorten(%q) = %q, want %q", tt.give, got, tt.want)
			}
		})
	}
}
