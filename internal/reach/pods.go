package reach

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Pods is the target of a question: all pods of a namespace that the selector selects, whether they live or not.
type Pods struct {
	Namespace string
	// Selector picks the pods; empty means every pod of the namespace.
	Selector metav1.LabelSelector
	// Except are pods that are no target, by what selects them. One that Kubernetes would not accept excepts nobody.
	Except []metav1.LabelSelector
	// Live are pods that count as target even where their labels no longer satisfy the selector, or are excepted.
	Live []corev1.Pod
}

func (p Pods) box() box { return boundingBox(ofPod, &p.Selector) }

func (p Pods) excepted() []box {
	var boxes []box
	for i := range p.Except {
		if b, ok := exactBox(ofPod, &p.Except[i]); ok {
			boxes = append(boxes, b)
		}
	}
	slices.SortStableFunc(boxes, widerFirst)
	return boxes
}

// selection is how a policy and a target meet.
type selection struct {
	live     int        // how many live pods the policy selects now
	sample   labels.Set // labels of one pod that it selects, a live one if there is any
	presumed bool       // the search for such a pod was given up: there is no sample, and perhaps no such pod
}

// selectedBy tells whether a policy could select any pod of the target, now or later.
func (p Pods) selectedBy(target, policy box) (selection, bool) {
	var s selection
	for i := range p.Live {
		if l := p.Live[i].Labels; policy.matches(ofPod, l) {
			if s.live == 0 {
				s.sample = labels.Set(l)
			}
			s.live++
		}
	}
	if s.live > 0 {
		return s, true
	}
	if target.disjoint(policy) {
		return s, false
	}
	budget := searchEffort
	left, found := target.intersect(policy).remainder(p.excepted(), &budget)
	if found == covered {
		return s, false
	}
	if s.presumed = found == undecided; !s.presumed {
		s.sample = left.sample(ofPod)
	}
	return s, true
}
