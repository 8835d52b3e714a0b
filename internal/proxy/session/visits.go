package session

import (
	"context"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

// Cutter ends what goes on for a session. It must not wait.
type Cutter interface{ Cut() }

// Visit is a request of a session that is under way. It is a part of whoever serves the
// request, so that nothing is made for it.
type Visit struct {
	touches    [2]Touch // of the user's session, and of the route's own where it has one
	count      int
	begun      time.Time
	until      time.Time // zero where only the sessions end it
	cutter     Cutter
	prev, next *Visit
	in         *Visits
}

// Visits are the requests that are under way.
type Visits struct {
	mu    sync.Mutex
	first *Visit
}

// Begin takes a request in, which End takes out again. It goes on as long as none of the
// sessions is locked, of which there are one or two.
func (v *Visits) Begin(visit *Visit, cutter Cutter, touches ...*Touch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*visit = Visit{cutter: cutter}
	for _, t := range touches {
		visit.touches[visit.count] = *t
		visit.touches[visit.count].Present = false
		visit.begun = t.Now
		visit.count++
	}
	v.take(visit)
}

// BeginUntil takes a request in that ends at an instant, whatever becomes of sessions.
func (v *Visits) BeginUntil(visit *Visit, cutter Cutter, until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*visit = Visit{cutter: cutter, until: until}
	v.take(visit)
}

func (v *Visits) take(visit *Visit) {
	visit.in, visit.next = v, v.first
	if v.first != nil {
		v.first.prev = visit
	}
	v.first = visit
}

// End takes the request out. It may be called for one that never began.
func (visit *Visit) End() {
	v := visit.in
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if visit.prev != nil {
		visit.prev.next = visit.next
	} else {
		v.first = visit.next
	}
	if visit.next != nil {
		visit.next.prev = visit.prev
	}
	*visit = Visit{}
}

// young is how old a request has to be to be looked at: others end by themselves.
const young = time.Second

// Sweep ends the requests whose sessions are locked, and tells of each session that it
// found to have reached its limit. Where the store says nothing, they go on.
func (v *Visits) Sweep(ctx context.Context, store Store, now time.Time, locked func(t *Touch)) {
	judged := map[principal.Pseudonym]bool{}
	for _, t := range v.old(now) {
		if _, done := judged[t.Key]; done {
			continue
		}
		t.Now = now
		state, err := store.Touch(ctx, &t)
		judged[t.Key] = err == nil && !state.Locked.IsZero()
		if err == nil && state.Change == Ended {
			locked(&t)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for visit := v.first; visit != nil; visit = visit.next {
		if !visit.until.IsZero() && !now.Before(visit.until) {
			visit.cutter.Cut()
		}
		for i := range visit.count {
			if judged[visit.touches[i].Key] {
				visit.cutter.Cut()
				break
			}
		}
	}
}

// old are the sessions of requests that take long.
func (v *Visits) old(now time.Time) []Touch {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []Touch
	for visit := v.first; visit != nil; visit = visit.next {
		if now.Sub(visit.begun) >= young {
			all = append(all, visit.touches[:visit.count]...)
		}
	}
	return all
}
