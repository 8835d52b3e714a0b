package reach

import "slices"

// valueSet is the set of states that one label key may be in: absent, or present with one of some values. Label values
// are taken as endless, so a set that leaves out finitely many of them is never empty.
type valueSet struct {
	absent   bool     // objects without the key belong to the set
	inverted bool     // values lists what is left out instead of what is in
	values   []string // sorted, each once
}

func anyState() valueSet { return valueSet{absent: true, inverted: true} }

func oneOf(values ...string) valueSet { return valueSet{values: sortedOnce(values)} }

// noneOf follows NotIn, which also matches objects that lack the key.
func noneOf(values ...string) valueSet {
	return valueSet{absent: true, inverted: true, values: sortedOnce(values)}
}

func present() valueSet { return valueSet{inverted: true} }

func missing() valueSet { return valueSet{absent: true} }

func sortedOnce(values []string) []string {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func (s valueSet) empty() bool { return !s.absent && !s.inverted && len(s.values) == 0 }

func (s valueSet) complement() valueSet {
	return valueSet{absent: !s.absent, inverted: !s.inverted, values: s.values}
}

func (s valueSet) intersect(o valueSet) valueSet {
	both := valueSet{absent: s.absent && o.absent, inverted: s.inverted && o.inverted}
	switch {
	case s.inverted && o.inverted:
		both.values = sortedOnce(slices.Concat(s.values, o.values))
	case s.inverted:
		both.values = o.without(s.values)
	case o.inverted:
		both.values = s.without(o.values)
	default:
		both.values = s.within(o.values)
	}
	return both
}

// contains tells whether every state of o is in s.
func (s valueSet) contains(o valueSet) bool {
	if o.absent && !s.absent {
		return false
	}
	switch {
	case s.inverted && o.inverted:
		return listedIn(o.values, s.values) == len(s.values) // s leaves out only what o leaves out
	case s.inverted:
		return listedIn(s.values, o.values) == 0
	case o.inverted:
		return false
	default:
		return listedIn(s.values, o.values) == len(o.values)
	}
}

// listedIn counts the values that a sorted list holds.
func listedIn(sorted, values []string) int {
	n := 0
	for _, v := range values {
		if _, found := slices.BinarySearch(sorted, v); found {
			n++
		}
	}
	return n
}

// overlaps is intersect without building the set, for it is asked far more often.
func (s valueSet) overlaps(o valueSet) bool {
	if s.absent && o.absent || s.inverted && o.inverted {
		return true
	}
	if s.inverted {
		s, o = o, s
	}
	for _, v := range s.values {
		if _, found := slices.BinarySearch(o.values, v); found != o.inverted {
			return true
		}
	}
	return false
}

// has tells whether an object whose key is in the given state belongs to the set.
func (s valueSet) has(value string, exists bool) bool {
	if !exists {
		return s.absent
	}
	_, listed := slices.BinarySearch(s.values, value)
	return listed != s.inverted
}

func (s valueSet) within(sorted []string) []string { return s.filter(sorted, true) }

func (s valueSet) without(sorted []string) []string { return s.filter(sorted, false) }

func (s valueSet) filter(sorted []string, keep bool) []string {
	var kept []string
	for _, v := range s.values {
		if _, found := slices.BinarySearch(sorted, v); found == keep {
			kept = append(kept, v)
		}
	}
	return kept
}

// pick chooses one state of a set that is not empty: the least that satisfies it.
func (s valueSet) pick() (value string, exists bool) {
	if s.absent {
		return "", false
	}
	if !s.inverted {
		return s.values[0], true
	}
	fresh := "any"
	for slices.Contains(s.values, fresh) {
		fresh += "-other"
	}
	return fresh, true
}
