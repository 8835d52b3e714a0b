package injection

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// ports says which ways lead to the application past the proxy, and where the two are
// in each other's way. The proxy is the container as it should be.
func (p *Plan) ports(pod *corev1.Pod, proxy *corev1.Container) []control.Finding {
	names := namesIn(proxy)
	var findings []control.Finding
	for _, port := range portsOf(pod) {
		switch own := p.declared(port.ContainerPort); {
		case p.redirects(): // whatever leads to the port leads to the proxy
		case own != nil && port.HostPort != 0:
			findings = append(findings, control.Failed(port.path+".hostPort", "leads to port %q past the proxy", own.Name).But("remove it, and call by a Service"))
		case own != nil && port.Name != "":
			findings = append(findings, control.Failed(port.path+".name", "is %q, which leads Services to the application past the proxy", port.Name).
				But("call the port the same in every container and in spec.ports of the PHIWorkload; admission moves one name"))
		case own == nil && port.Name != "" && isNamed(names, port.Name):
			findings = append(findings, control.Failed(port.path+".name", "is %q, as another port of the workload is, so that Services find this one instead", port.Name).
				But("give it a name of its own"))
		}
		if p.listens(port.ContainerPort) {
			findings = append(findings, control.Failed(port.path+".containerPort", "is %d, where the proxy listens", port.ContainerPort).
				But("let the application listen on another port"))
		}
	}
	for i := range p.Ports {
		if port := &p.Ports[i]; p.listens(port.Port) {
			findings = append(findings, control.Failed("", "belongs to a PHIWorkload that declares port %d, where the proxy listens", port.Port).
				But("let the application listen on another port, and declare that"))
		}
	}
	if p.redirects() {
		return findings
	}
	return append(append(findings, p.services(pod, names)...), p.calls(pod)...)
}

func isNamed(names portNames, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// services are those that lead to the application by the number of its port.
func (p *Plan) services(pod *corev1.Pod, names portNames) []control.Finding {
	var findings []control.Finding
	for _, service := range p.Services {
		// Callers of a headless one find the pod, and their proxies know the port.
		if service == nil || !selects(service, pod) || service.Spec.ClusterIP == corev1.ClusterIPNone {
			continue
		}
		for i := range service.Spec.Ports {
			port := &service.Spec.Ports[i]
			own := p.declared(reach.TargetPort(port).First)
			if own == nil || port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
				continue
			}
			f := control.Failed(pathOfPort(pod, own.Port), "is reached by its number %d from Service %s, past the proxy", own.Port, service.Name)
			if name := names[control.ListenPort(own.Port)]; name != "" {
				f = f.But("name the port in the Service: targetPort: %s", name)
			} else {
				f = f.But("name the port in the container, and by that name in targetPort of the Service")
			}
			findings = append(findings, f)
		}
	}
	return findings
}

// selects reports whether a Service leads to a pod.
func selects(service *corev1.Service, pod *corev1.Pod) bool {
	if service.Namespace != pod.Namespace || service.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	for key, value := range service.Spec.Selector {
		if has, there := pod.Labels[key]; !there || has != value {
			return false
		}
	}
	return len(service.Spec.Selector) > 0
}

// pathOfPort is where a container states a port, the pod as a whole where none does.
func pathOfPort(pod *corev1.Pod, number int32) string {
	for _, port := range portsOf(pod) {
		if port.ContainerPort == number {
			return port.path
		}
	}
	return ""
}

// elsewhere is the remedy for calls that the proxy cannot take.
const elsewhere = "let the Service that it calls have another port, which nothing in this pod listens on"

// calls are those that the proxy cannot take, because loopback has one set of ports: who
// listens on a port of every address has it on all of them.
func (p *Plan) calls(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	told := map[int]bool{}
	for i := range p.Calls {
		call := &p.Calls[i]
		if call.Port < 1 || call.Port > lastPort || told[call.Port] || len(call.Names) == 0 {
			continue
		}
		number := int32(call.Port)
		at := pathOfPort(pod, number)
		switch {
		case p.listens(number) && number != resolverPort:
			told[call.Port] = true
			findings = append(findings, control.Failed("", "belongs to a PHIWorkload that calls %s at %d, where its proxy listens for others", call.Names[0], number).
				But(elsewhere))
		case at != "" || p.declared(number) != nil:
			told[call.Port] = true
			findings = append(findings, control.Failed(at, "is %d, which the proxy needs on loopback for calls to %s: one of the two does not start", number, call.Names[0]).
				But(elsewhere))
		}
	}
	return findings
}
