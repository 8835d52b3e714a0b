package reach

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// passage is one side's answer: what the policies at one endpoint say of the other.
func (w World) passage(d Direction, c Connection, at, other Endpoint) Passage {
	p := Passage{Verdict: Reachable}
	if at.Namespace == "" {
		return p
	}
	var ignored, applied tally // by what a network plugin does with rules that policyTypes leaves out
	for _, policy := range w.in(at.Namespace, stated) {
		selected := selects(policy, at)
		rules := slices.DeleteFunc(rulesOf(policy), func(r rule) bool { return r.direction != d })
		listed := affects(policy, d)
		if selected == no || !listed && len(rules) == 0 {
			continue
		}
		name := policy.Namespace + "/" + policy.Name
		p.Isolated = append(p.Isolated, name)
		permits := no
		for _, r := range rules {
			here, paths := w.permits(r, c, other, at.Namespace)
			for _, path := range paths {
				p.Permitted = append(p.Permitted, name+" "+path)
			}
			permits = max(permits, here)
		}
		applied.add(selected, permits)
		if listed {
			ignored.add(selected, permits)
		}
	}
	p.Verdict = applied.verdict()
	if p.Verdict != ignored.verdict() {
		p.Verdict = Unknown
	}
	if l, known := laneOf(c.Protocol); p.Verdict == Unreachable && (!known || l == others) {
		p.Verdict = Unknown
	}
	return p
}

// permits tells whether a rule lets the other endpoint in or out, and by which of its places.
func (w World) permits(r rule, c Connection, other Endpoint, namespace string) (answer truth, paths []string) {
	ports := portsAre(r.ports, c)
	for _, place := range r.places(namespace) {
		here := min(ports, w.isPeer(other, place, namespace))
		if here != no {
			paths = append(paths, place.path())
		}
		answer = max(answer, here)
	}
	return answer, paths
}

// tally is what the policies of one side say together.
type tally struct {
	closed    bool // some policy surely isolates the pod
	permitted bool // one of these surely permits the connection
	perhaps   bool // some policy may permit it
	risk      bool // some policy that may isolate the pod may not permit it
}

func (t *tally) add(isolates, permits truth) {
	if isolates == yes {
		t.closed = true
		t.permitted = t.permitted || permits == yes
		t.perhaps = t.perhaps || permits == maybe
		return
	}
	t.perhaps = t.perhaps || permits != no
	t.risk = t.risk || permits != yes
}

func (t *tally) verdict() Verdict {
	switch {
	case t.permitted, !t.closed && !t.risk:
		return Reachable
	case !t.closed, t.perhaps:
		return Unknown
	}
	return Unreachable
}

// selects tells whether a policy of the pod's namespace selects the pod.
func selects(policy *networkingv1.NetworkPolicy, pod Endpoint) truth {
	b, ok := exactBox(ofPod, &policy.Spec.PodSelector)
	if !ok {
		return maybe
	}
	return surely(b.matches(ofPod, pod.Labels))
}
