package injection

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
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
	return findings
}

func isNamed(names portNames, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// CheckService says which ports of a Service lead to the application past the proxy, by
// the numbers of its ports. Its pods tell what to call them by instead.
func (p *Plan) CheckService(service *corev1.Service, pods []*corev1.Pod) []control.Finding {
	// Callers of a headless one find the pods, and their proxies know the port. Where rules
	// redirect, the proxy is reached whatever port is called.
	if p.redirects() || service == nil || service.Spec.ClusterIP == corev1.ClusterIPNone || service.Spec.Type == corev1.ServiceTypeExternalName || len(service.Spec.Selector) == 0 {
		return nil
	}
	var findings []control.Finding
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		own := p.declared(reach.TargetPort(port).First)
		if own == nil || port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
			continue
		}
		f := control.Failed(fmt.Sprintf("spec.ports[%d].targetPort", i), "is %d, which leads to the application past its proxy", own.Port)
		if name := p.nameOf(own, pods); isPortName(name) {
			f = f.But("name the port: targetPort: %s", name)
		} else {
			f = f.But("name the port in the container, and by that name in targetPort")
		}
		findings = append(findings, f)
	}
	return findings
}

// nameOf is by what name Services lead to the proxy for a port: as pods have it, or else
// as the workload calls it.
func (p *Plan) nameOf(port *hipaav1.WorkloadPort, pods []*corev1.Pod) string {
	for _, pod := range pods {
		if name := p.names(pod)[control.ListenPort(port.Port)]; name != "" {
			return name
		}
	}
	return port.Name
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
