package flows

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// vendor leads to phi-egress and no further, by the proxies of the workload: it decides
// who is let out where to.
func (d declaration) vendor(f *Flow, name string) {
	proxy := d.workload.Status.Proxy
	if proxy == nil || proxy.IssuerNamespace == "" {
		f.Closed = fmt.Sprintf("vendor %q: calls leave by the proxies of pods, and this workload has none; let its profile enforce mutual-tls", name)
		return
	}
	f.Peers = []reach.Peer{podsIn(proxy.IssuerNamespace, control.EgressSelector())}
	f.Ports = appendPort(nil, corev1.ProtocolTCP, control.EgressPort)
}
