package phiworkload

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

func TestDriftList(t *testing.T) {
	found := func(name string, corrected bool, after time.Duration) repair.Drift {
		return repair.Drift{Kind: "NetworkPolicy", Name: name, Path: ".", Was: "w", Corrected: corrected, Noticed: phitest.Epoch.Add(after)}
	}
	listed := func(name string, state hipaav1.DriftState, after time.Duration) hipaav1.Drift {
		return hipaav1.Drift{Object: "NetworkPolicy/" + name, Path: ".", Was: "w", State: state, Time: phitest.After(after)}
	}
	resolvedAt := func(d hipaav1.Drift, after time.Duration) hipaav1.Drift {
		d.ResolvedTime = ptr.To(phitest.After(after))
		return d
	}
	detected, corrected, resolved := hipaav1.DriftDetected, hipaav1.DriftCorrected, hipaav1.DriftResolved
	many := func(n int) (drift []repair.Drift, list []hipaav1.Drift) {
		for i := range n {
			drift = append(drift, found(fmt.Sprintf("p%02d", i), false, 0))
			list = append(list, listed(fmt.Sprintf("p%02d", i), detected, 0))
		}
		return drift, list
	}
	overflow, kept := many(25)
	tests := map[string]struct {
		giveBefore      []hipaav1.Drift
		giveFound       []repair.Drift
		giveUnpublished []repair.Drift
		giveProgress    progress
		giveMissing     control.Evidence
		giveLeaving     bool
		want            []hipaav1.Drift
	}{
		"newest first": {
			giveBefore: []hipaav1.Drift{listed("old", corrected, -time.Hour)},
			giveFound:  []repair.Drift{found("new", true, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("new", corrected, 0), listed("old", corrected, -time.Hour)},
		},
		"what stands keeps the time when it was noticed": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)},
			giveFound:  []repair.Drift{found("open", false, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what went away without the operator is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), 0)},
		},
		"what is resolved stays so": {
			giveBefore: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), -time.Minute)},
		},
		"what a lost answer had told as resolved is told once": {
			giveBefore:      []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Minute), 0)},
			giveUnpublished: []repair.Drift{found("open", false, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Minute), 0)},
		},
		"what departs at another place now is not resolved": {
			giveBefore: []hipaav1.Drift{func() hipaav1.Drift {
				d := listed("open", detected, -time.Hour)
				d.Path = "spec.ingress[1]"
				return d
			}()},
			giveFound: []repair.Drift{found("open", false, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", detected, 0)},
		},
		"where evidence is missing nothing is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveMissing: control.NetworkPolicies,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what the cluster does not have is no missing evidence": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveMissing: control.Resolvers,
			want: []hipaav1.Drift{resolvedAt(listed("open", resolved, -time.Hour), 0)},
		},
		"where the namespace goes nothing is resolved": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: replaced, giveLeaving: true,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"where nobody looked it stays": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)}, giveProgress: judged,
			want: []hipaav1.Drift{listed("open", detected, -time.Hour)},
		},
		"what stood and was put right is put right": {
			giveBefore: []hipaav1.Drift{listed("open", detected, -time.Hour)},
			giveFound:  []repair.Drift{found("open", true, 0)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, 0)},
		},
		"what no status has told of yet is told": {
			giveUnpublished: []repair.Drift{found("open", true, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, -time.Minute)},
		},
		"what a lost answer had told of after all is told once": {
			giveBefore:      []hipaav1.Drift{listed("open", corrected, -time.Minute)},
			giveUnpublished: []repair.Drift{found("open", true, -time.Minute)}, giveProgress: replaced,
			want: []hipaav1.Drift{listed("open", corrected, -time.Minute)},
		},
		"too many: what stands comes before what is history": {
			giveBefore: []hipaav1.Drift{listed("old", corrected, time.Hour)},
			giveFound:  overflow, giveProgress: replaced,
			want: kept[:20],
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t)
			s.workload.Status.Drift, s.drift, s.unpublished, s.progress = tt.giveBefore, tt.giveFound, tt.giveUnpublished, tt.giveProgress
			if tt.giveMissing != 0 {
				s.subject.World.Missing = map[control.Evidence]string{tt.giveMissing: "no"}
			}
			if tt.giveLeaving {
				s.scene.Namespace.DeletionTimestamp = ptr.To(phitest.After(0))
			}
			got := statusOf(s, nil).Drift
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b []hipaav1.Drift) bool { return len(a) == 0 && len(b) == 0 || cmp.Equal(a, b) })); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsLeftOverMayOnlyGoWhereTheListIsComplete(t *testing.T) {
	tests := map[string]struct {
		give func(*phitest.ProfileBuilder) *phitest.ProfileBuilder
		lack bool
		want bool
	}{
		"enforced": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b }, false, true},
		"off: the security team has taken the control away": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Mode(hipaav1.ModeOff) }, false, true},
		"evidence is missing: the list may be short":        {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b }, true, false},
		"paused":  {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.PausedFor(time.Hour) }, false, false},
		"audited": {func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Mode(hipaav1.ModeAudit) }, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t, tt.give(phitest.Profile("strict")).Obj())
			if tt.lack {
				s.subject.World.Missing = map[control.Evidence]string{control.FlowPeers: "no"}
			}
			if got := s.ruling.MayPrune(s.subject.World); got != tt.want {
				t.Errorf("MayPrune() = %v, want %v", got, tt.want)
			}
		})
	}
}
