package injection

import (
	"net"
	"strconv"

	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// tlsPort is where HTTP is spoken in TLS: a caller in plaintext can be told why it is
// refused.
const tlsPort = 443

// vendorCalls are the hosts of a vendor, by phi-egress. It decides for itself who may
// call whom; what stands here keeps applications from calling in vain.
func (b *builder) vendorCalls(calls map[end]planned, path, name string) {
	vendor := b.subject.World.Vendors[name]
	if vendor == nil {
		b.keepClosed(path, "Vendor %q is not declared", name)
		return
	}
	if open := agreement.CallsTo(vendor, b.subject.Now); !open.Open {
		b.keepClosed(path, "calls to Vendor %q are closed: %s", name, open.Why())
		return
	}
	gate, err := pki.WorkloadID(b.with.TrustDomain, b.with.Egress, control.EgressName)
	if err != nil {
		b.keepClosed(path, "Vendor %q: nobody knows the namespace of phi-egress, by which calls leave", name)
		return
	}
	upstream := net.JoinHostPort(b.host(control.EgressName+"."+b.with.Egress), strconv.Itoa(control.EgressPort))
	for _, host := range vendor.Spec.Hosts {
		if control.IsClusterName(host.Name, b.with.ClusterDomain) {
			b.keepClosed(path, "%s is a name of this cluster, where no vendor is; declare the Service instead", host.Name)
			continue
		}
		protocol := config.TCP
		if host.Port == tlsPort {
			protocol = config.HTTP
		}
		add(calls, end{host.Name, int(host.Port)}, planned{config.Outbound{
			Upstream: upstream, Protocol: protocol, Trust: config.Vendor, To: []config.Peer{{ID: gate.String()}},
		}, path})
	}
}
