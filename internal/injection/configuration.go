package injection

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Settings are what a configuration needs beside the workload and its world.
type Settings struct {
	// Generation is that of the configuration; it grows with every change.
	Generation int64
	// TrustDomain is that of identities, ClusterDomain that of names of Services.
	TrustDomain, ClusterDomain string
	// Egress is the namespace of phi-egress.
	Egress string
	// TLS, OutageGrace and Refusal go into the configuration as they are.
	TLS         config.TLS
	OutageGrace config.Duration
	Refusal     config.Refusal
	// Users are what people are told of the safeguards that refused them.
	Users config.UserRefusals
	// NameServers are the cluster's.
	NameServers []netip.AddrPort
	// Pods are the workload's.
	Pods []*corev1.Pod
	// Capture is how traffic comes to its new proxies.
	Capture hipaav1.CaptureMode
	// Parties are the PHI workloads that it deals with.
	Parties map[types.NamespacedName]control.Party
}

// Configuration is what the proxies of the subject's workload do, sorted, and one
// sentence for each thing that the workload declares and its proxies keep closed.
func Configuration(s *control.Subject, with Settings) (*config.Configuration, []string, error) {
	if s.Workload == nil {
		return nil, nil, errors.New("configuring a proxy: there is no workload")
	}
	b := builder{subject: s, workload: s.Workload, with: with, opens: map[string]bool{}, adopting: Adopting(s.Workload, with.Pods, with.Parties)}
	for _, f := range flows.Of(s, s.Workload).All() {
		b.opens[f.Path] = b.opens[f.Path] || f.Opens()
	}
	c := &config.Configuration{
		Version: config.Version,
		Workload: config.Workload{
			UID: string(s.Workload.UID), Namespace: s.Workload.Namespace, Name: s.Workload.Name, Generation: with.Generation,
		},
		TrustDomain: with.TrustDomain, TLS: with.TLS, OutageGrace: with.OutageGrace, Refusal: with.Refusal,
		Inbound: b.inbound(), Probes: probesOf(with.Pods), Resolver: b.resolver(), Outbound: b.outbound(),
	}
	var err error
	if c.Users, err = b.users(c.Outbound); err != nil {
		return nil, nil, fmt.Errorf("configuring the proxies of %s/%s: %w", s.Workload.Namespace, s.Workload.Name, err)
	}
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("configuring the proxies of %s/%s: %w", s.Workload.Namespace, s.Workload.Name, err)
	}
	slices.Sort(b.closed)
	return c, slices.Compact(b.closed), nil
}

// Encode writes a configuration as the proxy reads it, the same bytes each time.
func Encode(c *config.Configuration) ([]byte, error) {
	text, err := jsonv2.Marshal(c, jsonv2.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("writing a configuration: %w", err)
	}
	return append(text, '\n'), nil
}

// builder makes one configuration.
type builder struct {
	subject  *control.Subject
	workload *hipaav1.PHIWorkload
	with     Settings
	// opens says of the entries of the declaration, by their paths, whether policies
	// open anything for them.
	opens map[string]bool
	// adopting says that ports take plaintext from declared callers.
	adopting bool
	closed   []string
}

func (b *builder) keepClosed(path, format string, args ...any) {
	b.closed = append(b.closed, path+": "+fmt.Sprintf(format, args...))
}

// inbound has every port of the workload; a port that nobody may call is one that
// refuses everybody.
func (b *builder) inbound() []config.Inbound {
	var list []config.Inbound
	for i := range b.workload.Spec.Ports {
		port := &b.workload.Spec.Ports[i]
		if !isPort(port.Port) {
			continue
		}
		in := config.Inbound{
			Name: port.Name, Listen: int(control.ListenPort(port.Port)), Forward: int(port.Port), Protocol: config.Protocol(port.Protocol),
		}
		b.callers(&in)
		list = append(list, in)
	}
	slices.SortFunc(list, func(x, y config.Inbound) int { return cmp.Compare(x.Forward, y.Forward) })
	return list
}

// callers says who may call a port.
func (b *builder) callers(in *config.Inbound) {
	if b.workload.Spec.Access == nil {
		return
	}
	for i := range b.workload.Spec.Access.From {
		from, path := &b.workload.Spec.Access.From[i], fmt.Sprintf("spec.access.from[%d]", i)
		if len(from.Ports) > 0 && !slices.Contains(from.Ports, in.Name) || !b.opens[path] {
			continue
		}
		if b.adopting {
			in.Plaintext = config.PlaintextPermitted
		}
		switch {
		case from.PHIWorkload != nil:
			in.From = append(in.From, b.identities(path, b.key(from.PHIWorkload))...)
		case from.Gateway != nil:
			b.gateway(in, path, from.Gateway.Name)
		case from.Pods != nil:
			b.keepClosed(path, "pods outside the PHI workloads have no certificate, and the proxy refuses them")
		default:
			b.keepClosed(path, "callers from addresses have no certificate, and the proxy refuses them")
		}
	}
	in.From = sortedPeers(in.From)
	slices.Sort(in.OneWay)
	in.OneWay = slices.Compact(in.OneWay)
}

// gateway lets one in by what it can show.
func (b *builder) gateway(in *config.Inbound, path, name string) {
	gateway := b.subject.Profile.Network.Gateways[name]
	if gateway.Authentication == hipaav1.GatewayPlaintext {
		in.Plaintext = config.PlaintextPermitted
	}
	switch id, err := pki.GatewayID(b.with.TrustDomain, gateway.Namespace, name); {
	case gateway.Authentication == hipaav1.GatewayAddress:
		for _, text := range gateway.CIDRs {
			if prefix, err := netip.ParsePrefix(text); err == nil && !prefix.Addr().Is4In6() {
				in.OneWay = append(in.OneWay, prefix.Masked().String())
			}
		}
	case gateway.Namespace != "" && err == nil:
		in.From = append(in.From, config.Peer{ID: id.String()})
	case gateway.Namespace != "":
		b.keepClosed(path, "gateway %q has a name that cannot stand in an identity, and the proxy refuses it", name)
	case gateway.Authentication != hipaav1.GatewayPlaintext:
		b.keepClosed(path, "gateway %q names addresses and no pods, so that it has no identity, and the proxy refuses it; its authentication in the profile can be Address", name)
	}
}

func (b *builder) key(peer *hipaav1.PHIWorkloadPeer) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(peer.Namespace, b.workload.Namespace), Name: peer.Name}
}

// party is what there is of a workload, the builder's own included.
func (b *builder) party(key types.NamespacedName) control.Party {
	party := b.with.Parties[key]
	if key.Namespace == b.workload.Namespace && key.Name == b.workload.Name {
		party.Pods = slices.Concat(party.Pods, b.with.Pods)
	}
	return party
}

// identities are those of a workload: of its pods, and while there are none, those that
// its last ones had.
func (b *builder) identities(path string, key types.NamespacedName) []config.Peer {
	var accounts []string
	for _, pod := range b.party(key).Pods {
		accounts = append(accounts, control.ServiceAccountOf(pod))
	}
	if w := b.workloadAt(key); len(accounts) == 0 && w != nil && w.Status.Proxy != nil {
		accounts = w.Status.Proxy.ServiceAccounts
	}
	var peers []config.Peer
	for _, account := range accounts {
		if id, err := pki.WorkloadID(b.with.TrustDomain, key.Namespace, account); err == nil {
			peers = append(peers, config.Peer{ID: id.String()})
		}
	}
	if len(peers) == 0 {
		b.keepClosed(path, "PHIWorkload %s has no pods yet, so that nobody knows their ServiceAccount", key)
	}
	return sortedPeers(peers)
}

// workloadAt is a PHI workload of the subject's world, the builder's own included; nil
// where there is none.
func (b *builder) workloadAt(key types.NamespacedName) *hipaav1.PHIWorkload {
	if key.Namespace == b.workload.Namespace && key.Name == b.workload.Name {
		return b.workload
	}
	return b.subject.World.Workloads[key]
}

func sortedPeers(peers []config.Peer) []config.Peer {
	slices.SortFunc(peers, func(x, y config.Peer) int { return cmp.Compare(x.ID, y.ID) })
	return slices.Compact(peers)
}

// resolver has the proxy answer for the cluster's name servers, and pass on what the
// application reaches without it.
func (b *builder) resolver() *config.Resolver {
	r := &config.Resolver{Upstreams: written(b.with.NameServers)}
	if egress := b.workload.Spec.Egress; egress != nil {
		for i := range egress.To {
			if name := b.host(apiServer); egress.To[i].KubernetesAPI != nil && !b.redirected() && !slices.Contains(r.Forwarded, name) {
				r.Forwarded = append(r.Forwarded, name)
			}
		}
	}
	return r
}

// host is the whole name of a Service, or of a pod behind one.
func (b *builder) host(name string) string {
	return strings.ToLower(name + ".svc." + b.with.ClusterDomain)
}
