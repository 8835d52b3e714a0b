package reach

import networkingv1 "k8s.io/api/networking/v1"

// Widening is one place of one policy that opens more than what is declared, or may do so.
type Widening struct {
	// Namespace and Policy name the NetworkPolicy.
	Namespace, Policy string
	// Path is the place in it, such as spec.ingress[0].from[1], or spec.ingress[0] where the rule names no peer.
	Path string
	// Direction is the side of the target's pods that is opened.
	Direction Direction
	// Peer is the peer as the policy names it, and Ports are those ports on which it is not wholly declared. A Flow made
	// of the two would declare exactly what is missing.
	Peer  Peer
	Ports []PortRange
	// Opens says it in one sentence of bounded length, such as
	// "any pod in namespaces with team=x may connect to TCP 5432".
	Opens string
	// Example is one connection that the policy permits and nobody declared. Nil means the search for one was given up,
	// as happens only with dozens of selectors that cut through one another.
	Example *Example
	// Presumed tells that the search for a pod of the target that the policy selects was given up: there may be none. It
	// takes dozens of selectors that cut through one another.
	Presumed bool
	// SelectsNow counts the live pods of the target that the policy selects already; at zero it waits for a pod whose
	// labels the target's selector permits.
	SelectsNow int
	// Unlisted tells that policyTypes leaves this direction out. Kubernetes says that the rule is then without effect;
	// some network plugins apply it all the same (cilium#48703, amazon-network-policy-controller-k8s#229).
	Unlisted bool
}

// Widenings holds every policy that could select a pod of the target against what is allowed, and returns whatever a
// rule opens beyond, sorted by policy and place. What can be proved to be declared is never returned, in whatever form
// the policy says it; what cannot be proved is.
//
// A target that no policy isolates is open without any widening: ask Isolated too.
func (w World) Widenings(target Pods, allowed Allowed) []Widening {
	q := inquiry{world: w, target: target, allowed: allowed, box: target.box()}
	var found []Widening
	for _, policy := range w.in(target.Namespace, presumed) {
		found = append(found, q.judge(policy)...)
	}
	return found
}

// inquiry is one question about one target.
type inquiry struct {
	world           World
	target          Pods
	allowed         Allowed
	box             box
	ingress, egress *declared // compiled when first needed
}

// side returns what is declared for a direction.
func (q *inquiry) side(d Direction) *declared {
	if d == Egress {
		if q.egress == nil {
			q.egress = declare(q.allowed.Egress)
		}
		return q.egress
	}
	if q.ingress == nil {
		q.ingress = declare(q.allowed.Ingress)
	}
	return q.ingress
}

func (q *inquiry) judge(policy *networkingv1.NetworkPolicy) []Widening {
	selected, some := q.target.selectedBy(q.box, boundingBox(ofPod, &policy.Spec.PodSelector))
	if !some {
		return nil
	}
	budget := searchEffort
	var found []Widening
	for _, r := range rulesOf(policy) {
		ports := ruleSpans(r.ports)
		s := search{world: q.world, declared: q.side(r.direction), effort: &budget}
		for _, p := range r.places(q.target.Namespace) {
			for _, o := range s.openings(p, ports) {
				found = append(found, q.widening(policy, p, o, selected))
			}
		}
	}
	return found
}

func (q *inquiry) widening(policy *networkingv1.NetworkPolicy, p place, o opening, s selection) Widening {
	w := Widening{
		Namespace:  q.target.Namespace,
		Policy:     policy.Name,
		Path:       p.path(),
		Direction:  p.rule.direction,
		Peer:       o.party.peer,
		Ports:      portRanges(o.ports),
		Presumed:   s.presumed,
		SelectsNow: s.live,
		Unlisted:   !affects(policy, p.rule.direction),
	}
	w.Opens = sentence(w, o.party.unreadable)
	if o.found {
		w.Example = exampleOf(s, o)
	}
	return w
}
