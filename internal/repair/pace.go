package repair

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// How fast pods of the whole cluster are taken away: a change of one profile may
// leave every workload without its safeguards at once, and must not roll them all
// at once. docs/adoption.md tells people.
const (
	evictionBurst    = 5
	evictionInterval = 5 * time.Second
)

// pace is a bucket of evictionBurst pods that gets one more every
// evictionInterval. The zero value is full. Those who find it empty get turns, one
// after the other, so that they do not all come back for the same pod.
type pace struct {
	// full is when nothing is missing any more.
	full  time.Time
	turns map[types.NamespacedName]time.Time
}

// ask tells whether a workload has to wait before it takes a pod, and when its
// turn comes.
func (p *pace) ask(workload types.NamespacedName, now time.Time) (turn time.Time, waits bool) {
	turn = p.full.Add(-(evictionBurst - 1) * evictionInterval)
	if !turn.After(now) {
		return now, false
	}
	for who, other := range p.turns {
		switch {
		case !other.After(now):
			delete(p.turns, who)
		case who == workload:
			return other, true
		case !other.Before(turn):
			turn = other.Add(evictionInterval)
		}
	}
	if p.turns == nil {
		p.turns = map[types.NamespacedName]time.Time{}
	}
	p.turns[workload] = turn
	return turn, true
}

// took notes that a pod was taken.
func (p *pace) took(now time.Time) {
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(evictionInterval)
}
