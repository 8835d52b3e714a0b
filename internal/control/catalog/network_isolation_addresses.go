package catalog

import (
	"cmp"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// apiServer resolves the API server to the addresses behind its Service: one
// flow for each port.
func (d declaration) apiServer(path string) []flow {
	var flows []flow
	at := map[uint16]int{}
	for _, address := range d.subject.World.APIServer {
		host := address.Addr().Unmap().WithZone("")
		if !host.IsValid() || address.Port() == 0 {
			continue
		}
		i, known := at[address.Port()]
		if !known {
			i = len(flows)
			at[address.Port()] = i
			flows = append(flows, flow{path: path, ports: appendPort(nil, corev1.ProtocolTCP, int32(address.Port()))})
		}
		flows[i].peers = append(flows[i].peers, reach.Block{CIDR: netip.PrefixFrom(host, host.BitLen())})
	}
	if len(flows) == 0 {
		return []flow{{path: path, closed: "the addresses of the API server are not known"}}
	}
	return flows
}

const (
	dnsPort      = 53
	dnsNamespace = "kube-system"
)

// resolvers resolve where names are resolved, over UDP and TCP: as profiles say,
// or else as discovered.
func (d declaration) resolvers() []flow {
	const path = "name resolution"
	var flows []flow
	for _, server := range d.subject.Profile.Network.DNS {
		flows = append(flows, dnsFlow(path, server))
	}
	if len(flows) == 0 {
		for _, r := range d.subject.World.Resolvers {
			f := flow{path: path, ports: dnsPorts(r.Port)}
			if r.Pods != nil && r.Namespace != "" && isSelector(r.Pods) {
				f.peers = append(f.peers, reach.PodPeer{Namespaces: []string{r.Namespace}, PodSelector: *r.Pods})
			}
			for _, prefix := range r.Addresses {
				if prefix.IsValid() && !prefix.Addr().Is4In6() {
					f.peers = append(f.peers, reach.Block{CIDR: prefix.Masked()})
				}
			}
			flows = append(flows, f)
		}
	}
	for _, f := range flows {
		if f.opens() {
			return flows
		}
	}
	return append(flows, flow{path: path, closed: "is not possible: no resolver was discovered; name one in network.dns of the profile"})
}

func dnsFlow(path string, server hipaav1.DNSServer) flow {
	f := flow{path: path, ports: dnsPorts(server.Port)}
	prefix, readable := prefixOf(server.CIDR)
	switch {
	case server.PodSelector != nil && isSelector(server.PodSelector):
		f.peers = []reach.Peer{podsIn(cmp.Or(server.Namespace, dnsNamespace), *server.PodSelector)}
	case readable:
		f.peers = []reach.Peer{reach.Block{CIDR: prefix}}
	default:
		f.closed = "cannot use an entry of network.dns that names neither pods nor a range that can be read"
	}
	return f
}

func podsIn(namespace string, selector metav1.LabelSelector) reach.PodPeer {
	return reach.PodPeer{Namespaces: []string{namespace}, PodSelector: selector}
}

func dnsPorts(number int32) []reach.PortRange {
	number = cmp.Or(number, dnsPort)
	return appendPort(appendPort(nil, corev1.ProtocolUDP, number), corev1.ProtocolTCP, number)
}
