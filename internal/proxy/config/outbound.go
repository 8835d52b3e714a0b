package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resolver says how the application's questions for names are answered. It is absent
// where the pod asks the cluster's name servers itself.
type Resolver struct {
	// Upstreams are the cluster's name servers as address:port, in the order in which
	// they are asked.
	Upstreams []string `json:"upstreams"`
	// Forwarded are names that are answered as the upstreams answer: what the
	// application reaches without the proxy.
	Forwarded []string `json:"forwarded,omitempty"`
}

// Trust says what is asked of who is called.
type Trust string

const (
	// Mutual is mutual TLS with a server whose identity stands under to.
	Mutual Trust = "Mutual"
	// Plain is bytes as the application sends them. It is told apart in reports.
	Plain Trust = "Plain"
	// Vendor is TLS that the application speaks itself, with a server that it names. The
	// proxy connects to where that name leads, and to no other.
	Vendor Trust = "Vendor"
)

// Outbound is one port of somebody whom the application may call.
type Outbound struct {
	// Names are what the application calls it by, fully qualified, without the last dot.
	// With Vendor they are the only ones that it may name in TLS, and *. at the front of
	// one stands for any label.
	Names []string `json:"names"`
	// Address is the loopback address that these names lead to, and Port the port there:
	// the one that the application calls.
	Address string `json:"address"`
	Port    int    `json:"port"`
	// Upstream is where the proxy connects, as host:port. With Vendor it is the gate by
	// which calls leave the cluster; where it is empty the proxy connects to the vendor
	// itself.
	Upstream string   `json:"upstream,omitempty"`
	Protocol Protocol `json:"protocol"`
	Trust    Trust    `json:"trust"`
	// To are the identities of the server: with Mutual, and of the gate.
	To []Peer `json:"to,omitempty"`
	// Endpoint is where those listen whom the upstream's name stands for, for applications
	// that call one by its own address. It counts where traffic is redirected. With Vendor
	// there is none.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// Connections is how many may be open at once; 10,000 where nothing is set.
	Connections int `json:"connections,omitzero"`
}

// MaxOutbound is how many ends a proxy calls.
const MaxOutbound = 1024

// Endpoint is how a pod is called by its own address.
type Endpoint struct {
	// Ports are the ones that the application may call there, and Dial the one to which
	// the proxy connects.
	Ports []int `json:"ports"`
	Dial  int   `json:"dial"`
}

func (e *Endpoint) validate(bad *complaints, field string, trust Trust) {
	if e == nil {
		return
	}
	if trust == Vendor {
		bad.add(field, "is where pods listen; vendors have none, so remove it")
	}
	if len(e.Ports) == 0 || len(e.Ports) > maxEndpointPorts {
		bad.add(field+".ports", "has %d ports; set 1 to %d", len(e.Ports), maxEndpointPorts)
		return
	}
	for i, port := range e.Ports {
		bad.port(fmt.Sprintf("%s.ports[%d]", field, i), port)
	}
	bad.port(field+".dial", e.Dial)
}

// Bounds of what is called.
const (
	maxUpstreams  = 8
	maxForwarded  = 256
	maxNames      = 64
	maxNameLength = 253

	maxEndpointPorts = 4
)

// loopback is the network whose every address is the pod's own (RFC 1122, section
// 3.2.1.3). Of its first addresses the application's servers and the proxy itself have
// some.
var (
	loopback      = netip.MustParsePrefix("127.0.0.0/8")
	firstLoopback = netip.MustParseAddr("127.0.0.16")
)

// Calls reports whether a host is one of these names.
func (o *Outbound) Calls(host string) bool { return isAmong(o.Names, host) }

func isAmong(names []string, host string) bool {
	_, rest, _ := strings.Cut(host, ".")
	return slices.Contains(names, host) || rest != "" && slices.Contains(names, "*."+rest)
}

// Admits reports whether a server of this identity is who was meant.
func (o *Outbound) Admits(id string) bool { return admits(o.To, id) }

func (r *Resolver) validate(bad *complaints) {
	if r == nil {
		return
	}
	if len(r.Upstreams) == 0 || len(r.Upstreams) > maxUpstreams {
		bad.add("resolver.upstreams", "has %d name servers; set 1 to %d", len(r.Upstreams), maxUpstreams)
	}
	for i, upstream := range r.Upstreams {
		if !IsNameServer(upstream) {
			bad.add(fmt.Sprintf("resolver.upstreams[%d]", i), "is no address with a port; set one such as 10.96.0.10:53")
		}
	}
	if len(r.Forwarded) > maxForwarded {
		bad.add("resolver.forwarded", "has %d names; keep at most %d", len(r.Forwarded), maxForwarded)
		return
	}
	validateNames(bad, "resolver.forwarded", r.Forwarded)
}

func validateNames(bad *complaints, field string, names []string) {
	for i, name := range names {
		if !isName(name) {
			bad.add(fmt.Sprintf("%s[%d]", field, i), "is no name; set one in lower case, fully qualified, without the last dot")
		}
	}
}

// validateHosts is validateNames, where *. at the front stands for any label.
func validateHosts(bad *complaints, field string, names []string) {
	for i, name := range names {
		host, wild := strings.CutPrefix(name, "*.")
		if !isName(host) || wild && !strings.Contains(host, ".") {
			bad.add(fmt.Sprintf("%s[%d]", field, i), "is no name of hosts; set one such as api.vendor.example or *.vendor.example")
		}
	}
}

// IsNameServer reports whether the text is an address with a port.
func IsNameServer(s string) bool {
	at, err := netip.ParseAddrPort(s)
	return err == nil && at.Port() > 0
}

func (c *Configuration) validateOutbound(bad *complaints) {
	if len(c.Outbound) > MaxOutbound {
		bad.add("outbound", "has %d entries; keep at most %d", len(c.Outbound), MaxOutbound)
		return
	}
	addresses, ends := map[string]string{}, map[netip.AddrPort]bool{}
	if c.Resolver != nil {
		for _, name := range c.Resolver.Forwarded {
			addresses[name] = "the upstreams"
		}
	}
	for i := range c.Outbound {
		out, field := &c.Outbound[i], fmt.Sprintf("outbound[%d]", i)
		end, ok := out.validate(bad, field, c.TrustDomain)
		if ok && ends[end] {
			bad.add(field+".port", "%d of %s stands twice; give each its own", out.Port, out.Address)
		}
		ends[end] = true
		for n, name := range out.Names {
			if other, taken := addresses[name]; taken && other != out.Address {
				bad.add(fmt.Sprintf("%s.names[%d]", field, n), "leads to %s already; let one name lead to one address", other)
			}
			addresses[name] = out.Address
		}
	}
}

// validate reports the listening end where it is one.
func (o *Outbound) validate(bad *complaints, field, domain string) (netip.AddrPort, bool) {
	if len(o.Names) == 0 || len(o.Names) > maxNames {
		bad.add(field+".names", "has %d names; set 1 to %d", len(o.Names), maxNames)
	}
	if o.Trust == Vendor {
		validateHosts(bad, field+".names", o.Names)
	} else {
		validateNames(bad, field+".names", o.Names)
	}
	address, err := netip.ParseAddr(o.Address)
	own := err == nil && address.Is4() && loopback.Contains(address) && !address.Less(firstLoopback)
	if !own {
		bad.add(field+".address", "is no address for a name; set one of 127.0.0.0/8 from %s on", firstLoopback)
	}
	bad.port(field+".port", o.Port)
	if o.Upstream != "" || o.Trust != Vendor {
		o.validateUpstream(bad, field+".upstream")
	}
	o.Protocol.validate(bad, field+".protocol")
	o.validateTrust(bad, field, domain)
	o.Endpoint.validate(bad, field+".endpoint", o.Trust)
	if o.Connections < 0 || o.Connections > maxConnections {
		bad.add(field+".connections", "is %d; set at most %d, or nothing for the default", o.Connections, maxConnections)
	}
	return netip.AddrPortFrom(address, uint16(o.Port)), own && o.Port > 0 && o.Port < 1<<16 //nolint:gosec // a port out of range is told of above and not used
}

func (o *Outbound) validateUpstream(bad *complaints, field string) {
	host, _, ok := SplitUpstream(o.Upstream)
	if !ok {
		bad.add(field, "is no host with a port; set one such as patient-db.ehr.svc.cluster.local:5432")
		return
	}
	if at, err := netip.ParseAddr(host); err == nil && (at.IsLoopback() || at.IsUnspecified()) {
		bad.add(field, "leads back into the pod; set the address of a Service")
	}
}

func (o *Outbound) validateTrust(bad *complaints, field, domain string) {
	proves := o.Trust == Mutual || o.Trust == Vendor && o.Upstream != ""
	switch {
	case o.Trust != Mutual && o.Trust != Plain && o.Trust != Vendor:
		bad.add(field+".trust", "is none of %s, %s, %s; set one of them", Mutual, Plain, Vendor)
	case !proves && len(o.To) > 0:
		bad.add(field+".to", "says nothing with trust %s, where no proxy answers; take it away", o.Trust)
	case o.Trust == Vendor && o.Protocol == GRPC:
		bad.add(field+".protocol", "is not seen in a vendor's TLS; set %s or %s", HTTP, TCP)
	case proves && (len(o.To) == 0 || len(o.To) > maxPeers):
		bad.add(field+".to", "has %d identities; set 1 to %d", len(o.To), maxPeers)
	default:
		validatePeers(bad, field+".to", o.To, domain)
	}
}

// SplitUpstream is the host of an upstream, an address or a name, and its port.
func SplitUpstream(upstream string) (host string, port uint16, ok bool) {
	if at, err := netip.ParseAddrPort(upstream); err == nil {
		return at.Addr().String(), at.Port(), at.Port() > 0
	}
	host, digits, found := strings.Cut(upstream, ":")
	if !found || !isName(host) || len(digits) == 0 || len(digits) > 5 {
		return "", 0, false
	}
	number := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return "", 0, false
		}
		number = number*10 + int(digits[i]-'0')
	}
	if number < 1 || number > 65535 {
		return "", 0, false
	}
	return host, uint16(number), true
}

// isName reports whether the text is a name of hosts as RFC 1123 has them, in lower
// case, with underscores as Services and databases use them.
func isName(s string) bool {
	if s == "" || len(s) > maxNameLength {
		return false
	}
	letters := false
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			!consistsOf(label, func(c byte) bool { return c != '.' && isDomainByte(c) }) {
			return false
		}
		letters = letters || !consistsOf(label, func(c byte) bool { return '0' <= c && c <= '9' })
	}
	// What has digits alone is an address to some and a name to others.
	return letters
}
