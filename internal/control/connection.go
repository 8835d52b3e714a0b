package control

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Way is how a request reaches into a running pod through the API server.
type Way string

// The ways that the API server offers.
const (
	Exec         Way = "Exec"
	Attach       Way = "Attach"
	PortForward  Way = "PortForward"
	PodProxy     Way = "PodProxy"
	ServiceProxy Way = "ServiceProxy"
)

// spoken is how Kubernetes and how people call a way.
type spoken struct{ kind, words string }

var ways = map[Way]spoken{
	Exec:         {"PodExecOptions", "exec into pod"},
	Attach:       {"PodAttachOptions", "attach to pod"},
	PortForward:  {"PodPortForwardOptions", "port-forward to pod"},
	PodProxy:     {"PodProxyOptions", "proxy to pod"},
	ServiceProxy: {"ServiceProxyOptions", "proxy to service"},
}

// Ways lists every way, in a fixed order.
func Ways() []Way { return []Way{Exec, Attach, PortForward, PodProxy, ServiceProxy} }

// Kind is the Kubernetes kind of the options that such a request brings.
func (w Way) Kind() string { return ways[w].kind }

// Connection is a request to reach into a pod through the API server. It never
// holds the command, the path or the ports of the request: they are text of
// users, and may be PHI.
type Connection struct {
	// ObjectMeta names the pod, or the Service of a ServiceProxy.
	metav1.ObjectMeta
	// Way is how it reaches in.
	Way Way
	// Container is what it names of the pod's containers; empty where it names
	// none, or none that the pod has.
	Container string
}

// String is what people call it: `exec into pod "api-0"`.
func (c *Connection) String() string { return fmt.Sprintf("%s %q", ways[c.Way].words, c.Name) }
