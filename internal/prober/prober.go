// Package prober dials what callers from outside the cluster reach. Its promise: it dials
// addresses that the cluster itself states for PHI workloads and no others, seldom, says
// nothing but a greeting and a request without content, reads nothing but the beginning
// of an answer, and keeps of it what [control.Dialled] has.
package prober

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const (
	// workers is how many endpoints are asked at once.
	workers = 16
	// pace and addressPace are the least that lies between two questions, and between
	// two to one address: at most twenty and four a second, of up to three connections
	// in turn.
	pace        = 50 * time.Millisecond
	addressPace = 250 * time.Millisecond
	// settling is how long is waited after a change, until a load balancer goes by it.
	settling = 20 * time.Second
	// jitter spreads endpoints that came at once, as a part of the interval.
	jitter = 0.1
)

// Wanted is an endpoint that a workload's verdicts rest on.
type Wanted struct {
	control.Endpoint
	// Version changes with what is declared of the endpoint: it is soon dialled again.
	Version string
}

// Prober dials endpoints for workloads, on the replica that reconciles. Its results are
// in memory: who starts anew dials anew.
type Prober struct {
	clock   clock.WithTicker
	ask     func(context.Context, control.Endpoint) control.Dialled
	changed func(types.NamespacedName)
	asked   func(control.Endpoint, control.Dialled)
	queue   workqueue.TypedDelayingInterface[control.Endpoint]

	mu      sync.Mutex
	watched map[control.Endpoint]*watched
	wants   map[types.NamespacedName][]control.Endpoint
	// next is when the next question may be put, and free when to an address.
	next time.Time
	free map[string]time.Time
}

// watched is an endpoint that somebody wants.
type watched struct {
	users   map[types.NamespacedName]time.Duration
	version string
	last    control.Dialled
	// due is when it is asked next, and soon when it is to be asked because something
	// was declared anew.
	due, soon time.Time
	// waited says that due is a moment which its address keeps free for it.
	waited bool
}

// New builds a prober. Changed is told of each workload for which an endpoint answers
// something else than before, and asked of each question that was put.
func New(c clock.WithTicker, inside Inside, changed func(types.NamespacedName), asked func(control.Endpoint, control.Dialled)) *Prober {
	g := &guard{never: neverDialled, inside: inside}
	a := &asker{dialer: net.Dialer{Timeout: timeout, ControlContext: g.check}}
	p := prober(c, a.ask, changed)
	p.asked = asked
	return p
}

func prober(c clock.WithTicker, ask func(context.Context, control.Endpoint) control.Dialled, changed func(types.NamespacedName)) *Prober {
	return &Prober{
		clock: c, ask: ask, changed: changed, asked: func(control.Endpoint, control.Dialled) {},
		queue:   workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[control.Endpoint]{Clock: c}),
		watched: map[control.Endpoint]*watched{}, wants: map[types.NamespacedName][]control.Endpoint{}, free: map[string]time.Time{},
	}
}

// NeedLeaderElection says that one replica dials.
func (p *Prober) NeedLeaderElection() bool { return true }

// Start dials until the context ends.
func (p *Prober) Start(ctx context.Context) error {
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for p.work(ctx) {
			}
		})
	}
	<-ctx.Done()
	p.queue.ShutDown()
	working.Wait()
	return nil
}

// Want replaces what is dialled for a workload. None, or an interval of zero, is nothing.
func (p *Prober) Want(workload types.NamespacedName, every time.Duration, endpoints []Wanted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if every <= 0 {
		endpoints = nil
	}
	now := p.clock.Now()
	before := p.wants[workload]
	p.wants[workload] = nil
	for _, wanted := range endpoints {
		p.wants[workload] = append(p.wants[workload], wanted.Endpoint)
		w, known := p.watched[wanted.Endpoint]
		if !known {
			w = &watched{users: map[types.NamespacedName]time.Duration{}, version: wanted.Version, due: now}
			p.watched[wanted.Endpoint] = w
			p.queue.Add(wanted.Endpoint)
		}
		if w.version != wanted.Version {
			w.version, w.soon = wanted.Version, now.Add(settling)
			if w.soon.Before(w.due) {
				w.due, w.waited = w.soon, false
				p.queue.AddAfter(wanted.Endpoint, settling)
			}
		}
		w.users[workload] = every
	}
	p.drop(workload, before)
}

// drop ends what a workload wanted and does not any more.
func (p *Prober) drop(workload types.NamespacedName, before []control.Endpoint) {
	for _, e := range before {
		w, known := p.watched[e]
		if !known || slices.Contains(p.wants[workload], e) {
			continue
		}
		if delete(w.users, workload); len(w.users) == 0 {
			delete(p.watched, e)
		}
	}
	if len(p.wants[workload]) == 0 {
		delete(p.wants, workload)
	}
	now := p.clock.Now()
	maps.DeleteFunc(p.free, func(_ string, from time.Time) bool { return !from.After(now) })
}

// Dialled is what the endpoints of a workload last answered.
func (p *Prober) Dialled(workload types.NamespacedName) map[control.Endpoint]control.Dialled {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := map[control.Endpoint]control.Dialled{}
	for _, e := range p.wants[workload] {
		if w := p.watched[e]; w != nil && !w.last.At.IsZero() {
			known[e] = w.last
		}
	}
	return known
}

// work asks one endpoint, when its time has come. It reports whether there may be more.
func (p *Prober) work(ctx context.Context) bool {
	e, down := p.queue.Get()
	if down {
		return false
	}
	defer p.queue.Done(e)
	wait, due := p.turn(e)
	if !due {
		return true
	}
	if wait > 0 {
		timer := p.clock.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-ctx.Done():
			return false
		}
	}
	answer := p.ask(ctx, e)
	p.asked(e, answer)
	p.keep(e, answer)
	return true
}

// turn says how long to wait before an endpoint is asked, and whether it is its turn. One
// that was put off, or that nobody wants, is not.
func (p *Prober) turn(e control.Endpoint) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	w := p.watched[e]
	if w == nil {
		return 0, false
	}
	if free := p.free[e.Address]; !now.Before(w.due) && !w.waited {
		if free.After(now) {
			w.due, w.waited = free, true
			p.free[e.Address] = free.Add(addressPace)
		} else {
			p.free[e.Address] = now.Add(addressPace)
		}
	}
	if now.Before(w.due) {
		p.queue.AddAfter(e, w.due.Sub(now))
		return 0, false
	}
	w.waited = false
	at := now
	if p.next.After(at) {
		at = p.next
	}
	p.next = at.Add(pace)
	return at.Sub(now), true
}

// keep remembers an answer, says when to ask again, and tells whom it concerns.
func (p *Prober) keep(e control.Endpoint, answer control.Dialled) {
	p.mu.Lock()
	w := p.watched[e]
	if w == nil {
		p.mu.Unlock()
		return
	}
	now := p.clock.Now()
	answer.At = now
	news := !w.last.Is(answer)
	w.last = answer
	every := w.every()
	w.due = now.Add(every + time.Duration(jitter*rand.Float64()*float64(every))) //nolint:gosec // nobody gains by guessing it
	if w.soon.After(now) && w.soon.Before(w.due) {
		w.due = w.soon
	}
	p.queue.AddAfter(e, w.due.Sub(now))
	var concerned []types.NamespacedName
	for workload := range w.users {
		concerned = append(concerned, workload)
	}
	p.mu.Unlock()
	if news {
		for _, workload := range concerned {
			p.changed(workload)
		}
	}
}

// every is the shortest interval that somebody asks for.
func (w *watched) every() time.Duration {
	shortest := time.Duration(0)
	for _, every := range w.users {
		if shortest == 0 || every < shortest {
			shortest = every
		}
	}
	return shortest
}
