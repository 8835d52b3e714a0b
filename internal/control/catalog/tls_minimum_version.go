package catalog

import (
	corev1 "k8s.io/api/core/v1"

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
		"Unknown live. Routes of the Gateway API are not seen.",
	Parameters: []control.Parameter{ingressStatements, edgeProbe, edgeProbeMinutes},
	Example:    ingressExample,
	Judges:     control.Ingresses | control.Services | control.Workloads,
	NeedsLive:  control.Routes,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Ingresses:
			return answered(&s, control.AskTLS, edge.MinimumTLS(s.Ingress))
		case control.Services:
			return balanced(&s, control.AskTLS, edge.BalancerTLS)
		case control.Workloads:
			return ledBy(s.World)
		default:
			return nil
		}
	},
	Satisfy: stateIngress,
	Breaks: control.Breaks{
		"nginx told to accept TLS 1.1":                            asked("nginx", "nginx.ingress.kubernetes.io/server-snippet", "ssl_protocols TLSv1.1 TLSv1.2;"),
		"an AWS load balancer with an old policy":                 asked("alb", "alb.ingress.kubernetes.io/ssl-policy", "ELBSecurityPolicy-TLS-1-1-2017-01"),
		"an AWS load balancer with the default policy":            asked("alb", "alb.ingress.kubernetes.io/certificate-arn", "arn:aws:acm:us-east-1:111122223333:certificate/7f3"),
		"a Google load balancer without an SSL policy":            asked("gce", "kubernetes.io/ingress.allow-http", "false"),
		"a network load balancer with the default policy":         balancing(""),
		"a network load balancer with a policy from the past":     balancing("ELBSecurityPolicy-2015-05"),
		"a load balancer that accepts TLS 1.0 when it is dialled": answers(control.AskTLS, control.Dialled{Answer: control.OldAccepted, Version: 0x0301}),
	},
})

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
