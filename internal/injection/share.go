package injection

import (
	"maps"
	"slices"
)

// share leaves out calls where there are more than a configuration takes: whoever is
// called by very many names must not take those of others away. Every entry of the
// declaration has an equal share, and what one does not need is there for the rest.
func (b *builder) share(calls map[end]planned, most int) {
	if len(calls) <= most {
		return
	}
	counts := map[string]int{}
	for at := range calls {
		counts[calls[at].path]++
	}
	share := shareOf(slices.Sorted(maps.Values(counts)), most)
	for path, count := range counts {
		if count > share {
			b.keepClosed(path, "is reached by %d names and ports, of which the proxy keeps %d: let it have fewer Services", count, share)
		}
	}
	kept := map[string]int{}
	for _, at := range sorted(calls) {
		path := calls[at].path
		if kept[path]++; kept[path] > share {
			delete(calls, at)
		}
	}
}

// shareOf is the most that each may have, so that all of them together have no more than
// there is. Counts are sorted, the least first.
func shareOf(counts []int, most int) int {
	for i, count := range counts {
		if left := len(counts) - i; count*left > most {
			return most / left
		}
		most -= count
	}
	return most
}
