package reach

import "slices"

// opening is ports on which a party is not wholly declared.
type opening struct {
	party party
	ports []span
	// found tells that stranger is a proved member of the party who is undeclared on a port of the span.
	found    bool
	stranger stranger
	at       span
}

// search holds the parties of one policy against what is declared.
type search struct {
	world    World
	declared *declared
	effort   *effort
}

// openings returns what a place opens. Parts of Anyone that are open on the same ports are told as Anyone again.
func (s search) openings(p place, ports []span) []opening {
	var found []opening
	for _, party := range p.parties {
		if o := s.opening(party, ports); len(o.ports) > 0 {
			found = append(found, o)
		}
	}
	if !p.anyone || len(found) < len(p.parties) {
		return found
	}
	for _, o := range found[1:] {
		if !slices.Equal(o.ports, found[0].ports) {
			return found
		}
	}
	whole := found[0]
	whole.party.peer = Anyone{}
	return []opening{whole}
}

func (s search) opening(p party, ports []span) opening {
	o := opening{party: p}
	var settled []box
	for _, b := range p.crowd.pods {
		settled = append(settled, s.world.settle(b, s.declared.keys)...)
	}
	judged := ledger{search: s, crowd: crowd{pods: settled, addresses: p.crowd.addresses}}
	for _, port := range ports {
		if port.name == "" {
			judged.numbers(&o, port)
		} else {
			judged.name(&o, port)
		}
	}
	o.ports = joined(o.ports)
	return o
}

// ledger remembers for one crowd which segments have been judged, since many ports of a rule fall into the same.
type ledger struct {
	search
	crowd   crowd
	entries [lanes][]*entry
}

type entry struct {
	stranger stranger
	proof    proof
}

func (l *ledger) judge(on lane, segment int) *entry {
	segments := l.declared.lanes[on].segments
	if l.entries[on] == nil {
		l.entries[on] = make([]*entry, len(segments))
	}
	if l.entries[on][segment] == nil {
		left, p := l.crowd.remainder(segments[segment].allowed, l.effort)
		l.entries[on][segment] = &entry{left, p}
	}
	return l.entries[on][segment]
}

func (l *ledger) numbers(o *opening, port span) {
	dl := &l.declared.lanes[port.lane]
	for i := dl.from(port.first); i < len(dl.segments) && dl.segments[i].first <= port.last; i++ {
		e := l.judge(port.lane, i)
		if e.proof == covered {
			continue
		}
		part := port
		part.first, part.last = max(port.first, dl.segments[i].first), min(port.last, dl.segments[i].last)
		o.add(part, part, e)
	}
}

// name judges a port that is known by its name only: it is open if it is so on any number that it may have.
func (l *ledger) name(o *opening, port span) {
	dl := &l.declared.lanes[port.lane]
	byName, declaredByName := dl.named[port.name]
	for i := range dl.segments {
		e := l.judge(port.lane, i)
		if e.proof != covered && declaredByName {
			left, p := l.crowd.remainder(dl.segments[i].allowed.union(byName), l.effort)
			e = &entry{left, p}
		}
		if e.proof == covered {
			continue
		}
		at := port
		at.first, at.last = dl.segments[i].first, dl.segments[i].last
		o.add(port, at, e)
		return
	}
}

func (o *opening) add(ports, at span, e *entry) {
	o.ports = append(o.ports, ports)
	if !o.found && e.proof == open {
		o.found, o.stranger, o.at = true, e.stranger, at
	}
}
