package catalog

import (
	"fmt"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// flow is one entry of what a workload declares, as far as it could be resolved.
// Without peers or without ports it opens nothing.
type flow struct {
	path  string
	peers []reach.Peer
	ports []reach.PortRange
	// closed says why the entry, or a part of it, stays closed.
	closed string
	// fault is set where only a change of the declaration helps.
	fault *control.Finding
}

func (f flow) opens() bool { return len(f.peers) > 0 && len(f.ports) > 0 }

// declaration resolves what one workload declares.
type declaration struct {
	subject  *control.Subject
	workload *hipaav1.PHIWorkload
}

// allowed is the declaration as the reachability of policies is held against.
func (d declaration) allowed() reach.Allowed {
	return reach.Allowed{Ingress: reachFlows(d.ingress()), Egress: reachFlows(d.egress())}
}

func reachFlows(flows []flow) []reach.Flow {
	var list []reach.Flow
	for _, f := range flows {
		for _, peer := range f.peers {
			list = append(list, reach.Flow{Peer: peer, Ports: f.ports})
		}
	}
	return list
}

// ingress resolves the callers, in the order of the declaration.
func (d declaration) ingress() []flow {
	if d.workload.Spec.Access == nil {
		return nil
	}
	flows := make([]flow, 0, len(d.workload.Spec.Access.From))
	for i := range d.workload.Spec.Access.From {
		flows = append(flows, d.caller(fmt.Sprintf("spec.access.from[%d]", i), &d.workload.Spec.Access.From[i]))
	}
	return flows
}

func (d declaration) caller(path string, from *hipaav1.AccessPeer) flow {
	f := flow{path: path}
	var unknown []string
	f.ports, unknown = d.ownPorts(from.Ports)
	switch {
	case from.PHIWorkload != nil:
		d.workloadPeer(&f, from.PHIWorkload)
	case from.Gateway != nil:
		d.gateway(&f, from.Gateway.Name)
	case from.Pods != nil:
		d.pods(&f, from.Pods)
	case from.IPBlock != nil:
		d.block(&f, from.IPBlock)
	default:
		f.closed = "names nobody"
	}
	switch {
	case f.closed != "":
	case len(unknown) > 0:
		f.closed = "names ports that spec.ports does not have: " + strings.Join(unknown, ", ")
	case len(f.ports) == 0:
		f.closed = "opens no port: spec.ports is empty"
	}
	return f
}

// egress resolves the destinations in the order of the declaration, and then
// where names are resolved, which every workload may ask.
func (d declaration) egress() []flow {
	var flows []flow
	if d.workload.Spec.Egress != nil {
		for i := range d.workload.Spec.Egress.To {
			flows = append(flows, d.destination(fmt.Sprintf("spec.egress.to[%d]", i), &d.workload.Spec.Egress.To[i])...)
		}
	}
	return append(flows, d.resolvers()...)
}

func (d declaration) destination(path string, to *hipaav1.EgressPeer) []flow {
	f := flow{path: path}
	for _, p := range to.Ports {
		f.ports = appendPort(f.ports, transport(p.Protocol), p.Port)
	}
	switch {
	case to.PHIWorkload != nil:
		if peer := d.workloadPeer(&f, to.PHIWorkload); peer != nil {
			f.ports = portsOf(peer)
		}
	case to.Service != nil:
		d.service(&f, to.Service)
	case to.Vendor != nil:
		f.closed = fmt.Sprintf("vendor %q: egress to vendors stays closed until the cluster has a path for them", to.Vendor.Name)
	case to.KubernetesAPI != nil:
		return d.apiServer(path)
	case to.Pods != nil:
		d.pods(&f, to.Pods)
	case to.IPBlock != nil:
		d.block(&f, to.IPBlock)
	default:
		f.closed = "names nobody"
	}
	if f.closed == "" && len(f.ports) == 0 {
		f.closed = "names no port"
		if to.PHIWorkload != nil {
			f.closed = "names a PHIWorkload whose spec.ports is empty"
		}
	}
	return []flow{f}
}
