package injection

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// portNames are the names of the proxy's ports, by the number at which it listens.
type portNames map[int32]string

// namesIn are those that a container of the proxy has.
func namesIn(c *corev1.Container) portNames {
	names := portNames{}
	for i := range c.Ports {
		if port := &c.Ports[i]; port.Name != "" && names[port.ContainerPort] == "" {
			names[port.ContainerPort] = port.Name
		}
	}
	return names
}

// containerPorts are the proxy's, in the order of the workload's.
func (p *Plan) containerPorts(names portNames) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for i := range p.Ports {
		if !isPort(p.Ports[i].Port) {
			continue
		}
		listen := control.ListenPort(p.Ports[i].Port)
		ports = append(ports, corev1.ContainerPort{Name: names[listen], ContainerPort: listen, Protocol: corev1.ProtocolTCP})
	}
	return ports
}

// placed is a container of the application and where it stands.
type placed struct {
	*corev1.Container
	path string
}

// application are all containers but the operator's: first those that Services look for
// names in first, then the init containers.
func application(pod *corev1.Pod) []placed {
	var list []placed
	for i := range pod.Spec.Containers {
		list = append(list, placed{&pod.Spec.Containers[i], fmt.Sprintf("spec.containers[%d]", i)})
	}
	for i := range pod.Spec.InitContainers {
		if !isOperators(pod.Spec.InitContainers[i].Name) {
			list = append(list, placed{&pod.Spec.InitContainers[i], fmt.Sprintf("spec.initContainers[%d]", i)})
		}
	}
	return list
}

// containerPort is one whose number is a field of its own.
type containerPort = corev1.ContainerPort

// placedPort is a port of the application and where it stands.
type placedPort struct {
	*containerPort
	path string
}

// portsOf are the ports that the application's containers name by TCP.
func portsOf(pod *corev1.Pod) []placedPort {
	var list []placedPort
	for _, c := range application(pod) {
		for i := range c.Ports {
			if port := &c.Ports[i]; port.Protocol == corev1.ProtocolTCP || port.Protocol == "" {
				list = append(list, placedPort{port, fmt.Sprintf("%s.ports[%d]", c.path, i)})
			}
		}
	}
	return list
}

// names are those of the proxy's ports in a pod: what it is called there already, or
// what the application calls its port, or else what the workload calls it, so that a
// Service can name it although no container does.
func (p *Plan) names(pod *corev1.Pod) portNames {
	names, taken := portNames{}, map[string]bool{}
	give := func(number int32, name string) {
		if listen := control.ListenPort(number); names[listen] == "" && !taken[name] && isPortName(name) {
			names[listen], taken[name] = name, true
		}
	}
	if i := indexOf(pod); i >= 0 {
		kept := namesIn(&pod.Spec.InitContainers[i])
		for i := range p.Ports {
			give(p.Ports[i].Port, kept[control.ListenPort(p.Ports[i].Port)])
		}
	}
	ports := portsOf(pod)
	for _, port := range ports {
		if p.declared(port.ContainerPort) != nil {
			give(port.ContainerPort, port.Name)
		}
	}
	for _, port := range ports {
		taken[port.Name] = true
	}
	for i := range p.Ports {
		give(p.Ports[i].Port, p.Ports[i].Name)
	}
	return names
}

// isPortName reports whether the API server takes a name of a port.
func isPortName(name string) bool { return len(validation.IsValidPortName(name)) == 0 }

// unname takes the names that the proxy has from the application, so that Services find
// the proxy by them. A second name of the same port stays, and Check tells.
func (p *Plan) unname(pod *corev1.Pod, names portNames) {
	for _, port := range portsOf(pod) {
		if p.declared(port.ContainerPort) != nil && names[control.ListenPort(port.ContainerPort)] == port.Name {
			port.Name = ""
		}
	}
}
