package control

import "strings"

// Kinds is a set of object kinds that a control judges one at a time.
type Kinds uint16

// The kinds. Workload stands for what is true of the workload as a whole.
const (
	Pods Kinds = 1 << iota
	Claims
	Services
	Policies
	Slices
	Workloads
	endOfKinds
)

// AllKinds holds every kind.
const AllKinds = endOfKinds - 1

var kindNames = map[Kinds]string{
	Pods:      "Pod",
	Claims:    "PersistentVolumeClaim",
	Services:  "Service",
	Policies:  "NetworkPolicy",
	Slices:    "EndpointSlice",
	Workloads: "PHIWorkload",
}

// Has reports whether every kind of other is in the set.
func (k Kinds) Has(other Kinds) bool { return k&other == other }

// Each lists the kinds of the set one by one, in a fixed order.
func (k Kinds) Each() []Kinds {
	var each []Kinds
	for one := Kinds(1); one < endOfKinds; one <<= 1 {
		if k.Has(one) {
			each = append(each, one)
		}
	}
	return each
}

// String gives the Kubernetes kinds, separated by commas.
func (k Kinds) String() string {
	each := k.Each()
	names := make([]string, len(each))
	for i, one := range each {
		names[i] = kindNames[one]
	}
	return strings.Join(names, ", ")
}
