package edge

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

const albPolicy = "alb.ingress.kubernetes.io/ssl-policy"

// nginxSnippets are where an Ingress can write into nginx's configuration.
var nginxSnippets = []string{
	"nginx.ingress.kubernetes.io/server-snippet", "nginx.ingress.kubernetes.io/configuration-snippet", "nginx.ingress.kubernetes.io/stream-snippet",
}

// MinimumTLS answers whether TLS below 1.2 is refused.
func MinimumTLS(ingress *networkingv1.Ingress) []Answer {
	return []Answer{minimumTLS(ingress)}
}

func minimumTLS(ingress *networkingv1.Ingress) Answer {
	class := ClassOf(ingress)
	switch controllers[class] {
	case nginx:
		return minimumNginx(ingress.Annotations)
	case traefik:
		return Answer{Open, "spec.ingressClassName", "is Traefik's, whose TLS options decide and are not read"}
	case haproxy:
		return Answer{Open, "spec.ingressClassName", "is HAProxy's, whose own settings decide and are not read"}
	case alb:
		return minimumAWS(ingress.Annotations, albPolicy)
	case gce:
		if ingress.Annotations[gceFrontend] != "" {
			return Answer{Open, annotation(gceFrontend), "names a FrontendConfig, which is not read: it may name an SSL policy"}
		}
		return Answer{Weak, annotation(gceFrontend), "is missing, and without an SSL policy Google's load balancers accept TLS 1.0"}
	default:
		return unknown(class)
	}
}

// oldProtocols finds a directive of nginx that lets in what is older than TLS 1.2.
var oldProtocols = regexp.MustCompile(`ssl_protocols\b[^;]*\b(SSLv[23]|TLSv1|TLSv1\.1)(\s|;|$)`)

func minimumNginx(annotations map[string]string) Answer {
	for _, key := range nginxSnippets {
		if oldProtocols.MatchString(annotations[key]) {
			return Answer{Violated, annotation(key), "sets ssl_protocols to what is older than TLS 1.2"}
		}
	}
	return Answer{Open, "spec.ingressClassName", "is that of nginx, which refuses TLS below 1.2 unless its own settings let it in"}
}

var (
	// newPolicies and oldPolicies are the names that AWS gives its security policies.
	newPolicies = regexp.MustCompile(`^ELBSecurityPolicy-(TLS13|TLS|FS)-1-[23]-`)
	oldPolicies = regexp.MustCompile(`^ELBSecurityPolicy-((TLS13|TLS|FS)-1-[01]-|20\d\d-|FS-20\d\d-)`)
)

func minimumAWS(annotations map[string]string, key string) Answer {
	grade, says := gradeAWS(annotations[key])
	return Answer{grade, annotation(key), says}
}

// gradeAWS judges a security policy of AWS by its name.
func gradeAWS(policy string) (Grade, string) {
	switch {
	case policy == "":
		return Weak, "is missing, and AWS's default policy accepts TLS 1.0"
	case newPolicies.MatchString(policy):
		return Settled, "names a policy that refuses TLS below 1.2"
	case oldPolicies.MatchString(policy):
		return Violated, "names a policy that accepts TLS below 1.2"
	default:
		return Open, "names a policy of which nothing is known"
	}
}

const (
	elbCert     = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert"
	elbPolicy   = "service.beta.kubernetes.io/aws-load-balancer-ssl-negotiation-policy"
	elbProtocol = "service.beta.kubernetes.io/aws-load-balancer-backend-protocol"
)

// BalancerTLS is MinimumTLS for a Service of type LoadBalancer.
func BalancerTLS(service *corev1.Service) Answer {
	if service.Annotations[elbCert] != "" {
		return minimumAWS(service.Annotations, elbPolicy)
	}
	return Answer{Open, "spec.type", "is LoadBalancer: whether TLS below 1.2 is refused behind it shows only to whoever dials it"}
}

// BalancerPlaintext is Plaintext for a Service of type LoadBalancer.
func BalancerPlaintext(service *corev1.Service) Answer {
	if service.Annotations[elbCert] == "" && strings.EqualFold(service.Annotations[elbProtocol], "http") {
		return Answer{Violated, annotation(elbProtocol), "is http, and the load balancer has no certificate"}
	}
	return Answer{Open, "spec.type", "is LoadBalancer: whether plaintext is answered behind it shows only to whoever dials it"}
}
