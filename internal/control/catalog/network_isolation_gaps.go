package catalog

import (
	"slices"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// gaps are findings about what every cluster has and was not found.
func gaps(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for _, gap := range []struct {
		source control.Evidence
		remedy string
	}{
		{control.Resolvers, "put it back, or name the resolvers in network.dns of the profile"},
		{control.APIServer, "the API server puts them back while it runs"},
	} {
		if why, missing := s.World.Missing[gap.source]; missing {
			findings = append(findings, control.Undecided("", "%s: %s; policies in place stay as they are", gap.source, why).But("%s", gap.remedy).OnlyLive())
		}
	}
	return findings
}

// leftAlone reports whether the policy that is in place stays as it is. What every
// cluster has and was not found is sooner a moment's gap than the truth: as long
// as it lasts, no way out is closed. Where the policy in place leads nowhere
// else, as one that was written during the gap, it follows the declaration.
func leftAlone(s *control.Subject, name string) bool {
	if len(gaps(s)) == 0 {
		return false
	}
	if _, unread := s.World.Missing[control.NetworkPolicies]; unread {
		return true
	}
	world := policiesNamed(s, name)
	target := reach.Pods{Namespace: s.Workload.Namespace, Selector: s.Workload.Spec.Selector}
	leads := func(w reach.Widening) bool { return w.Direction == reach.Egress }
	return slices.ContainsFunc(world.Widenings(target, flows.Of(s, s.Workload).Allowed()), leads)
}

// policiesNamed is the world of the one policy of a name, or of none.
func policiesNamed(s *control.Subject, name string) reach.World {
	world := worldAround(s)
	for _, policy := range s.World.Policies {
		if policy.Name == name {
			world.Policies = append(world.Policies, *policy)
		}
	}
	return world
}
