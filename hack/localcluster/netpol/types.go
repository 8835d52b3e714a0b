// Package netpol is test code: it makes the NetworkPolicies of a local cluster's one node true,
// so that isolation is shown there with packets. Its promise: for pods of that node it means what
// networking.k8s.io/v1 says, and everything else it lets through.
//
// No engine that people run in production is to be had as a module. This one is small because it
// has one node, IPv4, and writes all rules anew at each change.
package netpol

// The types below are the part of the API that decides; importing k8s.io/api would make the tool slow to build.

// State is what the rules follow from.
type State struct {
	Namespaces map[string]Namespace
	Pods       map[string]Pod
	Policies   map[string]Policy
}

// Meta is what every object has.
type Meta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	UID       string            `json:"uid"`
	Labels    map[string]string `json:"labels"`
}

// Namespace has labels.
type Namespace struct {
	Metadata Meta `json:"metadata"`
}

// Pod has labels, an address and named ports.
type Pod struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		HostNetwork    bool        `json:"hostNetwork"`
		InitContainers []Container `json:"initContainers"`
		Containers     []Container `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

// Container has ports.
type Container struct {
	RestartPolicy string          `json:"restartPolicy"`
	Ports         []ContainerPort `json:"ports"`
}

// ContainerPort is a port that may be named.
type ContainerPort struct {
	Name     string `json:"name"`
	Port     int    `json:"containerPort"`
	Protocol string `json:"protocol"`
}

// Policy is a NetworkPolicy.
type Policy struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		PodSelector Selector `json:"podSelector"`
		PolicyTypes []string `json:"policyTypes"`
		Ingress     []Rule   `json:"ingress"`
		Egress      []Rule   `json:"egress"`
	} `json:"spec"`
}

// Rule is an ingress or an egress rule; the one has from, the other to.
type Rule struct {
	Ports []Port `json:"ports"`
	From  []Peer `json:"from"`
	To    []Peer `json:"to"`
}

// Port is a port by number, by name, or a range. Port is nil where every port of the protocol is meant.
type Port struct {
	Protocol string `json:"protocol"`
	Port     any    `json:"port"`
	EndPort  int    `json:"endPort"`
}

// Peer is pods by their labels or their namespaces', or addresses.
type Peer struct {
	PodSelector       *Selector `json:"podSelector"`
	NamespaceSelector *Selector `json:"namespaceSelector"`
	IPBlock           *IPBlock  `json:"ipBlock"`
}

// IPBlock is a range of addresses with holes.
type IPBlock struct {
	CIDR   string   `json:"cidr"`
	Except []string `json:"except"`
}

// Selector is a label selector; an empty one selects everything.
type Selector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []Requirement     `json:"matchExpressions"`
}

// Requirement is one expression of a selector.
type Requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}
