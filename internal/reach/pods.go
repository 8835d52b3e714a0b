package reach

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Pods is the target of a question: all pods of a namespace that the selector selects, whether they live or not.
type Pods struct {
	Namespace string
	// Selector picks the pods; empty means every pod of the namespace.
	Selector metav1.LabelSelector
	// Ports are the container ports of these pods, complete; they resolve the names in ingress rules. Nil means they
	// are not known, and a name may be any port.
	Ports []corev1.ContainerPort
	// Live are pods that count as target even where their labels no longer satisfy the selector.
	Live []corev1.Pod
}

func (p Pods) box() box { return boundingBox(ofPod, &p.Selector) }

func (p Pods) portNames() portNames {
	names := portNames{complete: p.Ports != nil}
	names.add(p.Ports)
	for i := range p.Live {
		names.add(PortsOf(&p.Live[i].Spec))
	}
	return names
}

// PortsOf lists the ports of the containers that stay for the life of a pod: native sidecars count, other init
// containers do not. The list is complete, hence never nil.
func PortsOf(spec *corev1.PodSpec) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{}
	for i := range spec.Containers {
		ports = append(ports, spec.Containers[i].Ports...)
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			ports = append(ports, c.Ports...)
		}
	}
	return ports
}

// selection is how a policy and a target meet.
type selection struct {
	live   int        // how many live pods the policy selects now
	sample labels.Set // labels of one pod that it selects, a live one if there is any
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
	s.sample = target.intersect(policy).sample(ofPod)
	return s, true
}
