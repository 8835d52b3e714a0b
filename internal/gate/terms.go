package gate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// strictest are how phi-egress and its callers speak, and for how long after its end a
// certificate counts: as the strictest of the callers' profiles says, because there is one
// phi-egress for all of them.
func (w *World) strictest() (tls config.TLS, grace config.Duration) {
	if len(w.Profiles) == 0 {
		return config.TLS{}, config.Duration(control.DefaultOutageGrace)
	}
	newest, shortest := hipaav1.TLS12, time.Duration(math.MaxInt64)
	for _, p := range w.Profiles {
		own, version := control.DefaultOutageGrace, hipaav1.TLS13
		if proxy := p.Transmission.Proxy; proxy != nil {
			version = cmp.Or(proxy.MinimumTLS, version)
			if proxy.OutageGrace != nil {
				own = proxy.OutageGrace.Duration
			}
		}
		shortest = min(shortest, own)
		if version == hipaav1.TLS13 {
			newest = version
		}
	}
	return config.TLS{MinVersion: string(newest)}, config.Duration(shortest)
}

const (
	dnsPort = 53
	// maxServers is how many name servers a configuration has.
	maxServers = 8
)

// nameServers are whom phi-egress asks: those that every caller's profile names by its
// address, or else the cluster's, sorted. Whom one alone names answers for no other.
func (w *World) nameServers() []string {
	var servers []netip.AddrPort
	for i, p := range w.Profiles {
		named := control.NamedServers(p)
		if i == 0 {
			servers = named
		}
		servers = slices.DeleteFunc(servers, func(s netip.AddrPort) bool { return !slices.Contains(named, s) })
	}
	if len(servers) == 0 {
		servers = slices.Compact(slices.SortedFunc(slices.Values(w.Proxy.NameServers), netip.AddrPort.Compare))
	}
	var list []string
	for _, server := range servers[:min(len(servers), maxServers)] {
		list = append(list, server.String())
	}
	return list
}

// toNameServers lets phi-egress ask them, where they listen at another port than that by
// which they are known: policies hold for the port of the pod behind a Service.
func (w *World) toNameServers() []networkingv1.NetworkPolicyEgressRule {
	rules := map[string]networkingv1.NetworkPolicyEgressRule{} // profiles of many workloads say the same
	pods := func(namespace string, selector *metav1.LabelSelector, port int32) {
		if name, peer, ok := podsIn(namespace, selector); ok {
			rules[fmt.Sprintf("%s %d", name, port)] = asking(peer, port)
		}
	}
	for _, r := range w.Resolvers {
		if r.Pods != nil && r.Namespace != "" {
			pods(r.Namespace, r.Pods, r.Port)
		}
	}
	for _, p := range w.Profiles {
		for _, server := range p.Network.DNS {
			prefix, err := netip.ParsePrefix(server.CIDR)
			port := cmp.Or(server.Port, dnsPort)
			switch {
			case server.PodSelector != nil:
				pods(cmp.Or(server.Namespace, metav1.NamespaceSystem), server.PodSelector, port)
			case err == nil && !prefix.Addr().Is4In6():
				cidr := prefix.Masked().String()
				rules[fmt.Sprintf("%s %d", cidr, port)] = asking(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}, port)
			}
		}
	}
	var list []networkingv1.NetworkPolicyEgressRule
	for _, at := range slices.Sorted(maps.Keys(rules)) {
		list = append(list, rules[at])
	}
	return list
}

func asking(server networkingv1.NetworkPolicyPeer, port int32) networkingv1.NetworkPolicyEgressRule {
	rule := networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{server}}
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(port))})
	}
	return rule
}
