package repair

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func workloadNo(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "ehr", Name: fmt.Sprintf("w%02d", i)}
}

// A crowd of workloads, each with pods to replace, looks when its turn comes, as
// the queue of a controller has it.
func TestACrowdTakesNoMoreThanThePace(t *testing.T) {
	const crowd, pods = 20, 3
	var p pace
	var taken []time.Duration
	looks, left := map[int]time.Time{}, map[int]int{}
	for i := range crowd {
		looks[i], left[i] = phitest.Epoch, pods
	}
	asked := 0
	for len(looks) > 0 {
		next := -1
		for i := range crowd {
			if at, waits := looks[i]; waits && (next < 0 || at.Before(looks[next])) {
				next = i
			}
		}
		now := looks[next]
		delete(looks, next)
		for left[next] > 0 {
			asked++
			turn, waits := p.ask(workloadNo(next), now)
			if waits {
				looks[next] = turn
				break
			}
			p.took(now)
			left[next]--
			taken = append(taken, now.Sub(phitest.Epoch))
		}
	}
	want := make([]time.Duration, crowd*pods)
	for i := evictionBurst; i < len(want); i++ {
		want[i] = want[i-1] + evictionInterval
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("taken at (-want +got):\n%s", diff)
	}
	if most := 3 * crowd * pods; asked > most {
		t.Errorf("asked %d times for %d pods, want %d at most: the crowd came back all at once", asked, crowd*pods, most)
	}
}

func TestTurns(t *testing.T) {
	at := func(seconds int) time.Time { return phitest.Epoch.Add(time.Duration(seconds) * time.Second) }
	var p pace
	ask := func(workload int, now time.Time) string {
		turn, waits := p.ask(workloadNo(workload), now)
		if !waits {
			return "go"
		}
		return turn.Sub(phitest.Epoch).String()
	}
	for range evictionBurst {
		if got := ask(0, at(0)); got != "go" {
			t.Fatalf("the bucket is not full: %s", got)
		}
		p.took(at(0))
	}
	var got []string
	for _, step := range []struct{ workload, second int }{
		{0, 0}, {1, 0}, {0, 1}, {2, 1}, // two wait, one asks again, one more comes
		{2, 5},         // early, and there is one: nobody holds it back
		{1, 6}, {3, 6}, // the first is past, the others keep their places
	} {
		answer := ask(step.workload, at(step.second))
		if answer == "go" {
			p.took(at(step.second))
		}
		got = append(got, answer)
	}
	if diff := cmp.Diff([]string{"5s", "10s", "5s", "15s", "go", "10s", "20s"}, got); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	// A minute later everything is there again, and nothing more.
	var burst []string
	for range evictionBurst + 1 {
		burst = append(burst, ask(4, at(66)))
		p.took(at(66))
	}
	if diff := cmp.Diff(append(slices.Repeat([]string{"go"}, evictionBurst), "1m11s"), burst); diff != "" {
		t.Errorf("after a rest (-want +got):\n%s", diff)
	}
	if len(p.turns) != 1 {
		t.Errorf("turns that passed are kept: %v", p.turns)
	}
}
