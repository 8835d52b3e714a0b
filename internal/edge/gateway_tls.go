package edge

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ClientTraffic is a ClientTrafficPolicy of Envoy Gateway.
type ClientTraffic struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Target    target   `json:"targetRef"`
		Targets   []target `json:"targetRefs"`
		Selectors []struct {
			Kind   string                            `json:"kind"`
			Match  map[string]string                 `json:"matchLabels"`
			Expect []metav1.LabelSelectorRequirement `json:"matchExpressions"`
		} `json:"targetSelectors"`
		TLS struct {
			Minimum string `json:"minVersion"`
		} `json:"tls"`
	} `json:"spec"`
}

// GooglePolicy is a GCPGatewayPolicy of GKE.
type GooglePolicy struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Target  target `json:"targetRef"`
		Default struct {
			Policy string `json:"sslPolicy"`
		} `json:"default"`
	} `json:"spec"`
}

// LoadBalancer is a LoadBalancerConfiguration of the AWS Load Balancer Controller.
type LoadBalancer struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Listeners []struct {
			Port   string `json:"protocolPort"`
			Policy string `json:"sslPolicy"`
		} `json:"listenerConfigurations"`
	} `json:"spec"`
}

// Policies are what the implementations of the Gateway API that are known let people say
// of TLS.
type Policies struct {
	Traffic   []*ClientTraffic
	Google    []*GooglePolicy
	Balancers []*LoadBalancer
}

// GatewayAnswer is an answer of which the class of a Gateway is known; without one no
// statement about a class is about it.
type GatewayAnswer struct {
	Answer
	Class string
}

// RouteTLS answers whether the callers of a route are refused with TLS below 1.2.
// Listeners without TLS are asked of nothing here.
func RouteTLS(r *Route, gateways []*Gateway, p *Policies) []GatewayAnswer {
	served, untold := attachments(r, gateways)
	var answers []GatewayAnswer
	for _, a := range untold {
		answers = append(answers, GatewayAnswer{Answer: a})
	}
	for i := range served {
		a := &served[i]
		switch {
		case a.listener.Protocol != "HTTPS" && a.listener.Protocol != "TLS":
		case a.listener.TLS.Mode == "Passthrough":
			answers = append(answers, GatewayAnswer{Answer: Answer{Open, a.path, a.says("which passes TLS through: the minimum is that of who ends it behind")}})
		default:
			grade, says := p.minimum(a.gateway, a.listener)
			answers = append(answers, GatewayAnswer{Answer{grade, a.path, a.says(says)}, a.gateway.Spec.Class})
		}
	}
	return answers
}

// minimum says what is known of the least version that a listener accepts.
func (p *Policies) minimum(g *Gateway, l *Listener) (Grade, string) {
	parameters := g.Spec.Infrastructure.Parameters
	if traffic := p.trafficOf(g, l); traffic != nil {
		grade, says := traffic.minimum()
		return grade, fmt.Sprintf("whose ClientTrafficPolicy %s %s", traffic.Metadata.Name, says)
	}
	switch {
	case parameters.Group == "gateway.k8s.aws" && parameters.Kind == "LoadBalancerConfiguration":
		return p.minimumAWS(g, l)
	case strings.HasPrefix(g.Spec.Class, "gke-l7-"):
		for _, policy := range p.Google {
			if policy.Metadata.Namespace == g.Metadata.Namespace && policy.Spec.Target.Name == g.Metadata.Name && policy.Spec.Default.Policy != "" {
				return Open, fmt.Sprintf("whose GCPGatewayPolicy %s names an SSL policy, which is not read", policy.Metadata.Name)
			}
		}
		return Weak, "for which no GCPGatewayPolicy names an SSL policy, and Google's default accepts TLS 1.0"
	default:
		return Open, "whose least version of TLS the settings of its implementation decide, which are not read"
	}
}

// trafficOf is the policy of Envoy Gateway about a listener, that which names it before
// one about the whole Gateway.
func (p *Policies) trafficOf(g *Gateway, l *Listener) *ClientTraffic {
	var found *ClientTraffic
	for _, t := range p.Traffic {
		if t.Metadata.Namespace != g.Metadata.Namespace {
			continue
		}
		for _, at := range append(slices.Clone(t.Spec.Targets), t.Spec.Target) {
			switch {
			case at.Kind != "Gateway" || at.Name != g.Metadata.Name:
			case at.Section == l.Name:
				return t
			case at.Section == "":
				found = t
			}
		}
		if found == nil && t.selects(g) {
			found = t
		}
	}
	return found
}

func (t *ClientTraffic) selects(g *Gateway) bool {
	for _, s := range t.Spec.Selectors {
		selector, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: s.Match, MatchExpressions: s.Expect})
		if s.Kind == "Gateway" && err == nil && selector.Matches(labels.Set(g.Metadata.Labels)) {
			return true
		}
	}
	return false
}

// minimum goes by Envoy Gateway's documented default, which is 1.2.
func (t *ClientTraffic) minimum() (Grade, string) {
	switch t.Spec.TLS.Minimum {
	case "1.2", "1.3":
		return Settled, "asks for TLS 1.2 or later"
	case "1.0", "1.1":
		return Violated, "accepts TLS below 1.2"
	default:
		return Open, "leaves the least version to Envoy Gateway, which refuses TLS below 1.2 unless its own settings let it in"
	}
}

// Minimum answers what the policy asks for wherever it is used.
func (t *ClientTraffic) Minimum() Answer {
	grade, says := t.minimum()
	return Answer{grade, "spec.tls.minVersion", says}
}

// minimumAWS goes by the default that the AWS Load Balancer Controller documents.
func (p *Policies) minimumAWS(g *Gateway, l *Listener) (Grade, string) {
	name := g.Spec.Infrastructure.Parameters.Name
	for _, b := range p.Balancers {
		if b.Metadata.Namespace != g.Metadata.Namespace || b.Metadata.Name != name {
			continue
		}
		for _, listener := range b.Spec.Listeners {
			if listener.Port == fmt.Sprintf("%s:%d", l.Protocol, l.Port) {
				grade, says := gradeAWS(listener.Policy)
				return grade, fmt.Sprintf("whose sslPolicy in LoadBalancerConfiguration %s %s", name, says)
			}
		}
		grade, says := gradeAWS("")
		return grade, fmt.Sprintf("whose sslPolicy in LoadBalancerConfiguration %s %s", name, says)
	}
	return Open, fmt.Sprintf("whose LoadBalancerConfiguration %s is not there", name)
}

// Minimum answers what the configuration asks for wherever it is used, each listener of
// it that names a policy.
func (b *LoadBalancer) Minimum() []Answer {
	var answers []Answer
	for i, listener := range b.Spec.Listeners {
		if listener.Policy != "" {
			grade, says := gradeAWS(listener.Policy)
			answers = append(answers, Answer{grade, fmt.Sprintf("spec.listenerConfigurations[%d].sslPolicy", i), says})
		}
	}
	return answers
}
