package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Egress says who may call whom outside the cluster, where this proxy is the gate.
type Egress struct {
	// Listen is the port at which proxies ask.
	Listen  int       `json:"listen"`
	Vendors []Vendors `json:"vendors"`
	// Refuse are networks to which no call is let out whatever names lead there, as
	// prefixes: those of the cluster's nodes, pods and Services. The gate's own addresses,
	// loopback, link-local ones and the metadata of clouds are refused always.
	Refuse []string `json:"refuse,omitempty"`
}

// Vendors are hosts and ports that some workloads may call.
type Vendors struct {
	// Names are the hosts; *. at the front of one stands for any label.
	Names []string `json:"names"`
	Ports []int    `json:"ports"`
	// From are the workloads that may call.
	From []Peer `json:"from"`
	// Until is the instant from which they may not, and calls that are open end; zero is
	// never. It holds without anybody who writes another configuration.
	Until time.Time `json:"until,omitzero"`
}

// Bounds of what a gate lets out.
const (
	maxVendors     = 4096
	maxVendorPorts = 16
	maxRefused     = 8192
)

// Admits reports whether the identity may call these hosts.
func (v *Vendors) Admits(id string) bool { return admits(v.From, id) }

// Ended reports whether nobody may call these hosts any more.
func (v *Vendors) Ended(now time.Time) bool { return !v.Until.IsZero() && !now.Before(v.Until) }

// Calls reports whether a host and port are among these.
func (v *Vendors) Calls(host string, port uint16) bool {
	return slices.Contains(v.Ports, int(port)) && isAmong(v.Names, host)
}

func (e *Egress) validate(bad *complaints, domain string) {
	if e == nil {
		return
	}
	bad.port("egress.listen", e.Listen)
	e.validateRefuse(bad)
	if len(e.Vendors) > maxVendors {
		bad.add("egress.vendors", "has %d entries; keep at most %d", len(e.Vendors), maxVendors)
		return
	}
	for i := range e.Vendors {
		v, field := &e.Vendors[i], fmt.Sprintf("egress.vendors[%d]", i)
		if len(v.Names) == 0 || len(v.Names) > maxNames {
			bad.add(field+".names", "has %d names; set 1 to %d", len(v.Names), maxNames)
		}
		validateHosts(bad, field+".names", v.Names)
		if len(v.Ports) == 0 || len(v.Ports) > maxVendorPorts {
			bad.add(field+".ports", "has %d ports; set 1 to %d", len(v.Ports), maxVendorPorts)
		}
		for n, port := range v.Ports {
			bad.port(fmt.Sprintf("%s.ports[%d]", field, n), port)
		}
		if len(v.From) == 0 || len(v.From) > maxPeers {
			bad.add(field+".from", "has %d identities; set 1 to %d", len(v.From), maxPeers)
		}
		validatePeers(bad, field+".from", v.From, domain)
	}
}

func (e *Egress) validateRefuse(bad *complaints) {
	if len(e.Refuse) > maxRefused {
		bad.add("egress.refuse", "has %d networks; keep at most %d", len(e.Refuse), maxRefused)
		return
	}
	for i, text := range e.Refuse {
		if prefix, err := netip.ParsePrefix(text); err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
			bad.add(fmt.Sprintf("egress.refuse[%d]", i), "is no network; set one such as 10.96.0.0/12 or fd00:10::/64")
		}
	}
}
