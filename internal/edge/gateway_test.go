package edge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/edge"
)

// read reads an object of this package out of YAML.
func read[T any](t *testing.T, text string) *T {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	object, is := edge.Read[T](u)
	if !is {
		t.Fatalf("cannot be read: %s", text)
	}
	return object
}

// public is a Gateway with a listener of each protocol; that for plaintext takes routes
// of its own namespace alone.
const public = `
metadata: {namespace: edge, name: public, labels: {tier: outer}}
spec:
  gatewayClassName: some
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: https, protocol: HTTPS, port: 443, allowedRoutes: {namespaces: {from: All}}}
  - {name: inner, protocol: HTTP, port: 8080, hostname: "*.inner.example.org", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {inner: "true"}}}}}
  - {name: pass, protocol: TLS, port: 8443, tls: {mode: Passthrough}, allowedRoutes: {namespaces: {from: All}}}
  - {name: tcp, protocol: TCP, port: 5432, allowedRoutes: {namespaces: {from: All}}}
  - {name: grpc, protocol: HTTP, port: 9090, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}
  - {name: none, protocol: HTTP, port: 81, allowedRoutes: {namespaces: {from: None}}}
`

func TestRoutesAreAnsweredByTheListenersThatTakeThem(t *testing.T) {
	const to, ours = `rules: [{backendRefs: [{name: api, port: 80}]}]`, `parentRefs: [{namespace: edge, name: public}]`
	const redirect = `rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]`
	for name, tc := range map[string]struct {
		kind, namespace, spec string
		labels                map[string]string
		want                  []string
	}{
		"of a Gateway that takes it by TLS alone":          {spec: ours + ", " + to, want: []string{"settled spec.parentRefs"}},
		"in the Gateway's own namespace":                   {namespace: "edge", spec: "parentRefs: [{name: public}], " + to, want: []string{"violated spec.parentRefs[0]"}},
		"in the Gateway's own namespace, and it redirects": {namespace: "edge", spec: "parentRefs: [{name: public}], " + redirect, want: []string{"settled spec.rules"}},
		"that redirects to where the caller came from": {
			namespace: "edge", spec: `parentRefs: [{name: public, sectionName: http}], rules: [{filters: [{requestRedirect: {hostname: other}}], backendRefs: [{name: api}]}]`,
			want: []string{"violated spec.parentRefs[0]"},
		},
		"in the Gateway's own namespace, at one listener": {namespace: "edge", spec: "parentRefs: [{name: public, sectionName: https}], " + to, want: []string{"settled spec.parentRefs"}},
		"at one port":                             {namespace: "edge", spec: "parentRefs: [{name: public, port: 80}], " + to, want: []string{"violated spec.parentRefs[0]"}},
		"in a namespace that a selector takes":    {spec: ours + ", " + to, labels: map[string]string{"inner": "true"}, want: []string{"violated spec.parentRefs[0]"}},
		"with a host name that no plaintext has":  {spec: ours + ", hostnames: [api.example.org], " + to, labels: map[string]string{"inner": "true"}, want: []string{"settled spec.parentRefs"}},
		"with a host name that has plaintext":     {spec: ours + ", hostnames: [a.inner.example.org], " + to, labels: map[string]string{"inner": "true"}, want: []string{"violated spec.parentRefs[0]"}},
		"of a kind that plaintext takes":          {kind: "GRPCRoute", spec: ours + ", " + to, want: []string{"violated spec.parentRefs[0]"}},
		"of TLS that is passed through":           {kind: "TLSRoute", spec: ours + ", " + to, want: []string{"settled spec.parentRefs"}},
		"of whatever comes":                       {kind: "TCPRoute", spec: ours + ", " + to, want: []string{"open spec.parentRefs[0]"}},
		"of a Gateway that is not there":          {spec: "parentRefs: [{name: public}], " + to, want: []string{"open spec.parentRefs[0]"}},
		"at a listener that does not take it":     {spec: "parentRefs: [{namespace: edge, name: public, sectionName: none}], " + to, want: []string{"open spec.parentRefs[0]"}},
		"of what is no Gateway":                   {spec: "parentRefs: [{kind: ListenerSet, name: more}], " + to, want: []string{"open spec.parentRefs[0]"}},
		"of a Service as well, which is the mesh": {spec: `parentRefs: [{group: "", kind: Service, name: api}, {namespace: edge, name: public}], ` + to, want: []string{"settled spec.parentRefs"}},
		"that passes nobody on":                   {namespace: "edge", spec: "parentRefs: [{name: public}], rules: [{}]", want: []string{"settled spec.rules"}},
	} {
		t.Run(name, func(t *testing.T) {
			kind, namespace := tc.kind, tc.namespace
			if kind == "" {
				kind = "HTTPRoute"
			}
			if namespace == "" {
				namespace = "ehr"
			}
			route := read[edge.Route](t, "{kind: "+kind+", metadata: {namespace: "+namespace+", name: r}, spec: {"+tc.spec+"}}")
			route.Labels = tc.labels
			got := brief(edge.RoutePlaintext(route, []*edge.Gateway{read[edge.Gateway](t, public)})...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhereARouteLeads(t *testing.T) {
	mine := map[string]bool{"api": true}
	for name, tc := range map[string]struct {
		spec           string
		leads, outside bool
	}{
		"to the Service":                   {`parentRefs: [{name: g}], rules: [{backendRefs: [{name: api}]}]`, true, true},
		"to another":                       {`parentRefs: [{name: g}], rules: [{backendRefs: [{name: portal}]}]`, false, true},
		"to one of its name elsewhere":     {`parentRefs: [{name: g}], rules: [{backendRefs: [{name: api, namespace: lab}]}]`, false, true},
		"to what is no Service":            {`parentRefs: [{name: g}], rules: [{backendRefs: [{group: inference, kind: Pool, name: p}]}]`, true, true},
		"by its second rule":               {`parentRefs: [{name: g}], rules: [{}, {backendRefs: [{name: api, kind: Service}]}]`, true, true},
		"by a copy of what goes elsewhere": {`parentRefs: [{name: g}], rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: api}}}], backendRefs: [{name: portal}]}]`, true, true},
		"by a copy of what one end gets":   {`parentRefs: [{name: g}], rules: [{backendRefs: [{name: portal, filters: [{requestMirror: {backendRef: {name: api}}}]}]}]`, true, true},
		"by a copy of what turns to TLS":   {`parentRefs: [{name: g}], rules: [{filters: [{requestRedirect: {scheme: https}}, {requestMirror: {backendRef: {name: api}}}]}]`, true, true},
		"within a mesh":                    {`parentRefs: [{group: "", kind: Service, name: api}], rules: [{backendRefs: [{name: api}]}]`, true, false},
		"nowhere, for it turns all to TLS": {`parentRefs: [{name: g}], rules: [{filters: [{requestRedirect: {scheme: https}}]}]`, false, true},
		"nowhere, for nothing serves it":   {`rules: [{backendRefs: [{name: api}]}]`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := read[edge.Route](t, "{kind: HTTPRoute, metadata: {namespace: ehr, name: r}, spec: {"+tc.spec+"}}")
			if r.LeadsTo(mine) != tc.leads || r.FromOutside() != tc.outside {
				t.Errorf("leads %t, from outside %t", r.LeadsTo(mine), r.FromOutside())
			}
		})
	}
	if _, is := edge.Read[edge.Route](&unstructured.Unstructured{Object: map[string]any{"spec": "none"}}); is {
		t.Error("what has no form is read")
	}
}

func TestOldTLSIsAnsweredByImplementation(t *testing.T) {
	envoy := func(of string) string { return "{metadata: {namespace: edge, name: p}, spec: {" + of + "}}" }
	const target = `targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]`
	for name, tc := range map[string]struct {
		envoy              []string
		google, aws, class string
		want               []string
	}{
		"of which nothing is known":      {want: []string{"open some"}},
		"Envoy's from 1.2":               {envoy: []string{envoy(target + `, tls: {minVersion: "1.2"}`)}, want: []string{"settled some"}},
		"Envoy's from 1.0":               {envoy: []string{envoy(target + `, tls: {minVersion: "1.0"}`)}, want: []string{"violated some"}},
		"Envoy's by its default":         {envoy: []string{envoy(target)}, want: []string{"open some"}},
		"Envoy's about another":          {envoy: []string{envoy(`targetRef: {kind: Gateway, name: other}, tls: {minVersion: "1.0"}`)}, want: []string{"open some"}},
		"Envoy's about labels":           {envoy: []string{envoy(`targetSelectors: [{kind: Gateway, matchLabels: {tier: outer}}], tls: {minVersion: "1.1"}`)}, want: []string{"violated some"}},
		"Envoy's about other labels":     {envoy: []string{envoy(`targetSelectors: [{kind: Gateway, matchLabels: {tier: inner}}], tls: {minVersion: "1.1"}`)}, want: []string{"open some"}},
		"Envoy's in another namespace":   {envoy: []string{`{metadata: {namespace: ehr, name: p}, spec: {targetRef: {kind: Gateway, name: public}, tls: {minVersion: "1.0"}}}`}, want: []string{"open some"}},
		"Google's by default":            {class: "gke-l7-rilb", want: []string{"weak gke-l7-rilb"}},
		"Google's with a policy":         {class: "gke-l7-rilb", google: `{metadata: {namespace: edge, name: p}, spec: {targetRef: {kind: Gateway, name: public}, default: {sslPolicy: modern}}}`, want: []string{"open gke-l7-rilb"}},
		"Google's with another's policy": {class: "gke-l7-rilb", google: `{metadata: {namespace: edge, name: p}, spec: {targetRef: {kind: Gateway, name: other}, default: {sslPolicy: modern}}}`, want: []string{"weak gke-l7-rilb"}},
		"AWS's from 1.2":                 {aws: `[{protocolPort: "HTTPS:443", sslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06}]`, want: []string{"settled some"}},
		"AWS's from 1.0":                 {aws: `[{protocolPort: "HTTPS:443", sslPolicy: ELBSecurityPolicy-2016-08}]`, want: []string{"violated some"}},
		"AWS's about another port":       {aws: `[{protocolPort: "HTTPS:8443", sslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06}]`, want: []string{"weak some"}},
		"AWS's that is not there":        {aws: "-", want: []string{"open some"}},
		"one listener's before the whole": {
			envoy: []string{
				envoy(`targetRefs: [{kind: Gateway, name: public}], tls: {minVersion: "1.2"}`),
				envoy(`targetRefs: [{kind: Gateway, name: public, sectionName: https}], tls: {minVersion: "1.1"}`),
			},
			want: []string{"violated some"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			gateway := read[edge.Gateway](t, public)
			policies := &edge.Policies{}
			for _, text := range tc.envoy {
				policies.Traffic = append(policies.Traffic, read[edge.ClientTraffic](t, text))
			}
			if tc.google != "" {
				policies.Google = append(policies.Google, read[edge.GooglePolicy](t, tc.google))
			}
			if tc.class != "" {
				gateway.Spec.Class = tc.class
			}
			if tc.aws != "" {
				p := &gateway.Spec.Infrastructure.Parameters
				p.Group, p.Kind, p.Name = "gateway.k8s.aws", "LoadBalancerConfiguration", "lb"
			}
			if tc.aws != "" && tc.aws != "-" {
				policies.Balancers = append(policies.Balancers, read[edge.LoadBalancer](t, "{metadata: {namespace: edge, name: lb}, spec: {listenerConfigurations: "+tc.aws+"}}"))
			}
			route := read[edge.Route](t, "{kind: HTTPRoute, metadata: {namespace: ehr, name: r}, spec: {parentRefs: [{namespace: edge, name: public}]}}")
			var got []string
			for _, a := range edge.RouteTLS(route, []*edge.Gateway{gateway}, policies) {
				got = append(got, grades[a.Grade]+" "+a.Class)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPassedThroughTLSIsNobodysStatement(t *testing.T) {
	route := read[edge.Route](t, "{kind: TLSRoute, metadata: {namespace: ehr, name: r}, spec: {parentRefs: [{namespace: edge, name: public}, {name: gone}]}}")
	for _, a := range edge.RouteTLS(route, []*edge.Gateway{read[edge.Gateway](t, public)}, &edge.Policies{}) {
		if a.Grade != edge.Open || a.Class != "" {
			t.Errorf("%s %s is %s of class %q", a.Path, a.Message, grades[a.Grade], a.Class)
		}
	}
}
