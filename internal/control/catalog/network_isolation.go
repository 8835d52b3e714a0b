package catalog

import (
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "network-isolation",
	Title:    "Let PHI workloads talk only to whom they declare",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.TransmissionSecurity},
	Severity: control.Critical,
	Since:    1,
	Why: "In a cluster without policies every pod reaches every other: one compromised web shop reads the patient database. What is " +
		"declared can be reviewed, and what is not declared is closed.",
	Remedy: "remove the rule, or declare the flow in the PHIWorkload",
	Decides: "The operator owns one NetworkPolicy that closes every pod of a PHI namespace, hipaa-default-deny, and one for each PHIWorkload " +
		"with its declared flows and name resolution, in port numbers. At admission and live, any other NetworkPolicy is held against what the " +
		"PHIWorkloads declare: a rule that opens more to a pod that a PHIWorkload selects fails, and one that could do so for a pod with further " +
		"labels is Unknown, which refuses as well. At admission a rule that opens more than name resolution to pods that no PHIWorkload of the " +
		"namespace selects fails too, so a PHIWorkload is applied before the policies for its pods. EndpointSlices written by hand fail unless every address lies in an ipBlock " +
		"that a PHIWorkload of the namespace declares. Only live: that every pod of the namespace is closed by default, that no pod shares the " +
		"node's network, that declared ipBlocks lie inside the profile's ranges, that declared Services select pods, and that the network plugin " +
		"enforces policies at all: replicas of the operator dial each other, every ten minutes, where their own NetworkPolicies forbid it for ingress, where they forbid it " +
		"for egress, and where they allow it (Tested). Where they cannot, because there is one replica, or its policies are others than config/manager's, the profile may " +
		"state it (Attested). Without either the verdict stays Unknown. It is shown of the nodes that replicas run on, and of no others. A flow that cannot be resolved stays closed, and condition FlowsResolved names it: a peer that does not exist, a " +
		"vendor while pods have no proxy to call it by, a target port that is a name. Where the cluster's resolver (the Service kube-system/kube-dns, unless network.dns names one) or " +
		"the addresses of an API server that the PHIWorkload declares are not found, the verdict is Unknown, a policy in place that leads out " +
		"further stays as it is, and egress that others open is Unknown as well.",
	Parameters: []control.Parameter{
		{Path: "network.dns", Basis: control.BasisProfile, Meaning: "Where pods resolve names. Empty means as discovered: the pods behind the Service kube-system/kube-dns."},
		{Path: "network.gateways", Basis: control.BasisProfile, Meaning: "The ingress controllers and load balancers that workloads may name as callers."},
		{
			Path: "network.externalRanges", Basis: control.BasisProfile,
			Meaning: "The ranges in which ipBlock peers of workloads must lie. Absent means not bounded.",
		},
		{
			Path: "network.enforcement", Basis: control.BasisProfile,
			Meaning: "A statement, until an end date, that the network plugin enforces policies, for clusters where no probe may run.",
		},
	},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical]
  ports: [{name: http, port: 8080, protocol: HTTP}]
  access:
    from:
    - phiWorkload: {name: portal}
    - gateway: {name: ingress-nginx}
  egress:
    to:
    - phiWorkload: {name: patient-db}
`,
	Judges:    control.Policies | control.Slices | control.Workloads,
	Needs:     control.FlowPeers,
	NeedsLive: control.NetworkPolicies | control.IsolationProof,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Policies:
			return checkPolicy(&s)
		case control.Slices:
			return checkSlice(&s)
		case control.Workloads:
			return checkIsolation(&s)
		default:
			return nil
		}
	},
	Owns: ownedPolicies,
	Satisfy: func(s *control.Subject) {
		s.World.Isolation = &control.IsolationResult{Dropped: true, Detail: "a denied connection was dropped and an allowed one passed"}
	},
	Breaks: isolationBreaks,
})
