package reach

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// portNames resolves the names of container ports. The zero value resolves none.
type portNames struct {
	complete bool // a name that is not listed has no port
	numbers  map[namedPort][]int32
}

type namedPort struct {
	lane lane
	name string
}

func (n *portNames) add(ports []corev1.ContainerPort) {
	for _, p := range ports {
		l, known := laneOf(p.Protocol)
		if !known || p.Name == "" || p.ContainerPort < firstPort || p.ContainerPort > lastPort {
			continue
		}
		if n.numbers == nil {
			n.numbers = map[namedPort][]int32{}
		}
		key := namedPort{l, p.Name}
		if !slices.Contains(n.numbers[key], p.ContainerPort) {
			n.numbers[key] = append(n.numbers[key], p.ContainerPort)
		}
	}
}

func (n portNames) lookup(l lane, name string) (numbers []int32, resolved bool) {
	return n.numbers[namedPort{l, name}], n.complete
}
