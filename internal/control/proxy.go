package control

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Proxy is the operator's own proxy, as pods get it.
type Proxy struct {
	// Image is that of new ones; Former are others that are in order in pods that run.
	Image  string
	Former []string
	// User is the id that it runs under and nobody else may; nil is what the cluster
	// says.
	User *int64
	// Issuer is the host of who gives certificates, with its port where that is not 443,
	// and IssuerNamespace where it runs.
	Issuer, IssuerNamespace string
	// Roots are the ones that certificates are verified against, in PEM.
	Roots string
	// TrustDomain is that of identities, ClusterDomain that of names of Services.
	TrustDomain, ClusterDomain string
	// Settles is how long the proxies of callers may take to hear that all pods of a
	// workload have theirs: as long as kubelets take to bring a changed ConfigMap.
	Settles time.Duration
	// NameServers are the cluster's, sorted.
	NameServers []netip.AddrPort
}

// DefaultOutageGrace is for how long proxies take a known peer's certificate after its
// end while the issuer cannot be reached, where profiles are silent.
const DefaultOutageGrace = 72 * time.Hour

// ProxyContainer is the name of the proxy's container in every pod.
const ProxyContainer = "phi-proxy"

// IsOfProxy reports whether a mount takes what is the proxy's: a volume of its own, or
// the place where the application finds its resolver.
func IsOfProxy(m corev1.VolumeMount) bool {
	return strings.HasPrefix(m.Name, ProxyContainer) || path.Clean(m.MountPath) == ResolverFile
}

// ResolverFile is where the application finds whom to ask for names.
const ResolverFile = "/etc/resolv.conf"

// HasProxy reports whether a pod has a container of that name where the proxy stands.
// Whether it is the proxy, a control says.
func HasProxy(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == ProxyContainer })
}

// RulesContainer is the name of the container that sets the rules by which the traffic of
// a pod comes to its proxy, where it is redirected.
const RulesContainer = ProxyContainer + "-rules"

// HasRules reports whether a pod has a container of that name. Whether it sets the rules,
// a control says.
func HasRules(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == RulesContainer })
}

// Party is what there is of a PHI workload that another one deals with.
type Party struct {
	// Pods are those that have not finished, sorted by name.
	Pods []*corev1.Pod
	// Services are those of its namespace, sorted by name.
	Services []*corev1.Service
}

// The proxy's own ports, beside those that it has instead of the application's.
const (
	ProxyProbePort    = 15020
	ProxyAdminPort    = 15090
	ProxyResolverPort = 53
)

const (
	lastPort = 65535
	distance = 10_000
)

// ListenPort is where the proxy listens in place of a port of the application: ten
// thousand above it. It hangs on this port alone, so that a port which is declared later
// moves no other: the names of a pod's ports lead to numbers that cannot change while it
// runs.
func ListenPort(port int32) int32 {
	for {
		port = (port-1+distance)%lastPort + 1
		if !IsProxyPort(port) {
			return port
		}
	}
}

// ApplicationPort is the port that the proxy listens for at another one.
func ApplicationPort(listen int32) int32 {
	for {
		listen = (listen-1-distance+lastPort)%lastPort + 1
		if !IsProxyPort(listen) {
			return listen
		}
	}
}

// IsProxyPort reports whether the proxy has this port whatever the application listens
// on.
func IsProxyPort(port int32) bool {
	return port == ProxyProbePort || port == ProxyAdminPort || port == ProxyResolverPort
}

// Listeners are where a workload is called that declares a port: by its proxies, and
// past them as long as its policies let callers there. Where traffic is redirected, who
// calls the application's port reaches the proxy; where that is to end, the port is closed
// before the first pod comes without rules.
func Listeners(w *hipaav1.PHIWorkload, port int32) []int32 {
	switch proxy := w.Status.Proxy; {
	case proxy == nil, port < 1, port > lastPort:
		return []int32{port}
	case proxy.Plaintext == hipaav1.PlaintextClosed && (proxy.Capture != hipaav1.CaptureRedirect || !AsksRedirect(w)):
		return []int32{ListenPort(port)}
	default:
		return []int32{port, ListenPort(port)}
	}
}

// AsksRedirect reports whether a workload asks that rules bring its traffic to its proxies.
func AsksRedirect(w *hipaav1.PHIWorkload) bool {
	return w != nil && w.Spec.Transmission != nil && w.Spec.Transmission.Capture == hipaav1.CaptureRedirect
}
