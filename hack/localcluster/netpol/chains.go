package netpol

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Direction is where a policy looks.
type Direction string

// The two directions, as policyTypes names them.
const (
	Ingress Direction = "Ingress"
	Egress  Direction = "Egress"
)

// Chain holds the rules of one isolated pod in one direction. What none of them lets return, the chain drops.
type Chain struct {
	Direction Direction
	Address   string
	Rules     []string
}

// Name is the chain's in nftables.
func (c Chain) Name() string { return strings.ToLower(string(c.Direction)) + "-" + c.Address }

// Chains returns those of all isolated pods, in the order of their names.
func (s State) Chains() []Chain {
	pods := s.livePods()
	var chains []Chain
	for _, p := range pods {
		for _, d := range []Direction{Ingress, Egress} {
			if c, isolated := s.chainOf(p, d, pods); isolated {
				chains = append(chains, c)
			}
		}
	}
	slices.SortFunc(chains, func(a, b Chain) int { return cmp.Compare(a.Name(), b.Name()) })
	return chains
}

// livePods are those that hold an address of their own. An address goes to another pod once its pod has ended.
func (s State) livePods() []Pod {
	var live []Pod
	for _, key := range slices.Sorted(maps.Keys(s.Pods)) {
		p := s.Pods[key]
		ended := p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed"
		if a, err := netip.ParseAddr(p.Status.PodIP); err == nil && a.Is4() && !p.Spec.HostNetwork && !ended {
			live = append(live, p)
		}
	}
	return live
}

// chainOf adds up all policies that select the pod; each only ever allows more.
func (s State) chainOf(p Pod, d Direction, pods []Pod) (c Chain, isolated bool) {
	// Nobody can cut a pod off from itself, not even by way of a Service.
	c = Chain{Direction: d, Address: p.Status.PodIP, Rules: []string{fmt.Sprintf("ip saddr %[1]s ip daddr %[1]s return", p.Status.PodIP)}}
	for _, key := range slices.Sorted(maps.Keys(s.Policies)) {
		policy := s.Policies[key]
		if policy.Metadata.Namespace != p.Metadata.Namespace || !policy.Spec.PodSelector.matches(p.Metadata.Labels) || !policy.covers(d) {
			continue
		}
		isolated = true
		for _, rule := range policy.rules(d) {
			c.Rules = append(c.Rules, s.allow(rule, scene{policy.Metadata.Namespace, p, d, pods})...)
		}
	}
	slices.Sort(c.Rules)
	c.Rules = append(slices.Compact(c.Rules), "drop")
	return c, isolated
}

// covers follows the API: without policyTypes a policy is about ingress, and about egress if it has rules for it.
func (p Policy) covers(d Direction) bool {
	if len(p.Spec.PolicyTypes) > 0 {
		return slices.Contains(p.Spec.PolicyTypes, string(d))
	}
	return d == Ingress || len(p.Spec.Egress) > 0
}

func (p Policy) rules(d Direction) []Rule {
	if d == Egress {
		return p.Spec.Egress
	}
	return p.Spec.Ingress
}

// scene is what a rule is read in.
type scene struct {
	namespace string // of the policy
	pod       Pod    // that the policy selects
	direction Direction
	pods      []Pod
}

// allow writes what one rule of a policy lets through.
func (s State) allow(rule Rule, at scene) []string {
	peers := rule.From
	if at.direction == Egress {
		peers = rule.To
	}
	if len(peers) == 0 { // everybody
		return at.write("", at.pods, rule.Ports)
	}
	var rules []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if match := at.blockMatch(*peer.IPBlock); match != "" {
				rules = append(rules, at.write(match, nil, rule.Ports)...)
			}
			continue
		}
		for _, p := range at.pods {
			if s.selects(peer, at.namespace, p) {
				rules = append(rules, at.write(at.side()+" "+p.Status.PodIP+" ", []Pod{p}, rule.Ports)...)
			}
		}
	}
	return rules
}

// side is the field of a packet that holds the peer.
func (at scene) side() string {
	if at.direction == Egress {
		return "ip daddr"
	}
	return "ip saddr"
}

// blockMatch is "" for ranges of IPv6, of which no pod here has an address.
func (at scene) blockMatch(block IPBlock) string {
	cidr, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !cidr.Addr().Is4() {
		return ""
	}
	var match strings.Builder
	fmt.Fprintf(&match, "%s %s ", at.side(), cidr.Masked())
	for _, except := range block.Except {
		if hole, err := netip.ParsePrefix(except); err == nil {
			fmt.Fprintf(&match, "%s != %s ", at.side(), hole.Masked())
		}
	}
	return match.String()
}

// write joins a match of peers with each port. A named port is looked up in the pod that
// listens: for egress in each of the pods that may be meant.
func (at scene) write(peers string, candidates []Pod, ports []Port) []string {
	if len(ports) == 0 {
		return []string{peers + "return"}
	}
	var rules []string
	for _, port := range ports {
		name, named := port.Port.(string)
		switch {
		case !named:
			rules = append(rules, peers+port.match()+" return")
		case at.direction == Ingress:
			if number, ok := at.pod.named(name, port.protocol()); ok {
				rules = append(rules, fmt.Sprintf("%s%s dport %d return", peers, port.protocol(), number))
			}
		default:
			for _, p := range candidates {
				if number, ok := p.named(name, port.protocol()); ok {
					rules = append(rules, fmt.Sprintf("ip daddr %s %s dport %d return", p.Status.PodIP, port.protocol(), number))
				}
			}
		}
	}
	return rules
}

func (p Port) protocol() string {
	if p.Protocol == "" {
		return "tcp"
	}
	return strings.ToLower(p.Protocol)
}

// match is that of a port by number, of a range, or of a whole protocol.
func (p Port) match() string {
	number, numbered := p.Port.(float64) // as encoding/json reads numbers
	switch {
	case !numbered:
		return "meta l4proto " + p.protocol()
	case p.EndPort > 0:
		return fmt.Sprintf("%s dport %d-%d", p.protocol(), int(number), p.EndPort)
	}
	return p.protocol() + " dport " + strconv.Itoa(int(number))
}

// named looks a port up by its name: in containers, then in native sidecars, as Services do.
func (p Pod) named(name, protocol string) (int, bool) {
	containers := slices.Clone(p.Spec.Containers)
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy == "Always" {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.Name == name && (Port{Protocol: port.Protocol}).protocol() == protocol {
				return port.Port, true
			}
		}
	}
	return 0, false
}
