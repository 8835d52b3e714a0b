package engine

import (
	"slices"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// addResidency keeps the regions that every profile allows which names any. What one
// of them allows for a time counts beside what it allows always, and only there.
func (m *merge) addResidency(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Residency
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Residency
	into.Placement = strictest(into.Placement, from.Placement, hipaav1.PlacementAsDeclared, hipaav1.PlacementRequired)
	if s := from.Unbounded; s != nil && m.stands(*s) {
		into.Unbounded = s
	}
	if from.Regions == nil {
		return
	}
	always, allowed := sortedSet(from.Regions), sortedSet(from.Regions)
	if f := from.Failover; f != nil && m.stands(f.Statement) {
		allowed = sortedSet(append(allowed, f.Regions...))
		into.FailoverBy = append(into.FailoverBy, p.Name)
		if into.FailoverEnds.IsZero() || f.Expires.Time.Before(into.FailoverEnds) {
			into.FailoverEnds = f.Expires.Time
		}
	}
	if into.Allowed != nil {
		always, allowed = common(into.Regions, always), common(into.Allowed, allowed)
	}
	into.Regions, into.Allowed = always, allowed
	if len(allowed) == 0 {
		m.conflict("residency.regions of profile %q has no region that the profiles before it allow; none is allowed", p.Name)
	}
}

func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// common are the entries of a that b has too; never nil.
func common(a, b []string) []string {
	both := []string{}
	for _, one := range a {
		if slices.Contains(b, one) {
			both = append(both, one)
		}
	}
	return both
}
