package repair

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// MaxUnavailable is how many of so many pods may be away at once: the smallest
// of what profiles say. A percentage is rounded down but never below one, and 0
// or 0% is none. Where no profile says anything it is one.
func MaxUnavailable(limits []intstr.IntOrString, pods int) int {
	if len(limits) == 0 {
		return 1
	}
	smallest := pods
	for _, limit := range limits {
		smallest = min(smallest, scaled(limit, pods))
	}
	return smallest
}

func scaled(limit intstr.IntOrString, pods int) int {
	if limit.Type == intstr.Int {
		return max(0, int(limit.IntVal))
	}
	if limit.StrVal == "0%" {
		return 0
	}
	value, err := intstr.GetScaledValueFromIntOrPercent(&limit, pods, false)
	if err != nil {
		return 0 // what cannot be read allows nothing
	}
	return max(1, value)
}

// budget is what is left of the right to take pods away.
type budget struct {
	limit, left int
	// ready counts ready pods by what keeps their number.
	ready map[types.UID]int
	// wanted counts the pods that should be there, likewise.
	wanted map[types.UID]int
}

func newBudget(limits []intstr.IntOrString, ready, wanted map[types.UID]int) *budget {
	b := &budget{ready: ready, wanted: wanted}
	total, away := 0, 0
	for group, n := range wanted {
		total += n
		away += max(0, n-ready[group])
	}
	b.limit = MaxUnavailable(limits, total)
	b.left = max(0, b.limit-away)
	return b
}

// answer is whether a pod may be taken away now.
type answer int

const (
	mayGo answer = iota
	// notNow: others are away.
	notNow
	// never: it is the only one that there is meant to be.
	never
	// forbidden: a profile lets none be away.
	forbidden
)

// ask tells whether a pod of a group may go. One that is not ready is away
// already and costs nothing.
func (b *budget) ask(group types.UID, ready bool) answer {
	switch {
	case b.limit <= 0:
		return forbidden
	case !ready:
		return mayGo
	case b.wanted[group] <= 1:
		return never
	case b.ready[group] <= 1, b.left <= 0:
		return notNow
	default:
		return mayGo
	}
}

// take notes that a pod of a group went.
func (b *budget) take(group types.UID, ready bool) {
	if ready {
		b.ready[group]--
		b.left--
	}
}
