package injection

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNobodyTakesTheNamesOfOthers(t *testing.T) {
	tests := map[string]struct {
		give map[string]int
		most int
		want map[string]int
		told []string
	}{
		"as many as there is room for": {give: map[string]int{"a": 3, "b": 1}, most: 4, want: map[string]int{"a": 3, "b": 1}},
		"one of very many": {
			give: map[string]int{"a": 90, "b": 2, "c": 1}, most: 10, want: map[string]int{"a": 7, "b": 2, "c": 1},
			told: []string{"a: is reached by 90 names and ports, of which the proxy keeps 7: let it have fewer Services"},
		},
		"two of very many": {
			give: map[string]int{"a": 90, "b": 20, "c": 1}, most: 10, want: map[string]int{"a": 4, "b": 4, "c": 1},
			told: []string{
				"a: is reached by 90 names and ports, of which the proxy keeps 4: let it have fewer Services",
				"b: is reached by 20 names and ports, of which the proxy keeps 4: let it have fewer Services",
			},
		},
		"more entries than room": {
			give: map[string]int{"a": 1, "b": 1, "c": 1}, most: 2, want: map[string]int{},
			told: []string{
				"a: is reached by 1 names and ports, of which the proxy keeps 0: let it have fewer Services",
				"b: is reached by 1 names and ports, of which the proxy keeps 0: let it have fewer Services",
				"c: is reached by 1 names and ports, of which the proxy keeps 0: let it have fewer Services",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			calls := map[end]planned{}
			for path, count := range tt.give {
				for i := range count {
					calls[end{fmt.Sprintf("%s-%d", path, i), 80}] = planned{path: path}
				}
			}
			b := &builder{}
			b.share(calls, tt.most)
			got := map[string]int{}
			for at := range calls {
				got[calls[at].path]++
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			slices.Sort(b.closed)
			if diff := cmp.Diff(tt.told, b.closed); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
