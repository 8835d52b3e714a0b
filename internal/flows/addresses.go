package flows

import (
	"cmp"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// apiServer resolves the API server to the addresses behind its Service: one
// flow for each port.
func (d declaration) apiServer(path string) []Flow {
	var flows []Flow
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
			flows = append(flows, Flow{Path: path, Ports: appendPort(nil, corev1.ProtocolTCP, int32(address.Port()))})
		}
		flows[i].Peers = append(flows[i].Peers, reach.Block{CIDR: netip.PrefixFrom(host, host.BitLen())})
	}
	if len(flows) == 0 {
		return []Flow{{Path: path, Closed: "the addresses of the API server are not known"}}
	}
	return flows
}

// issuerPort is where the pods of the issuer listen.
const issuerPort = 9443

// certificates is the way by which the workload's proxies get theirs.
func (d declaration) certificates() []Flow {
	proxy := d.workload.Status.Proxy
	if proxy == nil {
		return nil
	}
	issuer := metav1.LabelSelector{MatchLabels: control.IssuerLabels()}
	return []Flow{{
		Path:  "certificates",
		Peers: []reach.Peer{podsIn(proxy.IssuerNamespace, issuer)},
		Ports: appendPort(nil, corev1.ProtocolTCP, issuerPort),
	}}
}

const (
	dnsPort      = 53
	dnsNamespace = "kube-system"
)

// NameResolution resolves where names are resolved, over UDP and TCP, which every
// pod may ask: as profiles say, or else as discovered.
func NameResolution(s *control.Subject) []Flow {
	const path = "name resolution"
	var flows []Flow
	for _, server := range s.Profile.Network.DNS {
		flows = append(flows, dnsFlow(path, server))
	}
	if len(flows) == 0 {
		for _, r := range s.World.Resolvers {
			flows = append(flows, discoveredFlow(path, r))
		}
	}
	for i := range flows {
		if flows[i].Opens() {
			return flows
		}
	}
	return append(flows, Flow{Path: path, Closed: "is not possible: no resolver was discovered; name one in network.dns of the profile"})
}

func discoveredFlow(path string, r control.Resolver) Flow {
	f := Flow{Path: path, Ports: dnsPorts(r.Port)}
	if r.Pods != nil && r.Namespace != "" && isSelector(r.Pods) {
		f.Peers = append(f.Peers, podsIn(r.Namespace, *r.Pods))
	}
	for _, prefix := range r.Addresses {
		if prefix.IsValid() && !prefix.Addr().Is4In6() {
			f.Peers = append(f.Peers, reach.Block{CIDR: prefix.Masked()})
		}
	}
	return f
}

func dnsFlow(path string, server hipaav1.DNSServer) Flow {
	f := Flow{Path: path, Ports: dnsPorts(server.Port)}
	prefix, readable := prefixOf(server.CIDR)
	switch {
	case server.PodSelector != nil && isSelector(server.PodSelector):
		f.Peers = []reach.Peer{podsIn(cmp.Or(server.Namespace, dnsNamespace), *server.PodSelector)}
	case readable:
		f.Peers = []reach.Peer{reach.Block{CIDR: prefix}}
	default:
		f.Closed = "cannot use an entry of network.dns that names neither pods nor a range that can be read"
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
