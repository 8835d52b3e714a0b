package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

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
