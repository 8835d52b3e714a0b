package flows

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// workloadPeer resolves a PHIWorkload to its pods and returns it.
func (d declaration) workloadPeer(f *Flow, peer *hipaav1.PHIWorkloadPeer) *hipaav1.PHIWorkload {
	key := types.NamespacedName{Namespace: cmp.Or(peer.Namespace, d.workload.Namespace), Name: peer.Name}
	w := d.subject.World.Workloads[key]
	if key.Name == d.workload.Name && key.Namespace == d.workload.Namespace {
		w = d.workload
	}
	switch {
	case w == nil:
		f.Closed = fmt.Sprintf("PHIWorkload %s does not exist", key)
		return nil
	case !IsParticular(w):
		f.Closed = fmt.Sprintf("PHIWorkload %s has a selector that selects no pods in particular", key)
		return nil
	}
	f.Peers = []reach.Peer{reach.PodPeer{Namespaces: []string{key.Namespace}, PodSelector: w.Spec.Selector}}
	return w
}

// gateway resolves a gateway of the profile.
func (d declaration) gateway(f *Flow, name string) {
	g, declared := d.subject.Profile.Network.Gateways[name]
	switch {
	case !declared:
		f.Closed = fmt.Sprintf("the profile declares no gateway %q", name)
	case g.Namespace != "" && g.PodSelector != nil && isSelector(g.PodSelector):
		f.Peers = []reach.Peer{reach.PodPeer{Namespaces: []string{g.Namespace}, PodSelector: *g.PodSelector}}
	case len(g.CIDRs) > 0:
		for _, text := range g.CIDRs {
			if prefix, ok := prefixOf(text); ok {
				f.Peers = append(f.Peers, reach.Block{CIDR: prefix})
			} else {
				f.Closed = fmt.Sprintf("gateway %q has a range that cannot be read", name)
			}
		}
	default:
		f.Closed = fmt.Sprintf("gateway %q names neither pods nor ranges", name)
	}
}

// pods resolves pods that are no PHI workload.
func (d declaration) pods(f *Flow, peer *hipaav1.PodPeer) {
	pods := reach.PodPeer{NamespaceSelector: peer.NamespaceSelector}
	if peer.PodSelector != nil {
		pods.PodSelector = *peer.PodSelector
	}
	if peer.NamespaceSelector == nil {
		pods.Namespaces = []string{d.workload.Namespace}
	}
	if !isSelector(&pods.PodSelector) || pods.NamespaceSelector != nil && !isSelector(pods.NamespaceSelector) {
		f.Closed = "has a selector that cannot be read"
		return
	}
	f.Peers = []reach.Peer{pods}
}

// block resolves a range, inside what every profile allows.
func (d declaration) block(f *Flow, peer *hipaav1.IPBlockPeer) {
	prefix, readable := prefixOf(peer.CIDR)
	if !readable {
		f.Closed = "has a range that cannot be read"
		return
	}
	b := reach.Block{CIDR: prefix}
	for _, text := range peer.Except {
		hole, ok := prefixOf(text)
		switch {
		case !ok:
			f.Closed = "has an exception that cannot be read"
			return
		case contains(hole, prefix):
			f.Closed = "excepts the whole range"
			return
		case contains(prefix, hole):
			b.Except = append(b.Except, hole)
		}
	}
	for _, ranges := range d.subject.Profile.Network.ExternalRanges {
		if !slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return contains(r, prefix) }) {
			f.Closed = prefix.String() + " lies outside network.externalRanges of the profile"
			fault := control.Failed(f.Path+".ipBlock", "lies outside network.externalRanges of the profile, and stays closed").
				But("narrow it, or ask the security team for the range").OnlyLive()
			f.Fault = &fault
			return
		}
	}
	f.Peers = []reach.Peer{b}
}

// Blocks are the ranges that a workload may call, by whichever ports.
func Blocks(s *control.Subject, w *hipaav1.PHIWorkload) []reach.Block {
	if w.Spec.Egress == nil {
		return nil
	}
	var blocks []reach.Block
	for i := range w.Spec.Egress.To {
		peer := w.Spec.Egress.To[i].IPBlock
		if peer == nil {
			continue
		}
		var f Flow
		declaration{subject: s, workload: w}.block(&f, peer)
		for _, p := range f.Peers {
			if b, isBlock := p.(reach.Block); isBlock {
				blocks = append(blocks, b)
			}
		}
	}
	return blocks
}

// contains reports whether all of inner lies in outer.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// prefixOf reads a range as the API server does: no IPv4 in the clothes of IPv6.
func prefixOf(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}

// isSelector reports whether Kubernetes would accept a selector.
func isSelector(s *metav1.LabelSelector) bool {
	_, err := metav1.LabelSelectorAsSelector(s)
	return err == nil
}

// IsParticular reports whether a workload's selector asks for anything. An empty
// one, which no API server lets in, would open, or open to, every pod of the
// namespace.
func IsParticular(w *hipaav1.PHIWorkload) bool {
	s := &w.Spec.Selector
	return len(s.MatchLabels)+len(s.MatchExpressions) > 0 && isSelector(s)
}
