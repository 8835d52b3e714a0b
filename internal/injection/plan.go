// Package injection puts the proxy into pods, tells whether it is there, and says what
// it is configured by. Its promise: what Apply makes Check accepts, equal plans make
// equal pods, and whatever stands in a pod, nothing panics. It touches nothing.
package injection

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// Name is that of the proxy's container, and begins those of its volumes.
	Name = control.ProxyContainer
	// AnnotationRoots holds the roots that the proxy trusts first, in PEM, as admission
	// pinned them.
	AnnotationRoots = "hipaa-operator.io/proxy-roots"
	// FileConfiguration and FileSeal are the keys of the ConfigMap.
	FileConfiguration = "config.json"
	FileSeal          = "config.sig"

	configVolume = Name + "-config"
	trustVolume  = Name + "-trust"
)

const (
	probePort    = control.ProxyProbePort
	adminPort    = control.ProxyAdminPort
	resolverPort = control.ProxyResolverPort
	lastPort     = 65535
)

// Plan is what admission knows of the proxy that a pod is to have. Names and probes come
// from the pod.
type Plan struct {
	// UID is that of the PHIWorkload, and Generation the least of its configuration that
	// the proxy takes.
	UID        string
	Generation int64
	// Ports are those of the PHIWorkload.
	Ports []hipaav1.WorkloadPort
	// Image is the proxy's; Former are others that are in order in pods that run.
	Image  string
	Former []string
	// Resources of the container. A request that is not stated is the limit.
	Resources corev1.ResourceRequirements
	// User is the id that the proxy runs under and nobody else may. Nil is what the
	// cluster or the pod says, as OpenShift wants it. Where traffic is redirected the
	// workload tells it.
	User *int64
	// Capture is how traffic comes to the proxy; Names where nothing is set.
	Capture hipaav1.CaptureMode
	// Issuer is the host of who gives certificates, with its port where that is not 443,
	// Audience that of the token for it, and Roots the ones that it is trusted by, in PEM.
	Issuer, Audience, Roots string
	// NameServers are the cluster's, whom the proxy asks where the issuer is.
	NameServers []netip.AddrPort
	// ConfigMap holds the configuration and its seal.
	ConfigMap string
	// Searches and Options are how the cluster's own pods complete names.
	Searches []string
	Options  []corev1.PodDNSConfigOption
	// Calls are Services that the workload calls, as name and namespace with a dot
	// between.
	Calls []string
}

// isPort reports whether a number can be a port; only files have others.
func isPort(port int32) bool { return port > 0 && port <= lastPort }

// declared is the port of the workload with a number, nil where it has none.
func (p *Plan) declared(number int32) *hipaav1.WorkloadPort {
	for i := range p.Ports {
		if p.Ports[i].Port == number && isPort(number) {
			return &p.Ports[i]
		}
	}
	return nil
}

// listens reports whether the proxy has a listener at a port of every address.
func (p *Plan) listens(port int32) bool {
	if p.redirects() {
		return control.IsProxyPort(port) || port == config.CaptureInbound || port == config.CaptureOutbound
	}
	for i := range p.Ports {
		if isPort(p.Ports[i].Port) && control.ListenPort(p.Ports[i].Port) == port {
			return true
		}
	}
	return control.IsProxyPort(port)
}
