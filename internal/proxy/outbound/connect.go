package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/hello"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
)

// connect reaches who was meant; nil where it does not, and the outcome says why.
func (c *Calls) connect(ctx context.Context, v *door.Visit, t *target, first opening) (splice.Conn, Outcome) {
	ctx, stop := context.WithTimeout(ctx, setup)
	defer stop()
	conn, err := c.reach(ctx, v, t, first)
	switch {
	case err == nil:
		return conn, Carried
	case errors.Is(err, identity.ErrNotReady):
		return nil, NotReady
	case errors.Is(err, dial.ErrNoAddress), errors.Is(err, egress.ErrUnresolved):
		return nil, Unresolved
	case errors.Is(err, dial.ErrUnreachable), errors.Is(err, egress.ErrUnreachable), errors.Is(err, hello.ErrNoTLS):
		return nil, Unreachable
	default:
		return nil, Refused
	}
}

func (c *Calls) reach(ctx context.Context, v *door.Visit, t *target, first opening) (splice.Conn, error) {
	host, port, protocol := t.host, t.port, first.protocol
	switch {
	case first.at.IsValid():
		host, port = first.at.Addr().String(), first.at.Port()
	case t.direct():
		host, port = first.means.Host, first.means.Port
	case t.Trust == config.Vendor:
		protocol = egress.Protocol
	}
	conn, err := c.Dial(ctx, host, port)
	if err != nil {
		return nil, fmt.Errorf("calling: %w", err)
	}
	// Whatever comes now may take long, and a cut must not wait for it.
	if !v.Hold(func() { _ = conn.Close() }) {
		return nil, net.ErrClosed
	}
	if t.Trust == config.Plain {
		return conn, nil
	}
	var reached splice.Conn = conn
	if !t.direct() {
		reached, err = c.secure(ctx, conn, t, protocol)
	}
	if err == nil && t.Trust == config.Vendor {
		err = c.begin(reached, t, first.means)
	}
	if err != nil {
		_ = conn.Close() // the error tells more
		return nil, err
	}
	return reached, nil
}

// direct reports whether the proxy connects to a vendor without a gate.
func (t *target) direct() bool { return t.Trust == config.Vendor && t.Upstream == "" }

// begin comes to where the application's own TLS can begin.
func (c *Calls) begin(conn net.Conn, t *target, means egress.Destination) error {
	if err := conn.SetDeadline(c.Now().Add(2 * setup)); err != nil {
		return fmt.Errorf("limiting how long a vendor may take: %w", err)
	}
	var err error
	switch {
	case !t.direct():
		err = egress.Ask(conn, means)
	case means.Way == egress.Postgres:
		err = hello.AskPostgres(conn)
	}
	if err != nil {
		return fmt.Errorf("calling a vendor: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("limiting how long a vendor may take: %w", err)
	}
	return nil
}

func (c *Calls) secure(ctx context.Context, conn *net.TCPConn, t *target, protocol string) (*tls.Conn, error) {
	policy := t.policy
	if protocol != "" {
		policy.Protocols = []string{protocol}
	}
	secured := tls.Client(conn, c.Verifier.Client(policy))
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("proving who answers: %w", err)
	}
	if secured.ConnectionState().NegotiatedProtocol != protocol {
		return nil, errOtherProtocol
	}
	return secured, nil
}

// errOtherProtocol means that the two ends would not understand each other.
var errOtherProtocol = errors.New("who answers does not speak the application's protocol")
