// Package edge says what Ingresses and Services of type LoadBalancer ask of whatever
// lets callers in from outside the cluster. Its promise: it computes from the object
// and the documented behaviour of known controllers, and calls open what only the
// controller's own settings, or a connection, could tell.
package edge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
)

// Grade says how far an object settles a question.
type Grade int

// The grades.
const (
	// Settled says that the object itself asks for what is right.
	Settled Grade = iota
	// Open says that the settings of the controller decide, which are not seen.
	Open
	// Weak says that the controller does too little unless its settings differ from
	// the documented default.
	Weak
	// Violated says that the object itself asks for what is wrong.
	Violated
)

// Answer is what an object says at one path.
type Answer struct {
	Grade   Grade
	Path    string
	Message string
}

// The ingress controllers that are known, by the usual names of their classes.
const (
	nginx   = "nginx"
	traefik = "traefik"
	haproxy = "haproxy"
	alb     = "alb"
	gce     = "gce"
)

var controllers = map[string]string{
	"nginx": nginx, "traefik": traefik, "haproxy": haproxy, "alb": alb, "gce": gce, "gce-internal": gce,
}

// ClassOf is the class that an Ingress names, by field or by the older annotation.
func ClassOf(ingress *networkingv1.Ingress) string {
	return cmp.Or(ptr.Deref(ingress.Spec.IngressClassName, ""), ingress.Annotations["kubernetes.io/ingress.class"])
}

func annotation(key string) string { return "metadata.annotations[" + key + "]" }

// unknown is the answer about an Ingress of which nobody knows who serves it.
func unknown(class string) Answer {
	if class == "" {
		return Answer{Open, "spec.ingressClassName", "is missing, and which controller serves the Ingress cannot be told"}
	}
	return Answer{Open, "spec.ingressClassName", "names no ingress controller whose annotations are known"}
}

// Plaintext answers whether callers are turned to TLS before anything passes.
func Plaintext(ingress *networkingv1.Ingress) []Answer {
	class := ClassOf(ingress)
	switch controllers[class] {
	case nginx:
		return plainNginx(ingress)
	case traefik:
		return plainTraefik(ingress)
	case haproxy:
		return plainHAProxy(ingress)
	case alb:
		return []Answer{plainALB(ingress.Annotations)}
	case gce:
		return plainGCE(ingress)
	default:
		return append(withoutTLS(ingress), unknown(class))
	}
}

// withoutTLS says which hosts have no certificate: they are served in plaintext.
func withoutTLS(ingress *networkingv1.Ingress) []Answer {
	if len(ingress.Spec.TLS) == 0 {
		return []Answer{{Violated, "spec.tls", "is missing: every host is served without TLS"}}
	}
	path, count := "", 0
	for i := range ingress.Spec.Rules {
		if coveredBy(ingress.Spec.TLS, ingress.Spec.Rules[i].Host) {
			continue
		}
		if count++; count == 1 {
			path = fmt.Sprintf("spec.rules[%d].host", i)
		}
	}
	switch count {
	case 0:
		return nil
	case 1:
		return []Answer{{Violated, path, "is not among the hosts of spec.tls, and is served without TLS"}}
	default:
		return []Answer{{Violated, path, fmt.Sprintf("is not among the hosts of spec.tls, and is served without TLS (and so are %d more)", count-1)}}
	}
}

// coveredBy reports whether an entry without hosts, or one of the host or of its
// parent with a wildcard, is there.
func coveredBy(entries []networkingv1.IngressTLS, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(entries, func(entry networkingv1.IngressTLS) bool {
		return len(entry.Hosts) == 0 || host != "" && (slices.Contains(entry.Hosts, host) || parent != "" && slices.Contains(entry.Hosts, "*."+parent))
	})
}

const (
	nginxRedirect = "nginx.ingress.kubernetes.io/ssl-redirect"
	nginxForce    = "nginx.ingress.kubernetes.io/force-ssl-redirect"
)

func plainNginx(ingress *networkingv1.Ingress) []Answer {
	if ingress.Annotations[nginxForce] == "true" {
		return []Answer{{Settled, annotation(nginxForce), "turns every caller to TLS"}}
	}
	answers := withoutTLS(ingress)
	if ingress.Annotations[nginxRedirect] == "false" {
		return append(answers, Answer{Violated, annotation(nginxRedirect), "is false: hosts with TLS are served in plaintext as well"})
	}
	return append(answers, Answer{Open, "spec.tls", "makes nginx turn callers to TLS, unless its own settings keep it from that"})
}

var haproxyRedirects = []string{"haproxy.org/ssl-redirect", "haproxy-ingress.github.io/ssl-redirect", "ingress.kubernetes.io/ssl-redirect"}

func plainHAProxy(ingress *networkingv1.Ingress) []Answer {
	answers := withoutTLS(ingress)
	for _, key := range haproxyRedirects {
		if ingress.Annotations[key] == "false" {
			return append(answers, Answer{Violated, annotation(key), "is false: hosts with TLS are served in plaintext as well"})
		}
	}
	return append(answers, Answer{Open, "spec.tls", "makes HAProxy turn callers to TLS, unless its own settings keep it from that"})
}

const (
	traefikEntry      = "traefik.ingress.kubernetes.io/router.entrypoints"
	traefikTLS        = "traefik.ingress.kubernetes.io/router.tls"
	traefikMiddleware = "traefik.ingress.kubernetes.io/router.middlewares"
)

// plainTraefik goes by the names that entry points have in Traefik's own chart.
func plainTraefik(ingress *networkingv1.Ingress) []Answer {
	var answers []Answer
	if ingress.Annotations[traefikTLS] != "true" {
		answers = withoutTLS(ingress)
	}
	entries := strings.Split(strings.ReplaceAll(ingress.Annotations[traefikEntry], " ", ""), ",")
	if slices.Contains(entries, "web") && ingress.Annotations[traefikMiddleware] == "" {
		return append(answers, Answer{Violated, annotation(traefikEntry), "has the entry point web, and no middleware turns its callers to TLS"})
	}
	return append(answers, Answer{Open, annotation(traefikEntry), "and the settings of Traefik's entry points and middlewares decide whether plaintext is answered"})
}

const (
	albListen   = "alb.ingress.kubernetes.io/listen-ports"
	albRedirect = "alb.ingress.kubernetes.io/ssl-redirect"
	albCert     = "alb.ingress.kubernetes.io/certificate-arn"
	albActions  = "alb.ingress.kubernetes.io/actions."
)

func plainALB(annotations map[string]string) Answer {
	listen := annotations[albListen]
	if listen == "" {
		if annotations[albCert] == "" {
			return Answer{Violated, annotation(albListen), "is missing, and without a certificate-arn the load balancer listens for plaintext"}
		}
		return Answer{Settled, annotation(albCert), "makes the load balancer listen for TLS alone"}
	}
	var ports []map[string]int
	if err := json.Unmarshal([]byte(listen), &ports); err != nil {
		return Answer{Open, annotation(albListen), "is no list of ports that could be read"}
	}
	plain := slices.ContainsFunc(ports, func(port map[string]int) bool { _, is := port["HTTP"]; return is })
	switch {
	case !plain:
		return Answer{Settled, annotation(albListen), "listens for TLS alone"}
	case annotations[albRedirect] != "":
		return Answer{Settled, annotation(albRedirect), "turns every caller to TLS"}
	case hasPrefixed(annotations, albActions):
		return Answer{Open, annotation(albListen), "listens for plaintext, and whether an action turns every caller to TLS is not read"}
	default:
		return Answer{Violated, annotation(albListen), "listens for plaintext, and no ssl-redirect turns callers to TLS"}
	}
}

func hasPrefixed(annotations map[string]string, prefix string) bool {
	for key := range annotations {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

const (
	gceAllow    = "kubernetes.io/ingress.allow-http"
	gceFrontend = "networking.gke.io/v1beta1.FrontendConfig"
)

// gceCertificates are what stands in for spec.tls.
var gceCertificates = []string{"networking.gke.io/managed-certificates", "ingress.gcp.kubernetes.io/pre-shared-cert", "networking.gke.io/certmap"}

func plainGCE(ingress *networkingv1.Ingress) []Answer {
	var answers []Answer
	if !slices.ContainsFunc(gceCertificates, func(key string) bool { return ingress.Annotations[key] != "" }) {
		answers = withoutTLS(ingress)
	}
	switch {
	case ingress.Annotations[gceAllow] == "false":
		return append(answers, Answer{Settled, annotation(gceAllow), "is false: plaintext is not answered"})
	case ingress.Annotations[gceFrontend] != "":
		return append(answers, Answer{Open, annotation(gceFrontend), "names a FrontendConfig, which is not read: it may turn callers to TLS"})
	default:
		return append(answers, Answer{Violated, annotation(gceAllow), "is not false, and no FrontendConfig turns callers to TLS"})
	}
}
