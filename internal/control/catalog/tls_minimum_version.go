package catalog

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "tls-minimum-version",
	Title:    "Let nobody from outside the cluster in by TLS below 1.2",
	Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.TransmissionEncryption},
	Severity: control.High,
	Since:    1,
	Why: "TLS 1.0 and 1.1 rest on hash functions that are broken, and whoever stands between can talk both sides down to the oldest version " +
		"that the two of them accept. The server alone can refuse.",
	Remedy: "ask for TLS 1.2 or later",
	Decides: "The Ingress decides at admission where it asks for something itself. Refused are, by class: nginx with a snippet whose " +
		"ssl_protocols name what is older than TLS 1.2; alb with an ssl-policy that accepts it, or without one, for AWS's default does; gce and " +
		"gce-internal without a FrontendConfig, for Google's default does. A policy of AWS that starts at 1.2 or 1.3 is Observed. All else the " +
		"settings of the controller decide, which are not read (a FrontendConfig, TLS options of Traefik, ConfigMaps of nginx and HAProxy): it is " +
		"Attested by the profile's statement about the class until that ends, and Unknown live without. So is a class whose controller is not " +
		"known; and a statement covers the defaults of AWS and Google too, which their settings can change. A Service of type LoadBalancer that " +
		"gives AWS a certificate is judged by its ssl-negotiation-policy. Live, the addresses that the status of an Ingress (port 443, for each " +
		"host) or of such a Service (each of its TCP ports) states are dialled: whoever answers a greeting of TLS 1.1 or 1.0 fails. Where every way in was " +
		"seen to speak TLS 1.2 or later and to refuse what is older the verdict is Tested, before what is stated; a port that only turns callers to TLS " +
		"need not speak it. What could not be dialled, or was too long ago, changes nothing: a Service without a certificate of AWS is then " +
		"Unknown live. " +
		"A ClientTrafficPolicy of Envoy Gateway with a minVersion, and a LoadBalancerConfiguration of the AWS Load Balancer Controller with an sslPolicy, " +
		"that let in what is older are refused. At admission and live, and not dialled: routes of the Gateway API that lead to the workload, by the listeners with TLS of the Gateways " +
		"that take them, in whatever namespace those are: by such a policy or configuration of the Gateway (what a GatewayClass adds to it is not read); " +
		"in the classes gke-l7-* without a GCPGatewayPolicy that names an SSL policy it fails, for Google's default does; all else is Attested by a " +
		"statement about the Gateway's class, and Unknown without. Where TLS is passed through it is Unknown: who ends it decides.",
	Parameters: []control.Parameter{ingressStatements, edgeProbe, edgeProbeMinutes},
	Example:    ingressExample,
	Resources:  append([]control.ResourceType{clientTraffic, awsBalancers}, routeTypes...),
	Reports: routeReports(
		control.ReportType{ResourceType: clientTraffic, Trim: dropStatus, Everywhere: true, AtAdmission: true},
		control.ReportType{ResourceType: googlePolicies, Trim: dropStatus, Everywhere: true, AtAdmission: true},
		control.ReportType{ResourceType: awsBalancers, Trim: dropStatus, Everywhere: true, AtAdmission: true},
	),
	Judges:    control.Ingresses | control.Services | control.Resources | control.Workloads,
	Needs:     control.Routes | control.Reports,
	NeedsLive: control.Infrastructure,
	Check: func(s control.Subject) []control.Finding {
		if s.Kind() == control.Resources && !isRoute(s.Resource) {
			return ofPolicy(s.Resource)
		}
		return edgeQuestions{ask: control.AskTLS, ingress: edge.MinimumTLS, balancer: edge.BalancerTLS, route: routeTLS}.judge(s)
	},
	Satisfy: stateIngress,
	Breaks: control.Breaks{
		"nginx told to accept TLS 1.1":                            asked("nginx", "nginx.ingress.kubernetes.io/server-snippet", "ssl_protocols TLSv1.1 TLSv1.2;"),
		"an AWS load balancer with an old policy":                 asked("alb", "alb.ingress.kubernetes.io/ssl-policy", "ELBSecurityPolicy-TLS-1-1-2017-01"),
		"an AWS load balancer with the default policy":            asked("alb", "alb.ingress.kubernetes.io/certificate-arn", "arn:aws:acm:us-east-1:111122223333:certificate/7f3"),
		"a Google load balancer without an SSL policy":            asked("gce", "kubernetes.io/ingress.allow-http", "false"),
		"a network load balancer with the default policy":         balancing(""),
		"a network load balancer with a policy from the past":     balancing("ELBSecurityPolicy-2015-05"),
		"a policy of Envoy Gateway that accepts TLS 1.1":          breaksResource(trafficPolicy("ehr", "1.1")),
		"a configuration of an AWS load balancer from the past":   breaksResource(balancerWith("ehr", "ELBSecurityPolicy-2016-08")),
		"a Gateway whose policy accepts TLS 1.0":                  routedBy(routeTo("patient-api", "eg"), gatewayOf("eg", listens("https", "HTTPS", 443)), trafficPolicy("edge", "1.0")),
		"a Gateway of Google's without an SSL policy":             routedBy(routeTo("patient-api", "gke-l7-rilb"), gatewayOf("gke-l7-rilb", listens("https", "HTTPS", 443))),
		"a Gateway of which nothing is known":                     ledAstray(routeTo("patient-api", "other"), gatewayOf("other", listens("https", "HTTPS", 443))),
		"a load balancer that accepts TLS 1.0 when it is dialled": answers(control.AskTLS, control.Dialled{Answer: control.OldAccepted, Version: 0x0301}),
	},
})

var (
	clientTraffic  = control.ResourceType{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "ClientTrafficPolicy", Resource: "clienttrafficpolicies"}
	googlePolicies = control.ResourceType{Group: "networking.gke.io", Version: "v1", Kind: "GCPGatewayPolicy", Resource: "gcpgatewaypolicies"}
	awsBalancers   = control.ResourceType{Group: "gateway.k8s.aws", Version: "v1beta1", Kind: "LoadBalancerConfiguration", Resource: "loadbalancerconfigurations"}
)

// ofPolicy judges what an implementation of the Gateway API is told of TLS, whatever
// uses it.
func ofPolicy(r *unstructured.Unstructured) []control.Finding {
	var answers []edge.Answer
	switch {
	case clientTraffic.Is(r):
		if policy, is := edge.Read[edge.ClientTraffic](r); is {
			answers = append(answers, policy.Minimum())
		}
	case awsBalancers.Is(r):
		if configuration, is := edge.Read[edge.LoadBalancer](r); is {
			answers = configuration.Minimum()
		}
	default:
		return []control.Finding{control.NotApplicable("is not of a type that this control judges")}
	}
	var findings []control.Finding
	for _, a := range answers {
		if a.Grade == edge.Violated {
			findings = append(findings, control.Failed(a.Path, "%s", a.Message))
		}
	}
	if len(findings) == 0 {
		return []control.Finding{control.NotApplicable("lets in nothing older than TLS 1.2 by itself; what it is used for is judged by its routes")}
	}
	return findings
}

// routeTLS asks the Gateways of a route.
func routeTLS(s *control.Subject, r *edge.Route) []edge.GatewayAnswer {
	return edge.RouteTLS(r, everywhere[edge.Gateway](s.World, gateways), &edge.Policies{
		Traffic:   everywhere[edge.ClientTraffic](s.World, clientTraffic),
		Google:    everywhere[edge.GooglePolicy](s.World, googlePolicies),
		Balancers: everywhere[edge.LoadBalancer](s.World, awsBalancers),
	})
}

// trafficPolicy is one of Envoy Gateway about the Gateway of tests.
func trafficPolicy(namespace, minimum string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "ClientTrafficPolicy", "metadata": map[string]any{"namespace": namespace, "name": "tls"},
		"spec": map[string]any{
			"targetRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg"}},
			"tls":        map[string]any{"minVersion": minimum},
		},
	}}
}

// balancerWith tells the AWS Load Balancer Controller of a policy.
func balancerWith(namespace, policy string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.k8s.aws/v1beta1", "kind": "LoadBalancerConfiguration", "metadata": map[string]any{"namespace": namespace, "name": "public"},
		"spec": map[string]any{"listenerConfigurations": []any{map[string]any{"protocolPort": "HTTPS:443", "sslPolicy": policy}}},
	}}
}

// balancing lets a Service ask AWS for a certificate and a policy.
func balancing(policy string) control.Break {
	return exposed(func(s *control.Subject) {
		s.Service.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Service.Annotations = map[string]string{
			"service.beta.kubernetes.io/aws-load-balancer-ssl-cert":               "arn:aws:acm:us-east-1:111122223333:certificate/7f3",
			"service.beta.kubernetes.io/aws-load-balancer-ssl-negotiation-policy": policy,
		}
	})
}
