package catalog

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "https-redirect",
	Title:    "Answer nobody from outside the cluster in plaintext",
	Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.TransmissionEncryption},
	Severity: control.High,
	Since:    1,
	Why: "A form, a cookie, a link from an old letter: whatever reaches a port without TLS has been read on the way before the application " +
		"could say no. A redirect that one annotation switches off is missed by nobody until then.",
	Remedy: "list every host under spec.tls, and let the ingress controller turn plaintext to TLS",
	Decides: "The Ingress decides at admission where it asks for plaintext itself. Every host has to be covered by spec.tls (with the class alb by " +
		"certificate-arn or listen-ports, with gce by a certificate of Google's, with Traefik by router.tls as well). Refused are, by class: " +
		"nginx with ssl-redirect false, unless force-ssl-redirect is true; haproxy with ssl-redirect false; traefik with the entry point web " +
		"and no middleware; alb that listens for HTTP without ssl-redirect, which it does by default without a certificate; gce and " +
		"gce-internal without allow-http false and without a FrontendConfig. What force-ssl-redirect, the listeners of alb, and allow-http " +
		"false ask for is Observed. All else the settings of the controller decide, which are not read: it is Attested by the profile's " +
		"statement about the class until that ends, and Unknown live without; so is a class whose controller is not known. A Service of type " +
		"LoadBalancer fails where its annotations ask AWS for HTTP without a certificate. Live, the addresses that the status of an Ingress (port " +
		"80) or of such a Service (each of its TCP ports) states are dialled: HEAD / for each host, without following. Nobody who listens, and a " +
		"redirect to the same host by https, are in order; so is status 400, or no HTTP, on a port that speaks TLS. Status 403, 404, 421, 426 and " +
		"5xx show nothing; any other fails. Where every way in was seen the verdict is Tested, before what is stated; what " +
		"the Ingress asks for wrongly fails all the same. What could not be dialled, or was too long ago, changes nothing: a Service " +
		"is then Unknown live. At admission and live, and not dialled: routes of the Gateway API that lead to the workload, by the listeners of the Gateways that " +
		"take them, in whatever namespace those are. What a change of a Gateway brings about is reported live. A listener of protocol HTTP fails unless every rule of the route that leads anywhere turns " +
		"callers to https by a RequestRedirect; HTTPS and TLS pass; of TCP, of a Gateway that is not there and of parents that are no Gateway it is " +
		"Unknown, and so are routes of other namespaces that a ReferenceGrant lets lead here.",
	Parameters: []control.Parameter{ingressStatements, edgeProbe, edgeProbeMinutes},
	Example:    ingressExample,
	Judges:     control.Ingresses | control.Services | control.Resources | control.Workloads,
	Resources:  routeTypes,
	Reports:    routeReports(),
	Needs:      control.Routes | control.Reports,
	NeedsLive:  control.Infrastructure,
	Check: edgeQuestions{ask: control.AskPlaintext, ingress: edge.Plaintext, balancer: edge.BalancerPlaintext, route: func(s *control.Subject, r *edge.Route) []edge.GatewayAnswer {
		var answers []edge.GatewayAnswer
		for _, a := range edge.RoutePlaintext(r, everywhere[edge.Gateway](s.World, gateways)) {
			answers = append(answers, edge.GatewayAnswer{Answer: a}) // no statement about a class makes plaintext TLS
		}
		return answers
	}}.judge,
	Satisfy: stateIngress,
	Breaks: control.Breaks{
		"no host has TLS":                             routed(func(i *networkingv1.Ingress) { i.Spec.TLS = nil }),
		"one host has no TLS":                         routed(func(i *networkingv1.Ingress) { i.Spec.TLS[0].Hosts = []string{"other.example.org"} }),
		"nginx that does not redirect":                asked("nginx", "nginx.ingress.kubernetes.io/ssl-redirect", "false"),
		"haproxy that does not redirect":              asked("haproxy", "haproxy.org/ssl-redirect", "false"),
		"traefik on an entry point without TLS":       asked("traefik", "traefik.ingress.kubernetes.io/router.entrypoints", "web, websecure"),
		"an AWS load balancer without a certificate":  asked("alb", "alb.ingress.kubernetes.io/scheme", "internal"),
		"an AWS load balancer that does not redirect": asked("alb", "alb.ingress.kubernetes.io/listen-ports", `[{"HTTP": 80}, {"HTTPS": 443}]`),
		"a Google load balancer that allows HTTP":     asked("gce", "kubernetes.io/ingress.allow-http", "true"),
		"a load balancer that takes HTTP": exposed(func(s *control.Subject) {
			s.Service.Spec.Type = corev1.ServiceTypeLoadBalancer
			s.Service.Annotations = map[string]string{"service.beta.kubernetes.io/aws-load-balancer-backend-protocol": "http"}
		}),
		"a route that a Gateway serves in plaintext":                routedBy(routeTo("patient-api", "plain"), gatewayOf("plain", listens("http", "HTTP", 80))),
		"a route that a Gateway serves as it comes":                 ledAstray(tcpRouteTo("patient-api", "tcp"), gatewayOf("tcp", listens("tcp", "TCP", 80))),
		"a route by a Gateway that is not there":                    ledAstray(routeTo("patient-api", "nowhere")),
		"a grant to the routes of some other namespaces":            reportsAlso(grantToTeamB()),
		"a load balancer that answers plaintext when it is dialled": answers(control.AskPlaintext, control.Dialled{Answer: control.Answered, Status: 200}),
	},
})

var ingressStatements = control.Parameter{
	Path: "network.ingressStatements", Basis: control.BasisGuidance,
	Meaning: "What a person states of the controller behind an ingress class, until an end date: that it turns plaintext to TLS, and refuses TLS " +
		"below 1.2 (NIST SP 800-52 Rev. 2, to which HHS's guidance on unsecured PHI points for data in motion), where no Ingress asks for " +
		"something else. The rule names no protocol.",
}

var (
	edgeProbe = control.Parameter{
		Path: "transmission.edgeProbe", Basis: control.BasisProfile,
		Meaning: "Whether the operator dials what callers from outside the cluster reach. Never is for clusters where it cannot.",
	}
	edgeProbeMinutes = control.Parameter{
		Path: "transmission.edgeProbeMinutes", Basis: control.BasisProfile,
		Meaning: "How many minutes lie between two dials of one address; 60 where no profile says it. What was seen counts for three times as long.",
	}
)

const ingressExample = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: patient-api
  namespace: ehr
  annotations:
    alb.ingress.kubernetes.io/certificate-arn: arn:aws:acm:us-east-1:111122223333:certificate/7f3
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
    alb.ingress.kubernetes.io/ssl-redirect: "443"
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-2-2021-06
spec:
  ingressClassName: alb
  tls: [{hosts: [api.ehr.example.org]}]
  rules:
  - host: api.ehr.example.org
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: patient-api, port: {name: http}}}
`

// routed changes the Ingress under judgement.
func routed(change func(*networkingv1.Ingress)) control.Break {
	return control.Break{Kind: control.Ingresses, Apply: func(s *control.Subject) { change(s.Ingress) }}
}

// answers lets a load balancer answer when it is dialled.
func answers(ask control.Ask, answer control.Dialled) control.Break {
	return control.Break{Kind: control.Services, Reported: true, Apply: func(s *control.Subject) {
		s.Service.Spec.Type, s.Service.Spec.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal
		s.Service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.80"}}
		answer.At = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
		s.World.Dialled = map[control.Endpoint]control.Dialled{}
		for _, way := range edge.BalancerWays(s.Service, ask) {
			s.World.Dialled[way.Endpoint] = answer
		}
	}}
}

// asked lets the Ingress ask the controller of a class for something.
func asked(class, key, value string) control.Break {
	return routed(func(i *networkingv1.Ingress) {
		i.Spec.IngressClassName = &class
		i.Annotations = map[string]string{key: value}
	})
}

// stateIngress states of the class of every Ingress what people can.
func stateIngress(s *control.Subject) {
	statement := hipaav1.Statement{StatedBy: "platform lead", Expires: metav1.Date(2027, time.June, 30, 0, 0, 0, 0, time.UTC)}
	s.Profile.Network.Ingresses = map[string]hipaav1.IngressStatement{"nginx": {IngressClass: "nginx", Statement: statement}}
}

// edgeQuestions are what a control asks of everything that lets callers in.
type edgeQuestions struct {
	ask      control.Ask
	ingress  func(*networkingv1.Ingress) []edge.Answer
	balancer func(*corev1.Service) edge.Answer
	route    func(*control.Subject, *edge.Route) []edge.GatewayAnswer
}

func (q edgeQuestions) judge(s control.Subject) []control.Finding {
	switch s.Kind() {
	case control.Ingresses:
		return answered(&s, q.ask, q.ingress(s.Ingress))
	case control.Services:
		return balanced(&s, q.ask, q.balancer)
	case control.Resources:
		return q.routed(&s)
	case control.Workloads:
		return ledBy(&s)
	default:
		return nil
	}
}

// answered turns what an Ingress says, and what answered when it was dialled, into
// findings. Where the controller's own settings decide, a connection shows them, and a
// statement about its class does where there was none.
func answered(s *control.Subject, ask control.Ask, answers []edge.Answer) []control.Finding {
	class := edge.ClassOf(s.Ingress)
	shown := dialled(s, edge.IngressWays(s.Ingress, ask))
	findings := make([]control.Finding, len(answers))
	for i, a := range answers {
		findings[i] = answer(s, "IngressClass", class, a)
		if a.Grade == edge.Weak && shown.met != nil {
			findings[i] = *shown.met
		}
	}
	return shown.over(findings)
}

// answer turns an answer into a finding, where it is open by a statement about a class of
// a kind.
func answer(s *control.Subject, kind, class string, a edge.Answer) control.Finding {
	statement, stated := s.Profile.Network.Ingresses[class]
	switch {
	case a.Grade == edge.Settled:
		return control.Met(a.Path, "%s", a.Message)
	case a.Grade == edge.Violated || a.Grade == edge.Weak && !stated:
		return control.Failed(a.Path, "%s", a.Message)
	case stated:
		return control.Met(a.Path, "%s; the controller of the class is stated to be set up for it until %s", a.Message,
			statement.Expires.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
	default:
		return control.Undecided(a.Path, "%s", a.Message).OnlyLive().
			But("have the %s stated as an ingressClass under network.ingressStatements in the ComplianceProfile, once somebody has looked", kind)
	}
}

// balanced turns what a Service of type LoadBalancer says, and what answered when it was
// dialled, into findings. There is no class that a statement could be about.
func balanced(s *control.Subject, ask control.Ask, declares func(*corev1.Service) edge.Answer) []control.Finding {
	if s.Service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	shown := dialled(s, edge.BalancerWays(s.Service, ask))
	if !edge.AllTCP(s.Service) {
		shown.met = nil
	}
	var declared control.Finding
	switch a := declares(s.Service); a.Grade {
	case edge.Settled:
		declared = control.Met(a.Path, "%s", a.Message)
	case edge.Open:
		declared = control.Undecided(a.Path, "%s", a.Message).OnlyLive().But("let the operator dial it, or let callers in by an Ingress")
	default:
		declared = control.Failed(a.Path, "%s", a.Message).But("give the load balancer a certificate and a security policy, or let callers in by an Ingress")
	}
	return shown.over([]control.Finding{declared})
}

// routed judges a route that leads to the workload.
func (q edgeQuestions) routed(s *control.Subject) []control.Finding {
	r := routeOf(s, s.Resource)
	if r == nil {
		return []control.Finding{control.NotApplicable("leads no caller from outside to the workload")}
	}
	answers := q.route(s, r)
	if len(answers) == 0 {
		return []control.Finding{control.NotApplicable("attaches to no listener with TLS")}
	}
	findings := make([]control.Finding, len(answers))
	for i, a := range answers {
		findings[i] = answer(s, "GatewayClass", a.Class, a.Answer)
		if a.Class == "" && findings[i].Verdict != hipaav1.VerdictPass {
			findings[i] = findings[i].But("let the route attach to listeners with TLS alone, of a Gateway that is there, and give plaintext a route that redirects to https")
		}
	}
	return findings
}

// ledBy says of the workload as a whole whether anything leads to it; Ingresses and
// routes are each judged by themselves.
func ledBy(s *control.Subject) []control.Finding {
	findings, routes := granted(s), routesTo(s)
	switch w := s.World; {
	case len(findings) > 0 || len(w.Ingresses) > 0 || routes > 0 || slices.ContainsFunc(w.Exposing, isBalancer):
		return findings
	case len(w.Pods) == 0 && len(w.Exposing) == 0:
		return []control.Finding{control.Undecided("", "nothing runs yet, and nothing leads to it").OnlyLive().But("start the workload")}
	default:
		return []control.Finding{control.Met("", "no Ingress and no route leads to it")}
	}
}

func isBalancer(service *corev1.Service) bool {
	return service != nil && service.Spec.Type == corev1.ServiceTypeLoadBalancer
}
