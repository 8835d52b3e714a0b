package control

import "strings"

// Kinds is a set of object kinds that a control judges one at a time.
type Kinds uint16

// The kinds. Resources are custom resources that declare infrastructure, of the types
// that controls name. Connections are the requests to reach into a pod: they are judged
// as they come, and nothing of them is left to judge live. Secrets are judged by what
// they say of themselves, as they come as well: nobody reads those there are. Workloads
// stands for what is true of the workload as a whole.
const (
	Pods Kinds = 1 << iota
	Claims
	Services
	Policies
	Slices
	Ingresses
	Roles
	Bindings
	ConfigMaps
	Secrets
	Resources
	Connections
	Workloads
	endOfKinds
)

// AllKinds holds every kind.
const AllKinds = endOfKinds - 1

// Unseen are the kinds of which nothing can be looked at live.
const Unseen = Connections | Secrets

var kindNames = map[Kinds]string{
	Pods:        "Pod",
	Claims:      "PersistentVolumeClaim",
	Services:    "Service",
	Policies:    "NetworkPolicy",
	Slices:      "EndpointSlice",
	Ingresses:   "Ingress",
	Roles:       "Role",
	Bindings:    "RoleBinding",
	ConfigMaps:  "ConfigMap",
	Secrets:     "Secret",
	Resources:   "Resource",
	Connections: "Connection",
	Workloads:   "PHIWorkload",
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

// String names the kinds as people read them, separated by commas: those of
// Kubernetes, and Connection for the options of each Way.
func (k Kinds) String() string {
	each := k.Each()
	names := make([]string, len(each))
	for i, one := range each {
		names[i] = kindNames[one]
	}
	return strings.Join(names, ", ")
}
