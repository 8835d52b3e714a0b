package flows

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// monitors are those who read the metrics of the workload's proxies. The application's own
// are at its own ports, for callers that the workload declares.
func (d declaration) monitors() []Flow {
	if d.workload.Status.Proxy == nil {
		return nil
	}
	var flows []Flow
	for i := range d.subject.Profile.Network.Monitors {
		m := &d.subject.Profile.Network.Monitors[i]
		f := Flow{Path: fmt.Sprintf("network.monitors[%d]", i), Ports: appendPort(nil, corev1.ProtocolTCP, control.ProxyAdminPort)}
		if m.PodSelector != nil && isSelector(m.PodSelector) {
			f.Peers = append(f.Peers, podsIn(m.Namespace, *m.PodSelector))
		} else {
			f.Closed = "has a selector that cannot be read"
		}
		flows = append(flows, f)
	}
	return flows
}
