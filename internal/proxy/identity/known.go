package identity

import "sync"

// maxKnown bounds how many peers are remembered. A workload that is called by more
// forgets those that it met first.
const maxKnown = 4096

// known remembers who has shown a certificate in force. The zero value knows nobody.
type known struct {
	mu    sync.RWMutex
	ids   map[string]struct{}
	order []string
	next  int
}

func (k *known) has(id string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.ids[id]
	return ok
}

func (k *known) add(id string) {
	if k.has(id) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.ids[id]; ok {
		return
	}
	if k.ids == nil {
		k.ids = map[string]struct{}{}
	}
	if len(k.order) < maxKnown {
		k.order = append(k.order, id)
	} else {
		delete(k.ids, k.order[k.next])
		k.order[k.next] = id
		k.next = (k.next + 1) % maxKnown
	}
	k.ids[id] = struct{}{}
}
