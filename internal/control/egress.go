package control

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// EgressName is that of phi-egress, by which calls leave to vendors: of its Deployment,
	// its Service, its ServiceAccount and what it is configured by.
	EgressName = "phi-egress"
	// EgressPort is where it listens.
	EgressPort = 15443
)

// EgressLabels are those of its pods.
func EgressLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": "egress"}
}

// IssuerLabels are those of the issuer's pods.
func IssuerLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": "issuer"}
}

// EgressSelector selects its pods in the operator's namespace.
func EgressSelector() metav1.LabelSelector { return metav1.LabelSelector{MatchLabels: EgressLabels()} }

// Egress is phi-egress as it stands.
type Egress struct {
	// Ready is how many of its pods take calls.
	Ready int
	// Exits are whom it lets out where to.
	Exits map[Exit]bool
}

// Exit leads one identity to one port of one host.
type Exit struct {
	From, Host string
	Port       int32
}

// IsReady reports whether a pod takes calls.
func IsReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp.IsZero()
		}
	}
	return false
}

// IsClusterName reports whether a name leads to what is inside the cluster, so that it is
// no vendor's.
func IsClusterName(name, clusterDomain string) bool {
	return name == clusterDomain || strings.HasSuffix(name, "."+clusterDomain) || strings.HasSuffix(name, ".svc")
}

// Identity is how proxies of the pods of a ServiceAccount are known.
func (p *Proxy) Identity(namespace, account string) string {
	return "spiffe://" + p.TrustDomain + "/ns/" + namespace + "/sa/" + account
}
