package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestRegionsMergeToThoseThatAllProfilesAllow(t *testing.T) {
	stated := phitest.Profile("c").UnboundedStated(phitest.After(time.Hour)).Obj().Spec.Residency.Unbounded
	for name, tc := range map[string]struct {
		give      []*phitest.ProfileBuilder
		want      control.ResidencyParameters
		conflicts int
	}{
		"none where no profile names any": {give: []*phitest.ProfileBuilder{phitest.Profile("a")}},
		"those of one": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Regions("us-west-2", "us-east-1", "us-east-1")},
			want: control.ResidencyParameters{Regions: []string{"us-east-1", "us-west-2"}, Allowed: []string{"us-east-1", "us-west-2"}},
		},
		"those that both name": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Regions("us-west-2", "us-east-1"), phitest.Profile("b").Regions("us-west-2")},
			want: control.ResidencyParameters{Regions: []string{"us-west-2"}, Allowed: []string{"us-west-2"}},
		},
		"no region where they have none in common": {
			give:      []*phitest.ProfileBuilder{phitest.Profile("a").Regions("us-west-2"), phitest.Profile("b").Regions("us-east-1")},
			want:      control.ResidencyParameters{Regions: []string{}, Allowed: []string{}},
			conflicts: 1,
		},
		"a failover of one beside what the other allows always": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Regions("us-east-1").Failover(phitest.After(2*time.Hour), "us-west-2", "ca-central-1"),
				phitest.Profile("b").Regions("us-east-1", "us-west-2"),
			},
			want: control.ResidencyParameters{
				Regions: []string{"us-east-1"}, Allowed: []string{"us-east-1", "us-west-2"}, FailoverEnds: phitest.Epoch.Add(2 * time.Hour), FailoverBy: []string{"a"},
			},
		},
		"two failovers, until the first of them ends": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Regions("us-east-1").Failover(phitest.After(2*time.Hour), "us-west-2"),
				phitest.Profile("b").Regions("us-east-1").Failover(phitest.After(time.Hour), "us-west-2", "ca-central-1"),
			},
			want: control.ResidencyParameters{
				Regions: []string{"us-east-1"}, Allowed: []string{"us-east-1", "us-west-2"}, FailoverEnds: phitest.Epoch.Add(time.Hour), FailoverBy: []string{"a", "b"},
			},
		},
		"no failover that has ended": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Regions("us-east-1").Failover(phitest.After(0), "us-west-2")},
			want: control.ResidencyParameters{Regions: []string{"us-east-1"}, Allowed: []string{"us-east-1"}},
		},
		"regions and a statement that nothing binds": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Regions("us-east-1"), phitest.Profile("c").UnboundedStated(phitest.After(time.Hour))},
			want: control.ResidencyParameters{Regions: []string{"us-east-1"}, Allowed: []string{"us-east-1"}, Unbounded: stated},
		},
		"no statement that has ended": {give: []*phitest.ProfileBuilder{phitest.Profile("a").UnboundedStated(phitest.After(0))}},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolve(t, newEngine(t, pair()...), tc.give...)
			if diff := cmp.Diff(tc.want, got.Parameters.Residency); diff != "" {
				t.Errorf("residency (-want +got):\n%s", diff)
			}
			if len(got.Conflicts) != tc.conflicts {
				t.Errorf("conflicts = %q, want %d", got.Conflicts, tc.conflicts)
			}
		})
	}
}
