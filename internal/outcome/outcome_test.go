package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

var (
	errUnexpected = errors.New("reading pods: boom")
	errWrite      = errors.New("writing the status: boom")
	errConflict   = fmt.Errorf("writing the status: %w", apierrors.NewConflict(schema.GroupResource{Resource: "phiworkloads"}, "api", errors.New("stale")))
	errBlocked    = outcome.Blocked(hipaav1.ReasonNoProfile, errors.New("no profile governs the namespace"))
	errWaiting    = outcome.Waiting(hipaav1.ReasonReplacementPending, time.Minute)
)

func TestReturn(t *testing.T) {
	type want struct {
		Result   ctrl.Result
		Error    bool
		Terminal bool
	}
	tests := map[string]struct {
		giveRecheck           time.Duration
		giveStep, giveWritten error
		want                  want
	}{
		"nothing ends by itself, nothing to do":          {want: want{}},
		"what ends by itself is looked at again":         {giveRecheck: time.Hour, want: want{Result: ctrl.Result{RequeueAfter: time.Hour}}},
		"an unexpected error backs off":                  {giveStep: errUnexpected, want: want{Error: true}},
		"blocked is terminal":                            {giveStep: errBlocked, giveRecheck: time.Hour, want: want{Error: true, Terminal: true}},
		"waiting is no error":                            {giveStep: errWaiting, want: want{Result: ctrl.Result{RequeueAfter: time.Minute}}},
		"waiting and an earlier end: the earlier counts": {giveStep: errWaiting, giveRecheck: time.Second, want: want{Result: ctrl.Result{RequeueAfter: time.Second}}},
		"waiting and a later end: waiting counts":        {giveStep: errWaiting, giveRecheck: time.Hour, want: want{Result: ctrl.Result{RequeueAfter: time.Minute}}},
		"a failed write retries":                         {giveWritten: errWrite, want: want{Error: true}},
		"a failed write retries although blocked":        {giveStep: errBlocked, giveWritten: errWrite, want: want{Error: true}},
		"a failed write retries although waiting":        {giveStep: errWaiting, giveWritten: errWrite, want: want{Error: true}},
		"a lost race retries soon and without alarm":     {giveWritten: errConflict, want: want{Result: ctrl.Result{RequeueAfter: 100 * time.Millisecond}}},
		"a lost race retries although blocked":           {giveStep: errBlocked, giveWritten: errConflict, want: want{Result: ctrl.Result{RequeueAfter: 100 * time.Millisecond}}},
		"a lost race does not hide an unexpected error":  {giveStep: errUnexpected, giveWritten: errConflict, want: want{Error: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			result, err := outcome.Return(tt.giveRecheck, tt.giveStep, tt.giveWritten)
			got := want{Result: result, Error: err != nil, Terminal: errors.Is(err, reconcile.TerminalError(nil))}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Return() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConditionOf(t *testing.T) {
	tests := map[string]struct {
		give error
		want outcome.Condition
	}{
		"blocked, wrapped": {
			give: fmt.Errorf("observing: %w", errBlocked),
			want: outcome.Condition{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonNoProfile, Message: "no profile governs the namespace"},
		},
		"waiting": {
			give: errWaiting,
			want: outcome.Condition{Status: metav1.ConditionUnknown, Reason: hipaav1.ReasonReplacementPending, Message: "the operator looks again by itself"},
		},
		"unexpected says nothing of its text": {
			give: errUnexpected,
			want: outcome.Condition{Status: metav1.ConditionUnknown, Reason: hipaav1.ReasonInternalError, Message: "an unexpected error; the operator tries again, and its log says more"},
		},
		"unexpected from the API server says its kind": {
			give: errConflict,
			want: outcome.Condition{Status: metav1.ConditionUnknown, Reason: hipaav1.ReasonInternalError, Message: "the API server answered Conflict; the operator tries again, and its log says more"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, outcome.ConditionOf(tt.give)); diff != "" {
				t.Errorf("ConditionOf() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStepsStopAtTheFirstError(t *testing.T) {
	var ran []string
	note := func(name string, err error) func(context.Context, *[]string) error {
		return func(_ context.Context, ran *[]string) error {
			*ran = append(*ran, name)
			return err
		}
	}
	err := outcome.Steps[[]string]{note("observe", nil), note("judge", errBlocked), note("repair", nil)}.Run(t.Context(), &ran)
	if !outcome.IsBlocked(err) {
		t.Errorf("Run() = %v, want the error of the second step", err)
	}
	if diff := cmp.Diff([]string{"observe", "judge"}, ran); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
}
