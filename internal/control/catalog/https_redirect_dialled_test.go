package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// at is what an endpoint of the test's load balancer answered, an hour ago.
func at(ask control.Ask, port int32, host string, answer control.Dialled) func(*control.Subject) {
	return func(s *control.Subject) {
		answer.At = phitest.Epoch.Add(-time.Hour)
		s.World.Dialled[control.Endpoint{Ask: ask, Address: "198.51.100.80", Port: port, Host: host}] = answer
	}
}

func dialledSubject(answers ...func(*control.Subject)) *control.Subject {
	s := &control.Subject{Profile: &control.Profile{}, Now: phitest.Epoch, World: &control.World{Dialled: map[control.Endpoint]control.Dialled{}}}
	for _, answer := range answers {
		answer(s)
	}
	return s
}

func TestWhatAnIngressAnswersCountsBeforeWhatIsStated(t *testing.T) {
	const host = "api.example.org"
	stated := func(s *control.Subject) {
		s.Profile.Network.Ingresses = map[string]hipaav1.IngressStatement{"nginx": {Statement: hipaav1.Statement{Expires: phitest.After(0)}}}
	}
	never := func(s *control.Subject) { s.Profile.Transmission.EdgeProbe = hipaav1.EdgeProbeNever }
	late := func(s *control.Subject) { s.Now = s.Now.Add(2 * time.Hour) }
	old := at(control.AskTLS, 443, host, control.Dialled{Answer: control.OldAccepted, Version: 0x0302})
	refuses := at(control.AskTLS, 443, host, control.Dialled{Answer: control.OldRefused})
	unclear := at(control.AskTLS, 443, host, control.Dialled{})
	const passes = "Pass: spec.rules[0].host refuses TLS below 1.2; dialled on 2026-03-02 [Tested]"
	const attested = "Pass: spec is so; the controller of the class is stated to be set up for it until 2026-03-02 [Attested]"
	const fails = "spec.rules[0].host accepted TLS 1.1 when it was dialled on 2026-03-02 [Tested] (live)"
	for name, tc := range map[string]struct {
		give  []func(*control.Subject)
		grade edge.Grade
		want  []string
	}{
		"open, and never dialled":                   {nil, edge.Open, []string{"Unknown: spec is so (live)"}},
		"open, and refuses what is old":             {[]func(*control.Subject){refuses}, edge.Open, []string{passes}},
		"weak, and refuses what is old":             {[]func(*control.Subject){refuses}, edge.Weak, []string{passes}},
		"stated, and refuses what is old":           {[]func(*control.Subject){stated, refuses}, edge.Open, []string{passes}},
		"settled, and refuses what is old":          {[]func(*control.Subject){refuses}, edge.Settled, []string{passes}},
		"wrong, and refuses what is old":            {[]func(*control.Subject){refuses}, edge.Violated, []string{"spec is so"}},
		"stated, and accepts what is old":           {[]func(*control.Subject){stated, old}, edge.Open, []string{attested, fails}},
		"settled, and accepts what is old":          {[]func(*control.Subject){old}, edge.Settled, []string{"Pass: spec is so", fails}},
		"stated, and could not be reached":          {[]func(*control.Subject){stated, unclear}, edge.Open, []string{attested}},
		"open, and could not be reached":            {[]func(*control.Subject){unclear}, edge.Open, []string{"Unknown: spec is so (live)"}},
		"open, and refused too long ago":            {[]func(*control.Subject){refuses, late}, edge.Open, []string{"Unknown: spec is so (live)"}},
		"stated, and accepted too long ago":         {[]func(*control.Subject){stated, old, late}, edge.Open, []string{attested}},
		"open, and refused before it was forbidden": {[]func(*control.Subject){refuses, never}, edge.Open, []string{"Unknown: spec is so (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := dialledSubject(tc.give...)
			s.Ingress = phitest.Ingress("i", host, "s").With(func(i *networkingv1.Ingress) {
				i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "198.51.100.80"}}
			}).Obj()
			got := sentences(answered(s, control.AskTLS, []edge.Answer{{Grade: tc.grade, Path: "spec", Message: "is so"}}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePortsOfALoadBalancerAreJudgedTogether(t *testing.T) {
	tls := func(port int32, answer control.Answer) func(*control.Subject) {
		return at(control.AskTLS, port, "", control.Dialled{Answer: answer, Version: 0x0301})
	}
	plain := func(port int32, answer control.Answer) func(*control.Subject) {
		return at(control.AskPlaintext, port, "", control.Dialled{Answer: answer, Status: 200})
	}
	const unknown = "Unknown: spec is so (live)"
	const refuses, turns = "Pass: spec.ports[0] refuses TLS below 1.2; dialled on 2026-03-02 (+1 more) [Tested]",
		"Pass: spec.ports[0] answers nothing in plaintext but where TLS is; dialled on 2026-03-02 (+1 more) [Tested]"
	for name, tc := range map[string]struct {
		give               []func(*control.Subject)
		wantTLS, wantPlain []string
	}{
		"nothing is known": {nil, []string{unknown}, []string{unknown}},
		"TLS, and a port that turns to it": {
			[]func(*control.Subject){tls(443, control.OldRefused), plain(443, control.Rejected), tls(80, control.Unclear), plain(80, control.Turned)},
			[]string{refuses}, []string{turns},
		},
		"TLS, and a port that nobody serves": {
			[]func(*control.Subject){tls(443, control.OldRefused), plain(443, control.Rejected), tls(80, control.Unclear), plain(80, control.Closed)},
			[]string{refuses}, []string{turns},
		},
		"old TLS, and a port that turns to it": {
			[]func(*control.Subject){tls(443, control.OldAccepted), plain(443, control.Rejected), tls(80, control.Unclear), plain(80, control.Turned)},
			[]string{unknown, "spec.ports[0] accepted TLS 1.0 when it was dialled on 2026-03-02 [Tested] (live)"}, []string{turns},
		},
		"TLS, and a port in plaintext": {
			[]func(*control.Subject){tls(443, control.OldRefused), plain(443, control.Rejected), tls(80, control.Unclear), plain(80, control.Answered)},
			[]string{unknown}, []string{unknown, "spec.ports[1] answered plaintext with status 200 when it was dialled on 2026-03-02 [Tested] (live)"},
		},
		"TLS, and a port of another protocol": {
			[]func(*control.Subject){tls(443, control.OldRefused), plain(443, control.Rejected), tls(80, control.Unclear), plain(80, control.Rejected)},
			[]string{unknown}, []string{unknown},
		},
		"TLS and plaintext on one port": {
			[]func(*control.Subject){tls(443, control.OldRefused), plain(443, control.Answered), tls(80, control.Unclear), plain(80, control.Turned)},
			[]string{refuses}, []string{unknown, "spec.ports[0] answered plaintext with status 200 when it was dialled on 2026-03-02 [Tested] (live)"},
		},
		"nobody who serves": {
			[]func(*control.Subject){tls(443, control.Unclear), plain(443, control.Closed), tls(80, control.Unclear), plain(80, control.Closed)},
			[]string{unknown}, []string{turns},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := dialledSubject(tc.give...)
			s.Service = &corev1.Service{Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 443}, {Port: 80}},
			}}
			s.Service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.80"}}
			open := func(*corev1.Service) edge.Answer {
				return edge.Answer{Grade: edge.Open, Path: "spec", Message: "is so"}
			}
			for ask, want := range map[control.Ask][]string{control.AskTLS: tc.wantTLS, control.AskPlaintext: tc.wantPlain} {
				if diff := cmp.Diff(want, sentences(balanced(s, ask, open))); diff != "" {
					t.Errorf("%v (-want +got):\n%s", ask, diff)
				}
			}
			s.Service.Spec.Ports = append(s.Service.Spec.Ports, corev1.ServicePort{Port: 443, Protocol: corev1.ProtocolUDP})
			for _, finding := range balanced(s, control.AskTLS, open) {
				if finding.Verdict == hipaav1.VerdictPass {
					t.Errorf("a port that was not dialled passes: %+v", finding)
				}
			}
		})
	}
}
