package reach

import "k8s.io/apimachinery/pkg/labels"

// Isolation tells whether every pod of a target is closed in a direction save for what policies permit.
type Isolation struct {
	// Isolated holds only if each pod that the target could ever hold, and each live pod, is selected by at least one
	// policy of the direction.
	Isolated bool
	// By names the policies that select some or all of these pods, sorted.
	By []string
	// Escapes is the labels of one pod that no policy selects; nil when isolated, or when it could not be told whether
	// one escapes.
	Escapes labels.Set
}

// Isolated answers for both directions. Policies whose selector Kubernetes would not accept isolate nothing.
func (w World) Isolated(target Pods) (ingress, egress Isolation) {
	return w.isolated(target, Ingress), w.isolated(target, Egress)
}

func (w World) isolated(target Pods, d Direction) Isolation {
	var i Isolation
	var covers []box
	whole := target.box()
	for _, policy := range w.in(target.Namespace, stated) {
		b, ok := exactBox(ofPod, &policy.Spec.PodSelector)
		if !ok || !affects(policy, d) {
			continue
		}
		if _, some := target.selectedBy(whole, b); some {
			i.By = append(i.By, policy.Name)
			covers = append(covers, b)
		}
	}
	for n := range target.Live {
		if l := target.Live[n].Labels; !anyMatches(covers, l) {
			i.Escapes = labels.Merge(l, nil)
			return i
		}
	}
	budget := searchEffort
	left, p := whole.remainder(append(covers, target.excepted()...), &budget)
	i.Isolated = p == covered
	if p == open {
		i.Escapes = left.sample(ofPod)
	}
	return i
}

func anyMatches(boxes []box, l labels.Set) bool {
	for _, b := range boxes {
		if b.matches(ofPod, l) {
			return true
		}
	}
	return false
}
