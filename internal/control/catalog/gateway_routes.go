package catalog

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
)

var (
	gateways        = gatewayType("v1", "Gateway", "gateways")
	referenceGrants = gatewayType("v1beta1", "ReferenceGrant", "referencegrants")
	// routeTypes are the routes that may lead callers from outside to a workload.
	routeTypes = []control.ResourceType{
		gatewayType("v1", "HTTPRoute", "httproutes"), gatewayType("v1", "GRPCRoute", "grpcroutes"),
		gatewayType("v1", "TLSRoute", "tlsroutes"), gatewayType("v1alpha2", "TLSRoute", "tlsroutes"),
		gatewayType("v1alpha2", "TCPRoute", "tcproutes"),
	}
)

func gatewayType(version, kind, resource string) control.ResourceType {
	return control.ResourceType{Group: edge.GatewayGroup, Version: version, Kind: kind, Resource: resource}
}

// gatewayReport is a Gateway: those of other namespaces serve the routes of this one.
var gatewayReport = control.ReportType{ResourceType: gateways, Trim: dropStatus, Everywhere: true, AtAdmission: true}

// routeReports are what tells by which Gateways routes let callers in.
func routeReports(more ...control.ReportType) []control.ReportType {
	return append([]control.ReportType{gatewayReport, {ResourceType: referenceGrants, Trim: dropStatus}}, more...)
}

// routesTo counts the routes of the namespace that lead callers from outside to the
// workload.
func routesTo(s *control.Subject) int {
	routes := 0
	for _, r := range s.World.Resources {
		if routeOf(s, r) != nil {
			routes++
		}
	}
	return routes
}

func isRoute(r *unstructured.Unstructured) bool {
	return slices.ContainsFunc(routeTypes, func(t control.ResourceType) bool { return t.Is(r) })
}

// routeOf is a resource as a route that leads callers from outside to the workload; nil
// is none.
func routeOf(s *control.Subject, r *unstructured.Unstructured) *edge.Route {
	if !isRoute(r) {
		return nil
	}
	route, is := edge.Read[edge.Route](r)
	if !is || !route.FromOutside() || !route.LeadsTo(s.World.ExposingNames()) {
		return nil
	}
	route.Labels = s.Namespace.Labels
	return route
}

// everywhere reads all reports of a type, whatever namespace they are in.
func everywhere[T any](w *control.World, t control.ResourceType) []*T {
	var list []*T
	for _, r := range w.Reports {
		if r == nil || !t.Is(r) {
			continue
		}
		if one, is := edge.Read[T](r); is {
			list = append(list, one)
		}
	}
	return list
}

// granted says what other namespaces are let lead here: their routes are not looked at.
func granted(s *control.Subject) []control.Finding {
	services := s.World.ExposingNames()
	var findings []control.Finding
	for _, r := range reportsOf(s, referenceGrants) {
		grant, is := edge.Read[referenceGrant](r)
		if !is || !grant.reaches(services) {
			continue
		}
		for i, from := range grant.Spec.From {
			if !slices.ContainsFunc(routeTypes, func(t control.ResourceType) bool { return t.Group == from.Group && t.Kind == from.Kind }) {
				continue
			}
			path := fmt.Sprintf("ReferenceGrant/%s spec.from[%d]", r.GetName(), i)
			findings = append(findings, control.Undecided(path, "lets each %s of namespace %s lead here, which is not looked at", from.Kind, from.Namespace).
				But("let the route stand in this namespace, and take the grant back").OnlyLive())
		}
	}
	return findings
}

// referenceGrant lets objects of other namespaces refer to those of its own.
type referenceGrant struct {
	Spec struct {
		From []struct {
			Group     string `json:"group"`
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
		} `json:"from"`
		To []struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"to"`
	} `json:"spec"`
}

// reaches reports whether it grants some of the Services; without a name it grants all,
// those to come as well.
func (g *referenceGrant) reaches(services map[string]bool) bool {
	for _, to := range g.Spec.To {
		if to.Kind == "Service" && (to.Name == "" || services[to.Name]) {
			return true
		}
	}
	return false
}

// gatewayOf is a Gateway of another namespace that takes routes of any.
func gatewayOf(class string, listeners ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"namespace": "edge", "name": class},
		"spec": map[string]any{"gatewayClassName": class, "listeners": listeners},
	}}
}

func listens(name, protocol string, port int64) map[string]any {
	return map[string]any{
		"name": name, "protocol": protocol, "port": port, "allowedRoutes": map[string]any{"namespaces": map[string]any{"from": "All"}},
	}
}

// routeTo is an HTTPRoute to the Service of the workload of tests, at any listener of a
// Gateway.
func routeTo(service, gateway string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": "ehr", "name": "api"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"namespace": "edge", "name": gateway}},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": service, "port": int64(80)}}}},
		},
	}}
}

// tcpRouteTo is routeTo for whatever comes by TCP.
func tcpRouteTo(service, gateway string) *unstructured.Unstructured {
	r := routeTo(service, gateway)
	r.SetAPIVersion("gateway.networking.k8s.io/v1alpha2")
	r.SetKind("TCPRoute")
	return r
}

// grantToTeamB lets the routes of another namespace lead to any Service.
func grantToTeamB() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": map[string]any{"namespace": "ehr", "name": "routes"},
		"spec": map[string]any{
			"from": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "team-b"}},
			"to":   []any{map[string]any{"group": "", "kind": "Service"}},
		},
	}}
}

// routedBy is a route to the workload of tests, where a Gateway and what is told of it
// are there.
func routedBy(route *unstructured.Unstructured, reports ...*unstructured.Unstructured) control.Break {
	return control.Break{Kind: control.Resources, Apply: func(s *control.Subject) {
		for _, r := range reports {
			report(s, r.DeepCopy())
		}
		*s = s.Of(route.DeepCopy())
	}}
}

// ledAstray is routedBy where what serves the route tells too little: that is only
// reported.
func ledAstray(route *unstructured.Unstructured, reports ...*unstructured.Unstructured) control.Break {
	b := routedBy(route, reports...)
	b.Reported = true
	return b
}

// reportsAlso adds reports to those that are there.
func reportsAlso(reports ...*unstructured.Unstructured) control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		for _, r := range reports {
			report(s, r.DeepCopy())
		}
	}}
}
