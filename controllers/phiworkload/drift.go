package phiworkload

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// driftOf lists what stands and what became of the rest, newest first.
func driftOf(s *scope, now metav1.Time) []hipaav1.Drift {
	t := traceOf(s, now)
	for _, d := range t.gone {
		if !slices.ContainsFunc(t.past, func(p hipaav1.Drift) bool {
			return p.State == hipaav1.DriftResolved && isSame(&p, &d) && p.Time.Equal(&d.Time)
		}) {
			d.State, d.ResolvedTime, d.ResolvedBy = hipaav1.DriftResolved, &now, s.resolvers[d.Object]
			t.past = append(t.past, d)
		}
	}
	newestFirst := func(a, b hipaav1.Drift) int { return b.Time.Compare(a.Time.Time) }
	slices.SortStableFunc(t.standing, newestFirst)
	slices.SortStableFunc(t.past, newestFirst)
	list := bound(slices.Concat(t.standing, t.past), maxDrift)
	slices.SortStableFunc(list, newestFirst)
	return list
}

// trace is what this pass and the earlier ones know of departures.
type trace struct {
	// standing are those that stand, and past those whose end is known.
	standing, past []hipaav1.Drift
	// gone stood and were not found again, and the operator did not put them right.
	gone []hipaav1.Drift
}

// traceOf puts together what was found. What stood stays where nobody looked to the
// end. An object that still departs, in other words or at another place, or that the
// operator put right, is not gone.
func traceOf(s *scope, now metav1.Time) trace {
	var t trace
	for _, d := range slices.Concat(s.drift, s.unpublished) {
		if d.Corrected {
			t.past = append(t.past, entryOf(&d, now))
		}
	}
	stood := slices.Clone(s.workload.Status.Drift)
	for i := range s.unpublished {
		stood = append(stood, entryOf(&s.unpublished[i], now))
	}
	for i := range s.drift {
		d := &s.drift[i]
		entry := entryOf(d, now)
		if d.Corrected || standsIn(t.standing, entry) != nil {
			continue
		}
		if before := standsIn(stood, entry); before != nil {
			entry.Time = before.Time
		}
		t.standing = append(t.standing, entry)
	}
	found := slices.Concat(t.standing, t.past)
	for _, d := range stood {
		switch {
		case d.State != hipaav1.DriftDetected:
			if !slices.Contains(t.past, d) {
				t.past = append(t.past, d)
			}
		case !s.lookedForDrift():
			if standsIn(t.standing, d) == nil {
				t.standing = append(t.standing, d)
			}
		case !slices.ContainsFunc(found, func(f hipaav1.Drift) bool { return f.Object == d.Object }) && standsIn(t.gone, d) == nil:
			t.gone = append(t.gone, d)
		}
	}
	return t
}

func entryOf(d *repair.Drift, now metav1.Time) hipaav1.Drift {
	entry := hipaav1.Drift{
		Object: d.Object(), Path: outcome.Shorten(d.Path, 256), Was: d.Was, Want: d.Want, Who: d.Who,
		State: hipaav1.DriftDetected, Time: metav1.NewTime(d.Noticed.UTC().Truncate(time.Second)),
	}
	if d.Corrected {
		entry.State = hipaav1.DriftCorrected
	}
	if d.Noticed.IsZero() {
		entry.Time = now
	}
	return entry
}

// standsIn finds the same departure among those that stand.
func standsIn(list []hipaav1.Drift, d hipaav1.Drift) *hipaav1.Drift {
	for i := range list {
		if o := &list[i]; o.State == hipaav1.DriftDetected && isSame(o, &d) {
			return o
		}
	}
	return nil
}

func isSame(a, b *hipaav1.Drift) bool {
	return a.Object == b.Object && a.Path == b.Path && a.Was == b.Was
}

// resolution says how a departure ended without the operator.
func resolution(d *hipaav1.Drift) string {
	text := "there no more since " + d.ResolvedTime.UTC().Format(time.RFC3339)
	if d.ResolvedBy != "" {
		text += ", removed by " + d.ResolvedBy
	}
	return text
}
