package agreement_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const day = 24 * time.Hour

func TestStandsAsTheLawAsks(t *testing.T) {
	now := phitest.Epoch
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(d)) }
	type said struct {
		State   agreement.State
		Warned  time.Duration
		Changes time.Duration
	}
	never := time.Time{}.Sub(now)
	tests := map[string]struct {
		give func(*hipaav1.Agreement) *hipaav1.Agreement
		want said
	}{
		"one that runs for a year is in force, and is heard of sixty days before its end": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { return a },
			want: said{agreement.InForce, 0, 305 * day},
		},
		"none lets nobody call, whatever time passes": {
			give: func(*hipaav1.Agreement) *hipaav1.Agreement { return nil },
			want: said{agreement.None, 0, never},
		},
		"at its end it is void": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Expires = at(0); return a },
			want: said{agreement.Expired, 0, never},
		},
		"an instant before its end it is in force": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Expires = at(time.Second); return a },
			want: said{agreement.InForce, 7 * day, time.Second},
		},
		"sixty days before its end people hear of it": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Expires = at(60 * day); return a },
			want: said{agreement.InForce, 60 * day, 30 * day},
		},
		"a month before its end they hear of it again": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Expires = at(20 * day); return a },
			want: said{agreement.InForce, 30 * day, 13 * day},
		},
		"it begins when it is effective": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Effective = at(day); return a },
			want: said{agreement.NotYetEffective, 0, day},
		},
		"it does not begin before it is signed": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Signed = at(2 * day); return a },
			want: said{agreement.NotYetEffective, 0, 2 * day},
		},
		"at the instant of its beginning it is in force": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Signed, a.Effective = at(0), at(0); return a },
			want: said{agreement.InForce, 0, 305 * day},
		},
		"without a clause it does not count, and nobody is warned of its end": {
			give: func(a *hipaav1.Agreement) *hipaav1.Agreement { a.Clauses, a.Expires = a.Clauses[1:], at(day); return a },
			want: said{agreement.Incomplete, 0, day},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := tt.give(phitest.Agreement())
			got := said{agreement.StateOf(a, now), agreement.Warned(a, now), agreement.Changes(a, now).Sub(now)}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the agreement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesMissingClauses(t *testing.T) {
	a := phitest.Agreement()
	a.Clauses = []hipaav1.AgreementClause{hipaav1.ClauseTermination, hipaav1.ClausePermittedUses}
	want := hipaav1.AllAgreementClauses[1 : len(hipaav1.AllAgreementClauses)-1]
	if diff := cmp.Diff(want, agreement.Missing(a)); diff != "" {
		t.Errorf("Missing() (-want +got):\n%s", diff)
	}
}
