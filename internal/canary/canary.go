// Package canary asks API servers how they store Secrets. Its promise: it writes one
// Secret of the operator's own, once for each API server and rarely, and what it has not
// seen of every API server it does not say.
package canary

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// +kubebuilder:rbac:urls=/metrics,verbs=get
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=list
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch

const (
	// SecretName is the Secret that is written, in the operator's namespace. It holds no
	// data; an annotation changes.
	SecretName = "hipaa-operator-encryption-canary"

	// look is how often the leases of API servers are read: a server that starts anew may
	// do so with another configuration.
	look = 10 * time.Minute
	// soonest is when it is tried again after it was not known of every server: right
	// after an installation rights may not be in effect yet. Each further time it is twice
	// as late, up to again.
	soonest = 10 * time.Second
	again   = time.Hour
	// anew is when it is tried again in any case: a server may take another
	// configuration while it runs.
	anew = 24 * time.Hour
	// patience bounds one attempt.
	patience = 2 * time.Minute
)

// Options are what a canary works with.
type Options struct {
	// Config is how the operator reaches the API server.
	Config *rest.Config
	// Namespace is the operator's.
	Namespace string
	// Live asks the API server.
	Live client.Reader
	// Clock tells when to ask again.
	Clock clock.Clock
	// Changed is told when another answer is known. It must not block. Optional.
	Changed func()
}

// Canary knows how API servers store Secrets, as of the last attempt. It is safe for
// concurrent use.
type Canary struct {
	Options

	mu   sync.Mutex
	last control.SecretStorage
	// failed counts the attempts in a row after which it was not known of every server.
	failed int
}

// New knows nothing yet.
func New(options Options) *Canary {
	return &Canary{Options: options, last: control.SecretStorage{Problem: "the operator has not tried it yet"}}
}

// Last is what is known.
func (c *Canary) Last() *control.SecretStorage {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last
	last.Providers = slices.Clone(last.Providers)
	return &last
}

// Start asks until the context ends. The manager runs it on the leader alone.
func (c *Canary) Start(ctx context.Context) error {
	asked := c.turn(ctx, nil)
	timer := c.Clock.NewTimer(min(look, c.due()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C():
		}
		asked = c.turn(ctx, asked)
		timer.Reset(min(look, c.due()))
	}
}

// turn asks if it is time, and tells which servers there were when it last asked.
func (c *Canary) turn(ctx context.Context, asked []string) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	servers, err := c.servers(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not tell how many API servers there are")
	}
	last, now := c.Last(), c.Clock.Now()
	// What was seen of all of them does not get lost because they cannot be counted now.
	same := slices.Equal(servers, asked) || err != nil && last.Problem == ""
	if !last.At.IsZero() && now.Sub(last.At) < c.due() && same {
		return asked
	}
	next := control.SecretStorage{Servers: len(servers), At: now}
	switch {
	case err != nil:
		next.Problem = "the operator could not read the leases of the API servers, which tell how many there are"
	case len(servers) == 0:
		next.Problem = "no lease in kube-system tells how many API servers there are"
	default:
		next.Providers, next.Problem = c.ask(ctx, len(servers))
	}
	c.learn(&next)
	return servers
}

// due is how long what is known is good for.
func (c *Canary) due() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == 0 {
		return anew
	}
	// Ten times twice ten seconds are more than an hour.
	return min(soonest<<min(c.failed-1, 10), again)
}

func (c *Canary) learn(next *control.SecretStorage) {
	c.mu.Lock()
	same := c.last.Problem == next.Problem && c.last.Servers == next.Servers && slices.Equal(c.last.Providers, next.Providers)
	c.last = *next
	c.failed++
	if next.Problem == "" {
		c.failed = 0
	}
	c.mu.Unlock()
	if !same && c.Changed != nil {
		c.Changed()
	}
}

// ask asks one address after the other until every API server has answered.
func (c *Canary) ask(ctx context.Context, servers int) (providers []string, problem string) {
	logger := log.FromContext(ctx)
	targets, err := c.targets(ctx, servers)
	if err != nil {
		logger.Error(err, "Could not read the addresses of the API servers")
	}
	seen := map[string]bool{}
	for _, target := range targets {
		if len(seen) == servers {
			break
		}
		answer, err := c.askOne(ctx, target, seen)
		if err != nil {
			// An address may be none of this network's; of the others one may answer.
			logger.V(1).Info("An API server could not be asked how it stores Secrets", "address", target.Host, "reason", err.Error())
			if problem == "" {
				problem = sentenceOf(err)
			}
			continue
		}
		if !seen[answer.process] {
			seen[answer.process] = true
			providers = append(providers, answer.providers...)
		}
	}
	slices.Sort(providers)
	providers = slices.Compact(providers)
	switch {
	case len(seen) == servers:
		return providers, ""
	case problem == "":
		problem = "the others could not be reached"
	}
	return providers, fmt.Sprintf("%d of %d API servers showed it: %s", len(seen), servers, problem)
}
