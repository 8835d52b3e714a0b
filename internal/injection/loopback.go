package injection

import (
	"fmt"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// freeLoopback leaves out the calls whose port is taken. Every address of loopback has
// the same ports, and who listens on one of every address has it on all of them: of the
// application and the proxy one would not start.
func (b *builder) freeLoopback(calls map[end]planned) {
	if b.with.Capture == hipaav1.CaptureRedirect {
		return // rules bring the calls to the proxy, which listens on no port for them
	}
	taken := b.takenPorts()
	told := map[string]bool{}
	for _, at := range sorted(calls) {
		who, is := taken[at.port]
		if !is {
			continue
		}
		if about := fmt.Sprint(calls[at].path, at.port); !told[about] {
			told[about] = true
			b.keepClosed(calls[at].path, "%s is called at %d, where %s in the pod: let its Service have another port", at.name, at.port, who)
		}
		delete(calls, at)
	}
}

// takenPorts are those that somebody in the pod listens on, with who that is.
func (b *builder) takenPorts() map[int]string {
	taken := map[int]string{}
	for _, pod := range b.with.Pods {
		for _, port := range portsOf(pod) {
			taken[int(port.ContainerPort)] = "the application listens itself"
		}
	}
	for i := range b.workload.Spec.Ports {
		port := b.workload.Spec.Ports[i].Port
		taken[int(port)] = "the application listens itself"
		taken[int(control.ListenPort(port))] = "the proxy listens for others"
	}
	for _, port := range []int{control.ProxyProbePort, control.ProxyAdminPort} {
		taken[port] = "the proxy listens for others"
	}
	return taken
}
