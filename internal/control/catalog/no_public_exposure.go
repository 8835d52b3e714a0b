package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

var _ = add(control.Control{
	ID:       "no-public-exposure",
	Title:    "Let nobody from outside the cluster in but by a declared way",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.TransmissionSecurity},
	Severity: control.Critical,
	Since:    1,
	Why: "One line in a Service puts a database on the internet: a load balancer, a port of every node, an address that the network leads " +
		"here. Whoever writes it sees no difference, and network policies do not hold callers whose address the node has replaced.",
	Remedy: "use type ClusterIP behind a gateway that the PHIWorkload declares in access.from",
	Decides: "At admission and live, a Service of type NodePort or LoadBalancer, or with externalIPs, fails unless the PHIWorkload behind it " +
		"declares callers of its target ports by address (an ipBlock, or a gateway with cidrs) and externalTrafficPolicy is Local, so that " +
		"policies see these addresses; loadBalancerSourceRanges and allocateLoadBalancerNodePorts stand in for neither. A Service without a " +
		"selector leads where its EndpointSlices say, which network-isolation judges, and one of type ExternalName out of the cluster: neither " +
		"is a finding. An Ingress fails unless each PHIWorkload that it leads to declares a gateway: it is exposed to whoever reaches the " +
		"ingress controller, so its team must have said so; and so does a route of the Gateway API. Routes of other namespaces that a " +
		"ReferenceGrant lets lead here are Unknown. The node's network and ports of the node are pod-hardening's.",
	Parameters: []control.Parameter{{
		Path: "network.gateways", Basis: control.BasisProfile,
		Meaning: "The ingress controllers and load balancers that workloads may name as callers.",
	}},
	Example: `apiVersion: v1
kind: Service
metadata: {name: patient-api, namespace: ehr}
spec:
  type: ClusterIP
  selector: {app: patient-api}
  ports: [{name: http, port: 80, targetPort: http}]
`,
	Judges:    control.Services | control.Ingresses | control.Resources | control.Workloads,
	Resources: routeTypes,
	// Callers may be declared by way of what FlowPeers brings.
	Needs:     control.FlowPeers | control.Routes,
	NeedsLive: control.Infrastructure | control.Reports,
	Reports:   routeReports(),
	Backstop:  exposureBackstop,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Services:
			return checkService(&s)
		case control.Ingresses:
			return letIn(&s)
		case control.Resources:
			if routeOf(&s, s.Resource) == nil {
				return []control.Finding{control.NotApplicable("leads no caller from outside to the workload")}
			}
			return letIn(&s)
		case control.Workloads:
			return exposedBy(&s)
		default:
			return nil
		}
	},
	Satisfy: func(s *control.Subject) {
		if s.Ingress != nil && s.Workload != nil && !declaresGateway(s.Workload) {
			access := ptr.Deref(s.Workload.Spec.Access, hipaav1.Access{})
			access.From = append(access.From, hipaav1.AccessPeer{Gateway: &hipaav1.GatewayPeer{Name: "ingress-nginx"}})
			s.Workload.Spec.Access = &access
		}
	},
	Breaks: control.Breaks{
		"a Service on a port of every node": exposed(func(s *control.Subject) {
			s.Service.Spec.Type = corev1.ServiceTypeNodePort
		}),
		"a Service behind a load balancer": exposed(func(s *control.Subject) {
			s.Service.Spec.Type = corev1.ServiceTypeLoadBalancer
		}),
		"a Service on an address from outside the cluster": exposed(func(s *control.Subject) {
			s.Service.Spec.ExternalIPs = []string{"203.0.113.9"}
		}),
		"a Service that hides the callers it is exposed for": exposed(func(s *control.Subject) {
			s.Service.Spec.Type = corev1.ServiceTypeNodePort
			s.Service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
			s.Workload.Spec.Access.From = append(s.Workload.Spec.Access.From, hipaav1.AccessPeer{
				IPBlock: &hipaav1.IPBlockPeer{CIDR: "198.51.100.0/28", Reason: "the clinic's own network"},
			})
		}),
		"a Service that exposes pods that no PHIWorkload claims": exposed(func(s *control.Subject) {
			s.Workload = nil
			s.Service.Spec.Selector = unclaimed
			s.Service.Spec.Type = corev1.ServiceTypeNodePort
		}),
		"an Ingress to a workload that no gateway may call": {Kind: control.Ingresses, Apply: func(s *control.Subject) {
			s.Workload.Spec.Access = nil
		}},
		"a route to a workload that no gateway may call": {Kind: control.Resources, Apply: func(s *control.Subject) {
			*s = s.Of(routeTo("patient-api", "nowhere"))
			s.Workload.Spec.Access = nil
		}},
	},
})

func exposed(change func(*control.Subject)) control.Break {
	return control.Break{Kind: control.Services, Apply: change}
}

// exposedBy says of the workload as a whole what leads to it; each is judged by
// itself.
func exposedBy(s *control.Subject) []control.Finding {
	open, routes := 0, routesTo(s)
	for _, service := range s.World.Exposing {
		if selectsPods(&service.Spec) && len(exposures(&service.Spec)) > 0 {
			open++
		}
	}
	findings := granted(s)
	switch w := s.World; {
	case len(findings) > 0:
		return findings
	case len(w.Pods) == 0 && len(w.Exposing) == 0 && len(w.Ingresses) == 0:
		return []control.Finding{control.Undecided("", "nothing runs yet, and nothing leads to it").OnlyLive().But("start the workload")}
	default:
		return []control.Finding{control.Met("", "%d Services, %d Ingresses and %d routes lead to it from outside the cluster", open, len(w.Ingresses), routes)}
	}
}

// letIn judges an Ingress or a route by what its workload says of callers.
func letIn(s *control.Subject) []control.Finding {
	if s.Workload == nil {
		return []control.Finding{control.Failed("spec", "leads callers from outside the cluster to pods that no PHIWorkload claims").
			But("apply the PHIWorkload first, with the gateway in its access.from")}
	}
	if !declaresGateway(s.Workload) {
		return []control.Finding{control.Failed("spec", "leads callers from outside the cluster to PHIWorkload %s, whose access.from declares no gateway", s.Workload.Name).
			But("declare there as a gateway what lets them in, or remove what leads them")}
	}
	return nil
}

func declaresGateway(w *hipaav1.PHIWorkload) bool {
	return w.Spec.Access != nil && slices.ContainsFunc(w.Spec.Access.From, func(from hipaav1.AccessPeer) bool { return from.Gateway != nil })
}

// checkService judges a Service that lets callers from outside the cluster in. A
// policy holds them only if it sees their address: under externalTrafficPolicy
// Cluster a node puts its own in its place, and what comes from a pod's own node
// passes every policy. What a load balancer does before (its source ranges, no
// node ports of its own) changes nothing of that.
func checkService(s *control.Subject) []control.Finding {
	ways := exposures(&s.Service.Spec)
	if len(ways) == 0 || !selectsPods(&s.Service.Spec) {
		return nil
	}
	if s.Workload == nil {
		return eachWay(ways, "pods that no PHIWorkload claims",
			"use type ClusterIP without externalIPs, or apply the PHIWorkload first")
	}
	if undeclared := portsWithoutCallers(s); len(undeclared) > 0 {
		reached := fmt.Sprintf("PHIWorkload %s on %s, where its access.from declares no caller by address", s.Workload.Name, strings.Join(undeclared, ", "))
		return eachWay(ways, reached, "use type ClusterIP without externalIPs behind a gateway that access.from declares, "+
			"or declare the callers there as ipBlock and set spec.externalTrafficPolicy to Local")
	}
	if s.Service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		return []control.Finding{control.Failed("spec.externalTrafficPolicy",
			"is not Local: nodes put their own address in place of the callers' whom PHIWorkload %s declares, and a pod's own node passes every NetworkPolicy", s.Workload.Name).
			But("set it to Local, so that policies see who calls")}
	}
	return nil
}

// exposure is one way from outside the cluster to a Service.
type exposure struct{ path, how string }

func exposures(spec *corev1.ServiceSpec) []exposure {
	var ways []exposure
	if spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer {
		ways = append(ways, exposure{"spec.type", fmt.Sprintf("is %s and lets", spec.Type)})
	}
	if len(spec.ExternalIPs) > 0 {
		ways = append(ways, exposure{"spec.externalIPs[0]", "lets"})
	}
	return ways
}

// selectsPods leaves out Services that lead nowhere by themselves: without a
// selector, EndpointSlices say where to and are judged; an ExternalName sends
// callers out of the cluster, where policies hold the callers' egress.
func selectsPods(spec *corev1.ServiceSpec) bool {
	return len(spec.Selector) > 0 && spec.Type != corev1.ServiceTypeExternalName
}

func eachWay(ways []exposure, reached, remedy string) []control.Finding {
	findings := make([]control.Finding, len(ways))
	for i, way := range ways {
		findings[i] = control.Failed(way.path, "%s callers from outside the cluster reach %s", way.how, reached).But("%s", remedy)
	}
	return findings
}

// portsWithoutCallers are the target ports on which the workload declares no
// caller by address.
func portsWithoutCallers(s *control.Subject) []string {
	led, err := reach.ServiceFlow(s.Service)
	if err != nil {
		return []string{"no port in particular"}
	}
	var open []reach.PortRange
	for _, f := range flows.Of(s, s.Workload).Ingress {
		if slices.ContainsFunc(f.Peers, isBlock) {
			open = append(open, f.Ports...)
		}
	}
	var undeclared []string
	for _, port := range led.Ports {
		if !slices.Contains(open, numbered(port, s.Workload)) {
			undeclared = append(undeclared, portPhrase(port))
		}
	}
	return undeclared
}

func isBlock(p reach.Peer) bool {
	_, is := p.(reach.Block)
	return is
}

// numbered gives a target port that is a name the number that the workload
// declares under this name. Where its pods use the name for another port, the
// workload's policy keeps that one closed.
func numbered(port reach.PortRange, w *hipaav1.PHIWorkload) reach.PortRange {
	if port.Name == "" || port.Protocol != corev1.ProtocolTCP {
		return port
	}
	for _, own := range w.Spec.Ports {
		if own.Name == port.Name {
			return reach.PortRange{Protocol: port.Protocol, First: own.Port}
		}
	}
	return port
}

func portPhrase(port reach.PortRange) string {
	if port.Name != "" {
		return fmt.Sprintf("%s port %q", port.Protocol, port.Name)
	}
	return fmt.Sprintf("%s %d", port.Protocol, port.First)
}
