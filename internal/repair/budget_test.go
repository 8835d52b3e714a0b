package repair

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestMaxUnavailable(t *testing.T) {
	n, percent := intstr.FromInt32, intstr.FromString
	tests := map[string]struct {
		give     []intstr.IntOrString
		givePods int
		want     int
	}{
		"no profile says anything":                  {nil, 10, 1},
		"a number":                                  {[]intstr.IntOrString{n(3)}, 10, 3},
		"no more than there are":                    {[]intstr.IntOrString{n(30)}, 10, 10},
		"none":                                      {[]intstr.IntOrString{n(0)}, 10, 0},
		"a percentage rounded down":                 {[]intstr.IntOrString{percent("25%")}, 10, 2},
		"a percentage never below one":              {[]intstr.IntOrString{percent("10%")}, 3, 1},
		"no percent is none":                        {[]intstr.IntOrString{percent("0%")}, 10, 0},
		"all of them":                               {[]intstr.IntOrString{percent("100%")}, 10, 10},
		"the smallest of several profiles":          {[]intstr.IntOrString{n(5), percent("30%"), n(4)}, 10, 3},
		"one profile that forbids it forbids it":    {[]intstr.IntOrString{percent("50%"), n(0)}, 10, 0},
		"what cannot be read allows nothing":        {[]intstr.IntOrString{percent("a lot")}, 10, 0},
		"the API takes no negative number; nor we":  {[]intstr.IntOrString{n(-1)}, 10, 0},
		"a percentage of nothing is one, harmless":  {[]intstr.IntOrString{percent("50%")}, 0, 0},
		"a profile without a word does not loosen":  {[]intstr.IntOrString{n(2)}, 3, 2},
		"of one pod a percentage may take that one": {[]intstr.IntOrString{percent("50%")}, 1, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := MaxUnavailable(tt.give, tt.givePods); got != tt.want {
				t.Errorf("MaxUnavailable(%v, %d) = %d, want %d", tt.give, tt.givePods, got, tt.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	api, worker := types.UID("api"), types.UID("worker")
	type ask struct {
		group types.UID
		ready bool
	}
	counts := func(n, m int) map[types.UID]int { return map[types.UID]int{api: n, worker: m} }
	tests := map[string]struct {
		giveLimits            []intstr.IntOrString
		giveReady, giveWanted map[types.UID]int
		giveAsks              []ask // each that may go is taken
		want                  []answer
	}{
		"one at a time": {
			giveReady: counts(3, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}, {api, true}}, want: []answer{mayGo, notNow},
		},
		"three at a time, but never the last": {
			giveLimits: []intstr.IntOrString{intstr.FromInt32(3)}, giveReady: counts(3, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}, {api, true}, {api, true}}, want: []answer{mayGo, mayGo, notNow},
		},
		"somebody is away already": {
			giveReady: counts(2, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}}, want: []answer{notNow},
		},
		"somebody of another group is away already": {
			giveReady: counts(3, 1), giveWanted: counts(3, 2),
			giveAsks: []ask{{api, true}}, want: []answer{notNow},
		},
		"more than wanted are ready during a rollout: none is away": {
			giveReady: counts(4, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}}, want: []answer{mayGo},
		},
		"a surplus of one group does not make up for another": {
			giveReady: counts(5, 1), giveWanted: counts(3, 2),
			giveAsks: []ask{{api, true}}, want: []answer{notNow},
		},
		"the only replica never": {
			giveReady: counts(1, 0), giveWanted: counts(1, 0),
			giveAsks: []ask{{api, true}}, want: []answer{never},
		},
		"the last ready one not now": {
			giveLimits: []intstr.IntOrString{intstr.FromInt32(5)}, giveReady: counts(1, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}}, want: []answer{notNow},
		},
		"the last ready one of its group, though another group has more": {
			giveLimits: []intstr.IntOrString{intstr.FromInt32(5)}, giveReady: counts(1, 3), giveWanted: counts(2, 3),
			giveAsks: []ask{{api, true}}, want: []answer{notNow},
		},
		"who is not ready costs nothing": {
			giveReady: counts(1, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, false}, {api, false}}, want: []answer{mayGo, mayGo},
		},
		"even the only replica may go while it is not ready": {
			giveReady: counts(0, 0), giveWanted: counts(1, 0),
			giveAsks: []ask{{api, false}}, want: []answer{mayGo},
		},
		"a profile that allows none": {
			giveLimits: []intstr.IntOrString{intstr.FromInt32(0)}, giveReady: counts(3, 0), giveWanted: counts(3, 0),
			giveAsks: []ask{{api, true}, {api, false}}, want: []answer{forbidden, forbidden},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBudget(tt.giveLimits, tt.giveReady, tt.giveWanted)
			for i, ask := range tt.giveAsks {
				got := b.ask(ask.group, ask.ready)
				if got != tt.want[i] {
					t.Errorf("ask %d: %v, want %v", i, got, tt.want[i])
				}
				if got == mayGo {
					b.take(ask.group, ask.ready)
				}
			}
		})
	}
}
