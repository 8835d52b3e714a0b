// Package redirect brings a pod's traffic to its proxy, whatever the application does.
// Its promise: once Apply has returned without an error, no process but the proxy's user
// sends anything out of the pod or is reached from outside, by TCP everything comes to the
// proxy with the address that was meant, and an Apply that fails has changed nothing.
package redirect

import "errors"

// Rules say whose traffic is left alone and where the rest goes.
type Rules struct {
	// User is the id that the proxy runs under. What its sockets send leaves the pod.
	User uint32
	// Inbound and Outbound are the proxy's ports for what comes and what goes, Resolver
	// the one where it answers questions for names.
	Inbound, Outbound, Resolver uint16
	// Open are the proxy's own ports that are reached as they are called.
	Open []uint16
}

// Table is the name of the table that holds the rules.
const Table = "phi-proxy"

var (
	// ErrElsewhere means that this system knows no such rules.
	ErrElsewhere = errors.New("traffic is redirected on Linux only")
	// ErrNotRedirected means that a connection came to the proxy by itself.
	ErrNotRedirected = errors.New("the connection was not redirected")
)

func (r *Rules) check() error {
	if r.Inbound == 0 || r.Outbound == 0 || r.Resolver == 0 || r.Inbound == r.Outbound {
		return errors.New("the proxy's ports for what comes, what goes and names have to be three")
	}
	return nil
}
