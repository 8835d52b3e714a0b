package injection

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// end is where the application calls: a name and a port.
type end struct {
	name string
	port int
}

// outbound is every name that the application may call by the proxy, each at a loopback
// address of its own.
func (b *builder) outbound() []config.Outbound {
	if b.workload.Spec.Egress == nil {
		return nil
	}
	calls := map[end]planned{}
	for i := range b.workload.Spec.Egress.To {
		to, path := &b.workload.Spec.Egress.To[i], fmt.Sprintf("spec.egress.to[%d]", i)
		switch {
		case to.Vendor != nil:
			b.vendorCalls(calls, path, to.Vendor.Name)
		case to.KubernetesAPI != nil:
			b.apiServerCall(calls, path)
		case !b.opens[path]: // flows say why
		case to.Pods != nil, to.IPBlock != nil:
			b.keepClosed(path, "is reached by addresses alone: the proxy knows no name for it; where there is a Service, declare that")
		case to.PHIWorkload != nil:
			b.workloadCalls(calls, path, b.key(to.PHIWorkload))
		case to.Service != nil:
			b.serviceCalls(calls, path, types.NamespacedName{Namespace: cmp.Or(to.Service.Namespace, b.workload.Namespace), Name: to.Service.Name})
		}
	}
	b.freeLoopback(calls)
	b.share(calls, config.MaxOutbound)
	book := addressBook{taken: map[uint32]string{}}
	var list []config.Outbound
	for _, at := range sorted(calls) {
		call := calls[at].Outbound
		call.Names, call.Port, call.Address = []string{at.name}, at.port, book.of(at.name).String()
		list = append(list, call)
	}
	return list
}

// planned is a call, and the entry of the declaration that it comes from.
type planned struct {
	config.Outbound
	path string
}

// sorted are the ends of calls, by their names and ports.
func sorted(calls map[end]planned) []end {
	return slices.SortedFunc(maps.Keys(calls), func(x, y end) int {
		return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.port, y.port))
	})
}

// add takes a call, unless the same end is declared as something stricter: a workload's
// Service that is declared as a plain one too stays mutual.
func add(calls map[end]planned, at end, call planned) {
	if had, known := calls[at]; known && had.Trust == config.Mutual {
		if call.Trust != config.Mutual || had.Upstream != call.Upstream {
			return
		}
		call.To = sortedPeers(slices.Concat(had.To, call.To))
	}
	calls[at] = call
}

// workloadCalls are the Services that lead to a PHI workload.
func (b *builder) workloadCalls(calls map[end]planned, path string, key types.NamespacedName) {
	workload := b.workloadAt(key)
	if workload == nil {
		return // flows say so
	}
	pods := b.party(key).Pods
	var to []config.Peer
	if answersHandshakes(workload, pods) || workload == b.workload && len(pods) == 0 {
		if to = b.identities(path, key); len(to) == 0 {
			return
		}
	}
	leads := false
	for _, service := range b.party(key).Services {
		if service == nil {
			continue
		}
		for i := range service.Spec.Ports {
			leads = b.servicePort(calls, serving{path, workload, pods, service, &service.Spec.Ports[i]}, to) || leads
		}
	}
	if !leads {
		b.keepClosed(path, "no Service leads to a declared port of PHIWorkload %s, so that there is no name to call it by", key)
	}
}

// answersHandshakes reports whether proxies stand before all of a workload: before every
// pod that runs, or before the next one where none does. While one is without, all are
// called as before, because a call finds any of them: those that have proxies already
// take plaintext meanwhile.
func answersHandshakes(w *hipaav1.PHIWorkload, pods []*corev1.Pod) bool {
	if len(pods) == 0 {
		return w.Status.Proxy != nil
	}
	return !isBare(pods)
}

// serving is a port of a Service before a workload.
type serving struct {
	path     string
	workload *hipaav1.PHIWorkload
	pods     []*corev1.Pod
	service  *corev1.Service
	port     *corev1.ServicePort
}

// servicePort adds the names of one port, and reports whether it leads to a declared
// one. Who is called is whom it leads to; nobody in particular is an application without
// a proxy.
func (b *builder) servicePort(calls map[end]planned, s serving, to []config.Peer) bool {
	if s.port.Protocol != corev1.ProtocolTCP && s.port.Protocol != "" {
		return false
	}
	declared, members := s.leadsTo()
	if declared == nil {
		return false
	}
	call, listener := config.Outbound{Protocol: config.Protocol(declared.Protocol), Trust: config.Mutual, To: to}, control.ListenPort(declared.Port)
	if len(to) == 0 {
		call.Protocol, call.Trust, call.To, listener = config.TCP, config.Plain, nil, declared.Port
	}
	call.Endpoint = b.endpoint(listener, declared.Port, control.ListenPort(declared.Port))
	dialled := s.port.Port
	if s.service.Spec.ClusterIP == corev1.ClusterIPNone {
		// Nothing translates: who calls the pod's address calls the port that listens.
		dialled = listener
	}
	base := s.service.Name + "." + s.service.Namespace
	names := []string{base}
	for _, member := range members {
		names = append(names, member+"."+base)
	}
	for _, name := range names {
		host, upstream := b.host(name), call
		upstream.Upstream = net.JoinHostPort(host, strconv.Itoa(int(dialled)))
		add(calls, end{host, int(s.port.Port)}, planned{upstream, s.path})
	}
	return true
}

// leadsTo is the declared port that the Service's leads to, nil where it leads to none,
// and the names of the pods that have one of their own behind the Service. While there
// are no pods, the next one counts, as far as the declaration tells how it will be.
func (s *serving) leadsTo() (declared *hipaav1.WorkloadPort, members []string) {
	plan, pods := Plan{Ports: s.workload.Spec.Ports}, s.pods
	if len(pods) == 0 {
		next := &corev1.Pod{}
		next.Namespace, next.Labels = s.workload.Namespace, s.workload.Spec.Selector.MatchLabels
		pods = []*corev1.Pod{next}
	}
	for _, pod := range pods {
		if !selects(s.service, pod) {
			continue
		}
		if declared = cmp.Or(declared, plan.declared(s.target(&plan, pod))); pod.Spec.Hostname != "" && pod.Spec.Subdomain == s.service.Name {
			members = append(members, pod.Spec.Hostname)
		}
	}
	return declared, members
}

// target is the application's port that the Service's leads to in a pod, 0 where it
// leads to none: by name as the cluster finds it, or as the proxy will be named.
func (s *serving) target(plan *Plan, pod *corev1.Pod) int32 {
	if number := reach.TargetPort(s.port).First; number != 0 {
		return number
	}
	name := s.port.TargetPort.StrVal
	for listen, named := range plan.names(pod) {
		if named == name {
			return control.ApplicationPort(listen)
		}
	}
	return 0
}

// serviceCalls are the ports of a Service outside the PHI workloads.
func (b *builder) serviceCalls(calls map[end]planned, path string, key types.NamespacedName) {
	service := b.subject.World.Services[key]
	if service == nil {
		return // flows say so
	}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
			b.keepClosed(path, "port %d of Service %s is %s, which the proxy does not carry", port.Port, key, port.Protocol)
			continue
		}
		dialled := port.Port
		if number := reach.TargetPort(port).First; service.Spec.ClusterIP == corev1.ClusterIPNone && number != 0 {
			dialled = number
		}
		number := reach.TargetPort(port).First
		host := b.host(key.Name + "." + key.Namespace)
		add(calls, end{host, int(port.Port)}, planned{config.Outbound{
			Upstream: net.JoinHostPort(host, strconv.Itoa(int(dialled))), Protocol: config.TCP, Trust: config.Plain,
			Endpoint: b.endpoint(number, number),
		}, path})
	}
}
