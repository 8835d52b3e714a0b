package edge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var grades = map[edge.Grade]string{edge.Settled: "settled", edge.Open: "open", edge.Weak: "weak", edge.Violated: "violated"}

// brief is the grade and the path of answers; messages are golden texts.
func brief(answers ...edge.Answer) []string {
	var said []string
	for _, a := range answers {
		said = append(said, grades[a.Grade]+" "+a.Path)
	}
	return said
}

func class(name string, keysAndValues ...string) *phitest.IngressBuilder {
	return phitest.Ingress("i", "api.example.org", "api").Annotate(keysAndValues...).With(func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &name })
}

func withoutTLS(i *networkingv1.Ingress) { i.Spec.TLS = nil }

func TestPlaintextIsAnsweredByClass(t *testing.T) {
	const force, entries = "nginx.ingress.kubernetes.io/force-ssl-redirect", "traefik.ingress.kubernetes.io/router.entrypoints"
	const listen, arn = "alb.ingress.kubernetes.io/listen-ports", "alb.ingress.kubernetes.io/certificate-arn"
	allow, frontend := "kubernetes.io/ingress.allow-http", "networking.gke.io/v1beta1.FrontendConfig"
	at := func(key string) string { return "metadata.annotations[" + key + "]" }
	for name, tc := range map[string]struct {
		give *phitest.IngressBuilder
		want []string
	}{
		"nginx with TLS":                        {class("nginx"), []string{"open spec.tls"}},
		"nginx by the older annotation":         {phitest.Ingress("i", "a.example.org", "a").Annotate("kubernetes.io/ingress.class", "nginx").With(func(i *networkingv1.Ingress) { i.Spec.IngressClassName = nil }), []string{"open spec.tls"}},
		"nginx with TLS ended before it":        {class("nginx", force, "true", "nginx.ingress.kubernetes.io/ssl-redirect", "false").With(withoutTLS), []string{"settled " + at(force)}},
		"nginx without TLS":                     {class("nginx").With(withoutTLS), []string{"violated spec.tls", "open spec.tls"}},
		"traefik with a middleware":             {class("traefik", entries, "web", "traefik.ingress.kubernetes.io/router.middlewares", "default-redirect@kubernetescrd"), []string{"open " + at(entries)}},
		"traefik with TLS on the router":        {class("traefik", entries, "websecure", "traefik.ingress.kubernetes.io/router.tls", "true").With(withoutTLS), []string{"open " + at(entries)}},
		"haproxy of the community, switched":    {class("haproxy", "haproxy-ingress.github.io/ssl-redirect", "false"), []string{"violated " + at("haproxy-ingress.github.io/ssl-redirect")}},
		"haproxy with TLS":                      {class("haproxy"), []string{"open spec.tls"}},
		"alb with a certificate alone":          {class("alb", arn, "arn:aws:acm:x"), []string{"settled " + at(arn)}},
		"alb for TLS alone":                     {class("alb", listen, `[{"HTTPS": 8443}]`), []string{"settled " + at(listen)}},
		"alb that redirects":                    {class("alb", listen, `[{"HTTP": 80}, {"HTTPS": 443}]`, "alb.ingress.kubernetes.io/ssl-redirect", "443"), []string{"settled " + at("alb.ingress.kubernetes.io/ssl-redirect")}},
		"alb with an action":                    {class("alb", listen, `[{"HTTP": 80}]`, "alb.ingress.kubernetes.io/actions.ssl-redirect", "{}"), []string{"open " + at(listen)}},
		"alb with ports that cannot be read":    {class("alb", listen, `HTTP`), []string{"open " + at(listen)}},
		"gce with a certificate of Google's":    {class("gce", allow, "false", "networking.gke.io/managed-certificates", "c").With(withoutTLS), []string{"settled " + at(allow)}},
		"gce inside, without a certificate":     {class("gce-internal", allow, "false").With(withoutTLS), []string{"violated spec.tls", "settled " + at(allow)}},
		"gce with settings of its own":          {class("gce", frontend, "f"), []string{"open " + at(frontend)}},
		"a controller that nobody knows":        {class("edge"), []string{"open spec.ingressClassName"}},
		"no controller":                         {class(""), []string{"open spec.ingressClassName"}},
		"a controller that nobody knows, plain": {class("edge").With(withoutTLS), []string{"violated spec.tls", "open spec.ingressClassName"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, brief(edge.Plaintext(tc.give.Obj())...)); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHostsAreCoveredByNameAndByWildcard(t *testing.T) {
	for name, tc := range map[string]struct {
		hosts, covered []string
		want           []string
	}{
		"each by its name":               {hosts: []string{"a.example.org", "b.example.org"}, covered: []string{"b.example.org", "a.example.org"}, want: []string{"open spec.tls"}},
		"by a wildcard":                  {hosts: []string{"a.example.org"}, covered: []string{"*.example.org"}, want: []string{"open spec.tls"}},
		"a wildcard reaches one level":   {hosts: []string{"a.b.example.org"}, covered: []string{"*.example.org"}, want: []string{"violated spec.rules[0].host", "open spec.tls"}},
		"whatever host, by no name":      {hosts: []string{""}, want: []string{"open spec.tls"}},
		"whatever host, by some name":    {hosts: []string{"a.example.org", ""}, covered: []string{"a.example.org"}, want: []string{"violated spec.rules[1].host", "open spec.tls"}},
		"two of three":                   {hosts: []string{"a.org", "b.org", "c.org"}, covered: []string{"a.org"}, want: []string{"violated spec.rules[1].host", "open spec.tls"}},
		"a host that is a wildcard":      {hosts: []string{"*.example.org"}, covered: []string{"*.example.org"}, want: []string{"open spec.tls"}},
		"a name that is only the parent": {hosts: []string{"org"}, covered: []string{"*."}, want: []string{"violated spec.rules[0].host", "open spec.tls"}},
	} {
		t.Run(name, func(t *testing.T) {
			ingress := class("nginx").Obj()
			ingress.Spec.TLS, ingress.Spec.Rules = []networkingv1.IngressTLS{{Hosts: tc.covered}}, nil
			for _, host := range tc.hosts {
				ingress.Spec.Rules = append(ingress.Spec.Rules, networkingv1.IngressRule{Host: host})
			}
			if diff := cmp.Diff(tc.want, brief(edge.Plaintext(ingress)...)); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOldTLSIsAnsweredByClass(t *testing.T) {
	const policy, snippet = "alb.ingress.kubernetes.io/ssl-policy", "nginx.ingress.kubernetes.io/server-snippet"
	at := func(key string) string { return "metadata.annotations[" + key + "]" }
	for name, tc := range map[string]struct {
		give *phitest.IngressBuilder
		want string
	}{
		"nginx":                               {class("nginx"), "open spec.ingressClassName"},
		"nginx told to be as it is":           {class("nginx", snippet, "ssl_protocols TLSv1.2 TLSv1.3;"), "open spec.ingressClassName"},
		"nginx told to be older":              {class("nginx", snippet, "add_header X y;\nssl_protocols\n  TLSv1 TLSv1.2;"), "violated " + at(snippet)},
		"nginx told to be a lot older":        {class("nginx", snippet, "ssl_protocols SSLv3"), "violated " + at(snippet)},
		"nginx told of versions elsewhere":    {class("nginx", snippet, "ssl_protocols TLSv1.2; # never TLSv1\n"), "open spec.ingressClassName"},
		"traefik":                             {class("traefik", "traefik.ingress.kubernetes.io/router.tls.options", "default-old@kubernetescrd"), "open spec.ingressClassName"},
		"haproxy":                             {class("haproxy"), "open spec.ingressClassName"},
		"alb by default":                      {class("alb"), "weak " + at(policy)},
		"alb from 1.2":                        {class("alb", policy, "ELBSecurityPolicy-TLS-1-2-Ext-2018-06"), "settled " + at(policy)},
		"alb from 1.3":                        {class("alb", policy, "ELBSecurityPolicy-TLS13-1-3-2021-06"), "settled " + at(policy)},
		"alb with 1.3, from 1.0":              {class("alb", policy, "ELBSecurityPolicy-TLS13-1-0-2021-06"), "violated " + at(policy)},
		"alb with forward secrecy, from 1.2":  {class("alb", policy, "ELBSecurityPolicy-FS-1-2-Res-2020-10"), "settled " + at(policy)},
		"alb with forward secrecy, from 1.0":  {class("alb", policy, "ELBSecurityPolicy-FS-2018-06"), "violated " + at(policy)},
		"alb with the default, by its name":   {class("alb", policy, "ELBSecurityPolicy-2016-08"), "violated " + at(policy)},
		"alb with a policy that nobody knows": {class("alb", policy, "ours"), "open " + at(policy)},
		"gce by default":                      {class("gce"), "weak " + at("networking.gke.io/v1beta1.FrontendConfig")},
		"gce with settings of its own":        {class("gce", "networking.gke.io/v1beta1.FrontendConfig", "f"), "open " + at("networking.gke.io/v1beta1.FrontendConfig")},
		"a controller that nobody knows":      {class("edge"), "open spec.ingressClassName"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := brief(edge.MinimumTLS(tc.give.Obj())...)[0]; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestLoadBalancersAreAnsweredByAnnotation(t *testing.T) {
	const cert, protocol = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert", "service.beta.kubernetes.io/aws-load-balancer-backend-protocol"
	const policy = "service.beta.kubernetes.io/aws-load-balancer-ssl-negotiation-policy"
	for name, tc := range map[string]struct {
		give           map[string]string
		plaintext, tls string
	}{
		"nothing":                         {nil, "open spec.type", "open spec.type"},
		"plaintext":                       {map[string]string{protocol: "HTTP"}, "violated metadata.annotations[" + protocol + "]", "open spec.type"},
		"plaintext behind TLS":            {map[string]string{protocol: "http", cert: "arn"}, "open spec.type", "weak metadata.annotations[" + policy + "]"},
		"a certificate and a policy":      {map[string]string{cert: "arn", policy: "ELBSecurityPolicy-TLS13-1-2-2021-06"}, "open spec.type", "settled metadata.annotations[" + policy + "]"},
		"a policy without what it is for": {map[string]string{policy: "ELBSecurityPolicy-2015-05"}, "open spec.type", "open spec.type"},
	} {
		t.Run(name, func(t *testing.T) {
			service := &corev1.Service{}
			service.Annotations = tc.give
			got := []string{brief(edge.BalancerPlaintext(service))[0], brief(edge.BalancerTLS(service))[0]}
			if diff := cmp.Diff([]string{tc.plaintext, tc.tls}, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}
