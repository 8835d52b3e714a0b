package edge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// GatewayGroup is the API group of the Gateway API.
const GatewayGroup = "gateway.networking.k8s.io"

// Gateway is what a Gateway of the Gateway API says of how it lets callers in.
type Gateway struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Class          string     `json:"gatewayClassName"`
		Listeners      []Listener `json:"listeners"`
		Infrastructure struct {
			Parameters target `json:"parametersRef"`
		} `json:"infrastructure"`
	} `json:"spec"`
}

// Listener is a port of a Gateway.
type Listener struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	Port     int32  `json:"port"`
	Hostname string `json:"hostname"`
	TLS      struct {
		Mode string `json:"mode"`
	} `json:"tls"`
	Allowed struct {
		Kinds      []target `json:"kinds"`
		Namespaces struct {
			From     string                `json:"from"`
			Selector *metav1.LabelSelector `json:"selector"`
		} `json:"namespaces"`
	} `json:"allowedRoutes"`
}

// target refers to an object; what is empty has the default of who refers to it.
type target struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Section   string `json:"sectionName"`
	Port      int32  `json:"port"`
}

// Route is what a route of the Gateway API says of whom it lets in, and to where.
type Route struct {
	Kind     string            `json:"kind"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Parents   []target    `json:"parentRefs"`
		Hostnames []string    `json:"hostnames"`
		Rules     []routeRule `json:"rules"`
	} `json:"spec"`
	// Labels are those of its namespace.
	Labels map[string]string `json:"-"`
}

type routeRule struct {
	Filters  []filter `json:"filters"`
	Backends []struct {
		target  `json:",inline"`
		Filters []filter `json:"filters"`
	} `json:"backendRefs"`
}

// filter does something with requests on their way. A mirror sends a copy elsewhere.
type filter struct {
	Redirect struct {
		Scheme string `json:"scheme"`
	} `json:"requestRedirect"`
	Mirror *struct {
		Backend target `json:"backendRef"`
	} `json:"requestMirror"`
}

// ends are where a rule sends requests, unless it turns them to TLS, and copies of them.
func (r *routeRule) ends() []target {
	var ends []target
	mirrors := func(filters []filter) {
		for _, f := range filters {
			if f.Mirror != nil {
				ends = append(ends, f.Mirror.Backend)
			}
		}
	}
	mirrors(r.Filters)
	for i := range r.Backends {
		if !r.turns() {
			ends = append(ends, r.Backends[i].target)
		}
		mirrors(r.Backends[i].Filters)
	}
	return ends
}

// Read reads what this package knows of an object. One that does not have the form of
// its type, which no API server lets in, is not read.
func Read[T any](object *unstructured.Unstructured) (*T, bool) {
	into := new(T)
	if object == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into) != nil {
		return nil, false
	}
	return into, true
}

// LeadsTo reports whether a route leads callers to some Services of its namespace, or to
// what is no Service: where that ends nobody can tell. One that turns every caller to
// TLS leads nowhere by itself.
func (r *Route) LeadsTo(services map[string]bool) bool {
	for i := range r.Spec.Rules {
		if slices.ContainsFunc(r.Spec.Rules[i].ends(), func(b target) bool { return !b.mayBeService() }) {
			return true
		}
	}
	return slices.ContainsFunc(r.Services(), func(name string) bool { return services[name] })
}

// Services names those of its namespace that a route leads callers to, each once.
func (r *Route) Services() []string {
	var names []string
	for i := range r.Spec.Rules {
		for _, b := range r.Spec.Rules[i].ends() {
			if b.mayBeService() && cmp.Or(b.Namespace, r.Metadata.Namespace) == r.Metadata.Namespace && !slices.Contains(names, b.Name) {
				names = append(names, b.Name)
			}
		}
	}
	return names
}

// GatewayNamespaces are those of the Gateways that a route names, each once.
func (r *Route) GatewayNamespaces() []string {
	var namespaces []string
	for i := range r.Spec.Parents {
		namespace := cmp.Or(r.Spec.Parents[i].Namespace, r.Metadata.Namespace)
		if r.Spec.Parents[i].isGateway() && !slices.Contains(namespaces, namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}

// turns reports whether a rule turns callers to TLS. A redirect that names no scheme
// keeps that of the caller.
func (r *routeRule) turns() bool {
	for _, f := range r.Filters {
		if f.Redirect.Scheme == "https" {
			return true
		}
	}
	return false
}

// serves is the path of the first rule that passes callers on; empty is none.
func (r *Route) serves() string {
	for i := range r.Spec.Rules {
		if len(r.Spec.Rules[i].ends()) > 0 {
			return fmt.Sprintf("spec.rules[%d]", i)
		}
	}
	return ""
}

// FromOutside reports whether some parent of a route is no Service: what attaches to a
// Service alone directs callers within a mesh.
func (r *Route) FromOutside() bool {
	return slices.ContainsFunc(r.Spec.Parents, func(p target) bool { return !p.isService() })
}

func (t *target) isService() bool { return t.Group == "" && t.Kind == "Service" }

// isGateway is about a parent: one that names no kind is a Gateway.
func (t *target) isGateway() bool {
	return cmp.Or(t.Kind, "Gateway") == "Gateway" && cmp.Or(t.Group, GatewayGroup) == GatewayGroup
}

// mayBeService is about an end: one that names no kind is a Service.
func (t *target) mayBeService() bool { return t.Group == "" && cmp.Or(t.Kind, "Service") == "Service" }

// attachment is a listener of a Gateway that a route is served by.
type attachment struct {
	path     string
	gateway  *Gateway
	listener *Listener
}

// attachments are where a route is served, and answers of what cannot be told.
func attachments(r *Route, gateways []*Gateway) (served []attachment, untold []Answer) {
	for i := range r.Spec.Parents {
		p := &r.Spec.Parents[i]
		path := fmt.Sprintf("spec.parentRefs[%d]", i)
		if p.isService() {
			continue
		}
		if !p.isGateway() {
			untold = append(untold, Answer{Open, path, "is no Gateway, and what serves callers there is not read"})
			continue
		}
		namespace := cmp.Or(p.Namespace, r.Metadata.Namespace)
		at := slices.IndexFunc(gateways, func(g *Gateway) bool { return g.Metadata.Name == p.Name && g.Metadata.Namespace == namespace })
		if at < 0 {
			untold = append(untold, Answer{Open, path, "names a Gateway that is not there"})
			continue
		}
		before := len(served)
		for j := range gateways[at].Spec.Listeners {
			if l := &gateways[at].Spec.Listeners[j]; gateways[at].admits(l, r, p) {
				served = append(served, attachment{path, gateways[at], l})
			}
		}
		if len(served) == before {
			untold = append(untold, Answer{Open, path, "names a Gateway of which no listener takes the route"})
		}
	}
	return served, untold
}

// admits reports whether a listener takes a route by way of a parent.
func (g *Gateway) admits(l *Listener, r *Route, p *target) bool {
	return (p.Section == "" || p.Section == l.Name) && (p.Port == 0 || p.Port == l.Port) &&
		l.carries(r.Kind) && g.opensTo(l, r) && l.hears(r.Spec.Hostnames)
}

// carries reports whether a listener takes routes of a kind: what its protocol does, and
// no more than it says. Protocols of which nothing is known may take any.
func (l *Listener) carries(kind string) bool {
	byProtocol := map[string][]string{
		"HTTP": {"HTTPRoute", "GRPCRoute"}, "HTTPS": {"HTTPRoute", "GRPCRoute"}, "TLS": {"TLSRoute", "TCPRoute"}, "TCP": {"TCPRoute"}, "UDP": {"UDPRoute"},
	}
	if kinds, known := byProtocol[l.Protocol]; known && !slices.Contains(kinds, kind) {
		return false
	}
	return len(l.Allowed.Kinds) == 0 || slices.ContainsFunc(l.Allowed.Kinds, func(allowed target) bool { return allowed.Kind == kind })
}

// opensTo reports whether a listener takes routes of a namespace; by default those of
// its own.
func (g *Gateway) opensTo(l *Listener, r *Route) bool {
	switch from := l.Allowed.Namespaces; from.From {
	case "All":
		return true
	case "Selector":
		selector, err := metav1.LabelSelectorAsSelector(from.Selector)
		return err != nil || selector.Matches(labels.Set(r.Labels)) // one that cannot be read may match
	case "None":
		return false
	default:
		return g.Metadata.Namespace == r.Metadata.Namespace
	}
}

// hears reports whether a listener and a route have a host name in common.
func (l *Listener) hears(hostnames []string) bool {
	return l.Hostname == "" || len(hostnames) == 0 || slices.ContainsFunc(hostnames, func(name string) bool {
		return name == l.Hostname || under(name, l.Hostname) || under(l.Hostname, name)
	})
}

// under reports whether a name lies under a wildcard.
func under(name, wildcard string) bool {
	parent, is := strings.CutPrefix(wildcard, "*.")
	return is && strings.HasSuffix(name, "."+parent)
}

// says names a listener for people.
func (a *attachment) says(what string) string {
	return fmt.Sprintf("attaches to listener %q of Gateway %s/%s, %s", a.listener.Name, a.gateway.Metadata.Namespace, a.gateway.Metadata.Name, what)
}

// RoutePlaintext answers whether the callers of a route are served by TLS alone.
func RoutePlaintext(r *Route, gateways []*Gateway) []Answer {
	rule := r.serves()
	if rule == "" {
		return []Answer{{Settled, "spec.rules", "pass no caller on without a turn to TLS"}}
	}
	served, answers := attachments(r, gateways)
	for i := range served {
		switch a := &served[i]; a.listener.Protocol {
		case "HTTPS", "TLS":
		case "HTTP":
			answers = append(answers, Answer{Violated, a.path, a.says("which answers in plaintext, and " + rule + " turns nobody to TLS")})
		default:
			answers = append(answers, Answer{Open, a.path, a.says("which passes on what comes: whether that is TLS shows only to whoever dials it")})
		}
	}
	if len(answers) == 0 {
		return []Answer{{Settled, "spec.parentRefs", "attach to listeners that answer by TLS alone"}}
	}
	return answers
}
