// Package flows turns what a PHIWorkload declares into peers and port numbers.
// Its promise: nothing is opened that cannot be named exactly, and what stays
// closed is said, with the reason. It reads evidence and touches nothing.
package flows

import (
	"fmt"
	"slices"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// Flow is one entry of what a workload declares, as far as it could be resolved.
type Flow struct {
	// Path is the entry, such as spec.access.from[0].
	Path string
	// Peers and Ports are the other side, and the ports of whichever side
	// listens, in numbers. Without one of the two the flow opens nothing.
	Peers []reach.Peer
	Ports []reach.PortRange
	// Closed says why the entry, or a part of it, stays closed. Empty means that
	// all of it is open.
	Closed string
	// Fault is set where only a change of the declaration helps.
	Fault *control.Finding
}

// Opens reports whether the flow lets anything through.
func (f *Flow) Opens() bool { return len(f.Peers) > 0 && len(f.Ports) > 0 }

// Declared is all that one workload declares.
type Declared struct {
	// Ingress are the callers, Egress the destinations, in the order of the
	// declaration. Who reads metrics comes last; so do identity providers, where
	// certificates come from and where names are resolved.
	Ingress, Egress []Flow
}

// Of resolves what a workload of the subject's world declares, under the
// subject's profile.
func Of(s *control.Subject, w *hipaav1.PHIWorkload) Declared {
	d := declaration{subject: s, workload: w}
	return Declared{Ingress: append(d.ingress(), d.monitors()...), Egress: slices.Concat(d.egress(), d.providers(), d.certificates(), NameResolution(s))}
}

// All are the flows of both directions.
func (d Declared) All() []Flow { return slices.Concat(d.Ingress, d.Egress) }

// Allowed is the declaration as the reachability of policies is held against.
func (d Declared) Allowed() reach.Allowed {
	return reach.Allowed{Ingress: reachable(d.Ingress), Egress: reachable(d.Egress)}
}

func reachable(flows []Flow) []reach.Flow {
	var list []reach.Flow
	for _, f := range flows {
		for _, peer := range f.Peers {
			list = append(list, reach.Flow{Peer: peer, Ports: f.Ports})
		}
	}
	return list
}

// declaration is what one workload declares, on its way to being resolved.
type declaration struct {
	subject  *control.Subject
	workload *hipaav1.PHIWorkload
}

func (d declaration) ingress() []Flow {
	if d.workload.Spec.Access == nil {
		return nil
	}
	flows := make([]Flow, 0, len(d.workload.Spec.Access.From))
	for i := range d.workload.Spec.Access.From {
		flows = append(flows, d.caller(fmt.Sprintf("spec.access.from[%d]", i), &d.workload.Spec.Access.From[i]))
	}
	return flows
}

func (d declaration) caller(path string, from *hipaav1.AccessPeer) Flow {
	f := Flow{Path: path}
	var unknown []string
	f.Ports, unknown = d.ownPorts(from.Ports)
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
		f.Closed = "names nobody"
	}
	switch {
	case f.Closed != "":
	case len(unknown) > 0:
		f.Closed = "names ports that spec.ports does not have: " + strings.Join(unknown, ", ")
	case len(f.Ports) == 0:
		f.Closed = "opens no port: spec.ports is empty"
	}
	return f
}

func (d declaration) egress() []Flow {
	if d.workload.Spec.Egress == nil {
		return nil
	}
	var flows []Flow
	for i := range d.workload.Spec.Egress.To {
		flows = append(flows, d.destination(fmt.Sprintf("spec.egress.to[%d]", i), &d.workload.Spec.Egress.To[i])...)
	}
	return flows
}

func (d declaration) destination(path string, to *hipaav1.EgressPeer) []Flow {
	f := Flow{Path: path}
	for _, p := range to.Ports {
		f.Ports = appendPort(f.Ports, transport(p.Protocol), p.Port)
	}
	switch {
	case to.PHIWorkload != nil:
		if peer := d.workloadPeer(&f, to.PHIWorkload); peer != nil {
			f.Ports = portsOf(peer)
		}
	case to.Service != nil:
		d.service(&f, to.Service)
	case to.Vendor != nil:
		d.vendor(&f, to.Vendor.Name)
	case to.KubernetesAPI != nil:
		return d.apiServer(path)
	case to.Pods != nil:
		d.pods(&f, to.Pods)
	case to.IPBlock != nil:
		d.block(&f, to.IPBlock)
	default:
		f.Closed = "names nobody"
	}
	if f.Closed == "" && len(f.Ports) == 0 {
		f.Closed = "names no port"
		if to.PHIWorkload != nil {
			f.Closed = "names a PHIWorkload whose spec.ports is empty"
		}
	}
	return []Flow{f}
}
