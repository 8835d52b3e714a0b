package reach

import (
	"cmp"
	"slices"
	"sort"
)

// declared is the flows of one direction, cut so that between two cuts the same flows hold for every port.
type declared struct {
	lanes [lanes]declaredLane
	// keys are the namespace labels that any flow asks for.
	keys []labelKey
}

type declaredLane struct {
	segments []segment        // in order, without gaps, over the whole lane
	named    map[string]crowd // who is allowed on a port by its name
}

// segment is ports on which the same crowd is allowed.
type segment struct {
	first, last int32
	allowed     crowd
}

// declare compiles flows. What they do not say exactly they do not allow.
func declare(flows []Flow) *declared {
	d := &declared{}
	var perLane [lanes][]claim
	for _, f := range flows {
		if f.Peer == nil {
			continue
		}
		c, ok := f.Peer.crowd()
		if !ok {
			continue
		}
		d.note(c)
		for _, r := range f.Ports {
			for _, s := range r.spans() {
				perLane[s.lane] = append(perLane[s.lane], claim{s, c})
			}
		}
	}
	for l := range d.lanes {
		d.lanes[l] = cut(perLane[l])
	}
	return d
}

// claim is one crowd on one span.
type claim struct {
	span
	crowd crowd
}

func (d *declared) note(c crowd) {
	for _, b := range c.pods {
		for _, side := range b {
			if side.key.scope == ofNamespace && !slices.Contains(d.keys, side.key) {
				d.keys = append(d.keys, side.key)
			}
		}
	}
}

func cut(claims []claim) declaredLane {
	starts := []int32{firstPort}
	for _, c := range claims {
		if c.name == "" {
			starts = append(starts, c.first, c.last+1)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	var dl declaredLane
	for i, first := range starts {
		if first > lastPort {
			break
		}
		last := lastPort
		if i+1 < len(starts) {
			last = starts[i+1] - 1
		}
		dl.segments = append(dl.segments, segment{first, last, allowedOn(claims, first)})
	}
	for _, c := range claims {
		if c.name == "" {
			continue
		}
		if dl.named == nil {
			dl.named = map[string]crowd{}
		}
		dl.named[c.name] = dl.named[c.name].union(c.crowd)
	}
	return dl
}

func allowedOn(claims []claim, port int32) crowd {
	var allowed crowd
	for _, c := range claims {
		if c.name == "" && c.first <= port && port <= c.last {
			allowed.pods = append(allowed.pods, c.crowd.pods...)
			allowed.addresses = append(allowed.addresses, c.crowd.addresses...)
		}
	}
	slices.SortStableFunc(allowed.pods, widerFirst)
	allowed.addresses = allowed.addresses.normalised()
	return allowed
}

// widerFirst orders covers so that few questions decide most searches.
func widerFirst(a, b box) int { return cmp.Compare(len(a), len(b)) }

func (c crowd) union(o crowd) crowd {
	return crowd{
		pods:      slices.Concat(c.pods, o.pods),
		addresses: slices.Concat(c.addresses, o.addresses).normalised(),
	}
}

// from returns the index of the segment that holds a port.
func (dl *declaredLane) from(port int32) int {
	return sort.Search(len(dl.segments), func(i int) bool { return dl.segments[i].last >= port })
}

// remainder looks for one member of c that is not in allowed.
func (c crowd) remainder(allowed crowd, e *effort) (stranger, proof) {
	for _, b := range c.pods {
		if left, p := b.remainder(allowed.pods, e); p != covered {
			return stranger{pods: left}, p
		}
	}
	if left := c.addresses.minus(allowed.addresses); len(left) > 0 {
		return stranger{addresses: left}, open
	}
	return stranger{}, covered
}

// stranger is a part of a crowd that nobody declared.
type stranger struct {
	pods      box
	addresses addressSet
}
