package isolation

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// timeout is how long a connection between two pods may take before it counts as dropped.
const timeout = 5 * time.Second

// Dial connects by TCP and hangs up.
func Dial(ctx context.Context, address netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return err //nolint:wrapcheck // only whether there is one is asked
	}
	return conn.Close() //nolint:wrapcheck // as above
}

// dial opens the three connections. The allowed one comes first and last: who does not
// answer, or no longer, drops nothing.
func (p *Probe) dial(ctx context.Context, s scene) control.IsolationResult {
	const silent = "the operator's other replica cannot be reached where its NetworkPolicies allow it either"
	if p.Dial(ctx, s.open) != nil {
		return control.IsolationResult{Problem: silent}
	}
	var entered, left bool
	var both sync.WaitGroup
	both.Go(func() { entered = p.Dial(ctx, s.noEntry) == nil })
	both.Go(func() { left = p.Dial(ctx, s.noExit) == nil })
	both.Wait()
	if p.Dial(ctx, s.open) != nil || ctx.Err() != nil {
		return control.IsolationResult{Problem: silent}
	}
	where := "between two pods of the operator on one node"
	if s.apart {
		where = "between two pods of the operator on different nodes"
	}
	switch {
	case entered && left:
		return control.IsolationResult{Detail: where + " connections passed that NetworkPolicies forbid"}
	case entered:
		return control.IsolationResult{Detail: where + " a connection passed that a NetworkPolicy for ingress forbids"}
	case left:
		return control.IsolationResult{Detail: where + " a connection passed that a NetworkPolicy for egress forbids"}
	}
	return control.IsolationResult{Dropped: true, Detail: where + " connections were dropped that NetworkPolicies for ingress and for egress forbid, and an allowed one passed"}
}
