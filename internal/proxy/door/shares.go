package door

import "sync"

// shares are what peers have of something that there is a bounded number of. A peer may
// have as many as are still free: alone it gets half of them, two that want all get a
// third each, and one that comes late always finds some. So no number has to be reserved
// for peers that may never come, and nobody has to be cut for one that does.
type shares struct {
	held map[string]int
	all  int
}

// take takes one. Who is alone may have the last one.
func (s *shares) take(peer string, most int, alone bool) bool {
	held, free := s.held[peer], most-s.all
	if free <= 0 || !alone && held >= free {
		return false
	}
	if s.held == nil {
		s.held = map[string]int{}
	}
	s.held[peer] = held + 1
	s.all++
	return true
}

func (s *shares) give(peer string) {
	s.all--
	if s.held[peer]--; s.held[peer] == 0 {
		delete(s.held, peer)
	}
}

// Budget is a bounded number of something that all doors of a process have in common. Its
// zero value has nothing.
type Budget struct {
	mu     sync.Mutex
	most   int
	shares shares
}

// Bound says how many there are. What is taken stays taken.
func (b *Budget) Bound(most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = most
}

// Take takes one for a peer. It reports false where none is left for it.
func (b *Budget) Take(peer string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shares.take(peer, b.most, false)
}

// Give gives one back.
func (b *Budget) Give(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares.give(peer)
}
