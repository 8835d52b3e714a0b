// Package resolver answers the application's questions for names. Its promise: what is
// declared leads to this proxy or to where the cluster's name servers say, everything
// else does not exist, and no answer comes from anywhere else.
package resolver

import (
	"net/netip"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// standing is what a name is to this proxy.
type standing int

const (
	// between has no address, and names below it have. Zero is a name of which nothing is
	// known.
	between standing = iota + 1
	// declared has the address of a listener.
	declared
	// forwarded is the upstreams' to answer.
	forwarded
	// local is the pod itself.
	local
)

// entry is what is known of a name.
type entry struct {
	standing standing
	address  netip.Addr
}

// table is every name that a configuration knows, in lower case, without the last dot.
type table map[string]entry

// tableOf reads a configuration that Parse has accepted.
func tableOf(c *config.Configuration) table {
	t := table{}
	for i := range c.Outbound {
		address := netip.MustParseAddr(c.Outbound[i].Address)
		for _, name := range c.Outbound[i].Names {
			t.add(name, entry{declared, address})
		}
	}
	if c.Resolver != nil {
		for _, name := range c.Resolver.Forwarded {
			t.add(name, entry{standing: forwarded})
		}
	}
	return t
}

func (t table) add(name string, e entry) {
	t[name] = e
	name = strings.TrimPrefix(name, "*.")
	if _, known := t[name]; !known {
		t[name] = entry{standing: between}
	}
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return
		}
		if _, known := t[parent]; !known {
			t[parent] = entry{standing: between}
		}
		name = parent
	}
}

// find is what a name is, written as it may be in a question.
func (t table) find(question string) entry {
	name := strings.ToLower(strings.TrimSuffix(question, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return entry{standing: local} // RFC 6761, section 6.3
	}
	if known, there := t[name]; there {
		return known
	}
	_, parent, _ := strings.Cut(name, ".")
	return t["*."+parent]
}
