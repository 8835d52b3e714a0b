// Package isolation shows with packets whether the cluster's network plugin enforces
// NetworkPolicies. Its promise: it dials the operator's own pods and nobody else, and says
// that connections are dropped, or are not, only where the operator's own policies forbid
// exactly these and allow others that passed.
package isolation

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const (
	// anew is how often it is tried.
	anew = 10 * time.Minute
	// soonest is when it is tried again where nothing could be said: after a start the
	// other replica may not be ready yet. Each further time it is twice as late, up to anew.
	soonest = 5 * time.Second
	// keeps is how long what was seen counts while nothing can be said: replicas change.
	keeps = time.Hour
	// rounds are how often a connection has to pass that is forbidden, before the network
	// plugin is said to let it pass; pause lies between them: rules take a while to be in
	// effect for a pod that has just started.
	rounds = 3
	pause  = 20 * time.Second
)

// Options are what a probe works with.
type Options struct {
	// Namespace is the operator's, and Pod the name of the pod that this runs in; empty
	// where it runs beside the cluster.
	Namespace, Pod string
	// Live asks the API server.
	Live client.Reader
	// Dial opens a connection and closes it.
	Dial func(ctx context.Context, address netip.AddrPort) error
	// Clock tells when to try again.
	Clock clock.Clock
	// Changed is told when something else is known. It must not block. Optional.
	Changed func()
}

// Probe knows what was seen last. It is safe for concurrent use.
type Probe struct {
	Options

	mu   sync.Mutex
	last control.IsolationResult
	// failed counts the attempts in a row after which nothing could be said.
	failed int
}

// New knows nothing yet.
func New(options Options) *Probe {
	return &Probe{Options: options, last: control.IsolationResult{Problem: "the operator has not tried it yet"}}
}

// Last is what is known.
func (p *Probe) Last() *control.IsolationResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.last
	return &last
}

// NeedLeaderElection lets every replica look: who takes over knows already.
func (p *Probe) NeedLeaderElection() bool { return false }

// Start tries until the context ends.
func (p *Probe) Start(ctx context.Context) error {
	for {
		p.learn(ctx, p.look(ctx))
		timer := p.Clock.NewTimer(p.due())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
	}
}

func (p *Probe) due() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == 0 {
		return anew
	}
	return min(soonest<<min(p.failed-1, 10), anew)
}

func (p *Probe) learn(ctx context.Context, next control.IsolationResult) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	if next.Problem == "" {
		p.failed = 0
	} else {
		p.failed++
	}
	counts := next.Problem != "" && p.last.Problem == "" && next.At.Sub(p.last.At) < keeps
	same := counts || p.last.Problem == next.Problem && p.last.Dropped == next.Dropped && p.last.Detail == next.Detail
	if !counts {
		p.last = next
	}
	p.mu.Unlock()
	if same {
		return
	}
	log.FromContext(ctx).WithName("isolation").Info("Looked whether the network plugin enforces policies",
		"dropped", next.Dropped, "detail", next.Detail, "problem", next.Problem)
	if p.Changed != nil {
		p.Changed()
	}
}

// look dials, and says what follows.
func (p *Probe) look(ctx context.Context) control.IsolationResult {
	seen, problem := p.scene(ctx)
	if problem != "" {
		return control.IsolationResult{Problem: problem, At: p.Clock.Now()}
	}
	return p.confirm(ctx, seen)
}

// confirm dials, and again where what is forbidden passed.
func (p *Probe) confirm(ctx context.Context, seen scene) control.IsolationResult {
	var result control.IsolationResult
	for round := range rounds {
		if round > 0 {
			select {
			case <-ctx.Done():
				return result
			case <-p.Clock.After(pause):
			}
		}
		result = p.dial(ctx, seen)
		result.At = p.Clock.Now()
		if result.Dropped || result.Problem != "" {
			break
		}
	}
	return result
}
