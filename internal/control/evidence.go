package control

import "strings"

// Evidence is a set of data sources beside the object under judgement.
type Evidence uint32

// The data sources. A loader of internal/subject stands behind each.
const (
	// StorageChain is the claims of the workload's pods, their volumes and classes.
	StorageChain Evidence = 1 << iota
	// NetworkPolicies is every NetworkPolicy of the namespace.
	NetworkPolicies
	// FlowPeers is what declared flows refer to: other workloads, Services, the
	// API server's addresses, where names are resolved.
	FlowPeers
	// IsolationProof is a probe's result, or a statement, that the network plugin
	// enforces NetworkPolicies.
	IsolationProof
	// Routes is the Ingresses that lead to the workload; at admission of a route of the
	// Gateway API, the Services by which it does.
	Routes
	// Access is the Roles and bindings of the namespace, and what of the whole
	// cluster holds in it.
	Access
	// Identities is the ServiceAccounts that live pods of the namespace run under.
	Identities
	// Settings is the ConfigMaps that the workload's pods take settings from.
	Settings
	// Nodes is the nodes that the workload's pods run on.
	Nodes
	// Agents is the pods of DaemonSets on these nodes.
	Agents
	// Infrastructure is the custom resources that declare infrastructure for the
	// namespace.
	Infrastructure
	// Reports is what other systems report in custom resources.
	Reports
	// SecretsAtRest is how API servers stored a Secret that the operator wrote.
	SecretsAtRest
	// Proxies is the operator's own proxy, and the PHI workloads that its configuration
	// deals with; at admission of a pod the proxy alone.
	Proxies
	// Vendors is the vendors that flows name.
	Vendors
	// Resolvers and APIServer are read with FlowPeers. They stand in World.Missing
	// by themselves where nothing was found although every cluster has it: where
	// names are resolved, and the API server that a workload declares to call.
	// Controls are asked all the same, and say what they cannot tell.
	Resolvers
	APIServer
	endOfEvidence
)

// AllEvidence holds every source.
const AllEvidence = endOfEvidence - 1

var evidenceNames = map[Evidence]string{
	StorageChain:    "claims, volumes and storage classes",
	NetworkPolicies: "network policies",
	FlowPeers:       "the peers of declared flows",
	IsolationProof:  "proof that the network plugin enforces policies",
	Routes:          "what leads to the workload",
	Access:          "roles and bindings",
	Identities:      "the ServiceAccounts of running pods",
	Settings:        "the ConfigMaps that pods name",
	Nodes:           "the nodes of running pods",
	Agents:          "the agents on the nodes of running pods",
	Infrastructure:  "the custom resources that declare infrastructure",
	Reports:         "the reports of other systems",
	SecretsAtRest:   "how API servers store Secrets",
	Proxies:         "what proxies need",
	Vendors:         "vendors and their agreements",
	Resolvers:       "where names are resolved",
	APIServer:       "the addresses of the API server",
}

// Unread reports whether a source of evidence could not be read, so that controls
// were not asked. What was read and not found, as Resolvers and APIServer may be,
// keeps no control from judging.
func (w *World) Unread() bool {
	for source := range w.Missing {
		if source != Resolvers && source != APIServer {
			return true
		}
	}
	return false
}

// Has reports whether every source of other is in the set.
func (e Evidence) Has(other Evidence) bool { return e&other == other }

// Each lists the sources of the set one by one, in a fixed order.
func (e Evidence) Each() []Evidence {
	var each []Evidence
	for one := Evidence(1); one < endOfEvidence; one <<= 1 {
		if e.Has(one) {
			each = append(each, one)
		}
	}
	return each
}

// String names the sources as people read them.
func (e Evidence) String() string {
	each := e.Each()
	names := make([]string, len(each))
	for i, one := range each {
		names[i] = evidenceNames[one]
	}
	return strings.Join(names, ", ")
}
