// Package gate says what phi-egress goes by: who may call which vendor, and what it
// dials for nobody. Its promise: only workloads that name a vendor are let out to its
// hosts, and only while calls to it are open. It touches nothing.
package gate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// UID stands in place of that of a PHIWorkload: what is sealed for phi-egress is taken by
// nobody else, and its pods take nothing else.
const UID = control.EgressName

// maxFrom is how many callers one entry has.
const maxFrom = 1024

// World is what decides about calls to vendors.
type World struct {
	// Proxy is the operator's; its namespace is that of phi-egress.
	Proxy *control.Proxy
	// Vendors are all there are, and Workloads those of PHI namespaces that count.
	Vendors   []*hipaav1.Vendor
	Workloads []*hipaav1.PHIWorkload
	// Profiles are those of workloads that name vendors, each as its workload is judged by.
	Profiles []*control.Profile
	// Resolvers are the cluster's, as discovered.
	Resolvers []control.Resolver
	// Nodes are those of the cluster.
	Nodes []*corev1.Node
	Now   time.Time
}

// Configuration is what phi-egress goes by, sorted, of some generation.
func Configuration(w *World, generation int64) (*config.Configuration, error) {
	c := &config.Configuration{
		Version: config.Version,
		Workload: config.Workload{
			UID: UID, Namespace: w.Proxy.IssuerNamespace, Name: control.EgressName, Generation: generation,
		},
		TrustDomain: w.Proxy.TrustDomain,
		// Nobody but proxies calls, which ask in words of their own: no caller reads it.
		Refusal:  config.Refusal{Control: control.EgressName, Citation: "45 CFR 164.502(e)"},
		Resolver: &config.Resolver{Upstreams: w.nameServers()},
		Egress:   &config.Egress{Listen: control.EgressPort, Vendors: w.vendors(), Refuse: Refused(w.Nodes)},
	}
	c.TLS, c.OutageGrace = w.strictest()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuring phi-egress: %w", err)
	}
	return c, nil
}

// vendors has an entry for each port of each vendor that is called.
func (w *World) vendors() []config.Vendors {
	list := []config.Vendors{}
	for _, v := range sortedVendors(w.Vendors) {
		calls, callers := agreement.CallsTo(v, w.Now), w.callersOf(v.Name)
		if !calls.Open {
			continue
		}
		hosts := w.hostsOf(v)
		for _, port := range slices.Sorted(maps.Keys(hosts)) {
			for from := range slices.Chunk(callers, maxFrom) {
				list = append(list, config.Vendors{Names: hosts[port], Ports: []int{int(port)}, From: from, Until: calls.Until.UTC()})
			}
		}
	}
	return list
}

func sortedVendors(vendors []*hipaav1.Vendor) []*hipaav1.Vendor {
	return slices.SortedFunc(slices.Values(vendors), func(x, y *hipaav1.Vendor) int { return cmp.Compare(x.Name, y.Name) })
}

// hostsOf are a vendor's by their ports, sorted. What is inside the cluster is no
// vendor's.
func (w *World) hostsOf(v *hipaav1.Vendor) map[int32][]string {
	hosts := map[int32][]string{}
	for _, host := range v.Spec.Hosts {
		if !control.IsClusterName(host.Name, w.Proxy.ClusterDomain) {
			hosts[host.Port] = append(hosts[host.Port], host.Name)
		}
	}
	for port := range hosts {
		slices.Sort(hosts[port])
	}
	return hosts
}

// callersOf are the identities of the workloads that name a vendor, sorted.
func (w *World) callersOf(vendor string) []config.Peer {
	var callers []config.Peer
	for _, workload := range w.Workloads {
		if workload.Status.Proxy == nil || !Names(workload, vendor) {
			continue
		}
		for _, account := range workload.Status.Proxy.ServiceAccounts {
			if id, err := pki.WorkloadID(w.Proxy.TrustDomain, workload.Namespace, account); err == nil {
				callers = append(callers, config.Peer{ID: id.String()})
			}
		}
	}
	slices.SortFunc(callers, func(x, y config.Peer) int { return cmp.Compare(x.ID, y.ID) })
	return slices.Compact(callers)
}

// Names reports whether a workload declares to call a vendor.
func Names(workload *hipaav1.PHIWorkload, vendor string) bool {
	return workload.Spec.Egress != nil && slices.ContainsFunc(workload.Spec.Egress.To, func(to hipaav1.EgressPeer) bool {
		return to.Vendor != nil && to.Vendor.Name == vendor
	})
}

// Changes is the next instant at which the configuration is otherwise by itself; zero is
// never.
func Changes(w *World) time.Time {
	var next time.Time
	for _, v := range w.Vendors {
		if at := agreement.Changes(v.Spec.Agreement, w.Now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// inside are networks where no vendor is: what one network or one machine has for itself.
var inside = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
	"::1/128", "fc00::/7", "fe80::/10", "ff00::/8",
}

// Refused are the networks to which no call is let out, whatever names lead there, sorted:
// private ones, and those of the cluster's nodes and their pods.
func Refused(nodes []*corev1.Node) []string {
	var all []netip.Prefix
	for _, text := range inside {
		all = append(all, netip.MustParsePrefix(text))
	}
	for _, node := range nodes {
		for _, address := range node.Status.Addresses {
			if a, err := netip.ParseAddr(address.Address); err == nil { // names are addresses too
				a = a.Unmap().WithZone("")
				all = append(all, netip.PrefixFrom(a, a.BitLen()))
			}
		}
		for _, text := range node.Spec.PodCIDRs {
			if prefix, err := netip.ParsePrefix(text); err == nil && !prefix.Addr().Is4In6() {
				all = append(all, prefix.Masked())
			}
		}
	}
	// What covers others comes right before them.
	slices.SortFunc(all, netip.Prefix.Compare)
	var list []string
	var last netip.Prefix
	for _, prefix := range all {
		if last.IsValid() && last.Contains(prefix.Addr()) {
			continue
		}
		list, last = append(list, prefix.String()), prefix
	}
	return list
}

// Exits are whom a configuration lets out where to, at an instant.
func Exits(c *config.Configuration, now time.Time) map[control.Exit]bool {
	exits := map[control.Exit]bool{}
	for i := range c.Egress.Vendors {
		v := &c.Egress.Vendors[i]
		if v.Ended(now) {
			continue
		}
		for _, from := range v.From {
			for _, name := range v.Names {
				for _, port := range v.Ports {
					exits[control.Exit{From: from.ID, Host: name, Port: int32(port)}] = true //nolint:gosec // Validate has accepted it
				}
			}
		}
	}
	return exits
}
