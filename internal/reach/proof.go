package reach

import "slices"

// proof is how a search for something uncovered ended.
type proof uint8

const (
	covered   proof = iota // nothing is left
	open                   // something is left, and it was found
	undecided              // the search was given up: as good as open, but without an example
)

// searchEffort bounds the search for one policy, in comparisons of two boxes (about 0.1 us each). Whether selectors
// together cover another one is as hard as satisfiability, and whoever writes the policy must not choose how long the
// answer takes.
const searchEffort effort = 1 << 17

// effort is the number of comparisons that a search may still make.
type effort int

func (e *effort) spend(comparisons int) bool {
	if *e < effort(comparisons) {
		*e = 0
		return false
	}
	*e -= effort(comparisons)
	return true
}

// remainder looks for a part of b that is in none of the covers. A box minus a cover falls into at most one piece for
// each constraint of the cover; each piece is held against the covers that follow.
func (b box) remainder(covers []box, e *effort) (box, proof) {
	if b.empty() {
		return nil, covered
	}
	if slices.ContainsFunc(covers, b.implies) {
		return nil, covered
	}
	if !e.spend(1 + len(covers)) {
		return nil, undecided
	}
	for i, c := range covers {
		if b.disjoint(c) {
			continue
		}
		rest := b
		for _, side := range c {
			outside := rest.with(side.key, side.states.complement())
			if left, p := outside.remainder(covers[i+1:], e); p != covered {
				return left, p
			}
			rest = rest.with(side.key, side.states)
		}
		return nil, covered
	}
	return b, open
}
