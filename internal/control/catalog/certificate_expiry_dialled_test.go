package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// shows is a way to a host that shows a certificate until a day.
func shows(host string, ends time.Time) func(*control.Subject) {
	return at(control.AskTLS, 443, host, control.Dialled{Answer: control.OldRefused, NotAfter: ends})
}

func TestCertificatesThatCallersAreShownAreWatched(t *testing.T) {
	const byHand = `Unknown: Ingress/web spec.tls[0] names Secret "web-tls", which no Certificate of cert-manager makes, and the operator reads no Secrets (live)`
	lasting, soon, over := date(2027, time.January, 31), phitest.Epoch.Add(72*time.Hour), phitest.Epoch.Add(-24*time.Hour)
	made := certificateOf("web-tls", "2027-01-31T00:00:00Z")
	for name, tc := range map[string]struct {
		names, hosts []string // of the Ingress' TLS, and of its rules
		made         bool
		give         []func(*control.Subject)
		want         []string
	}{
		"never dialled": {want: []string{byHand}},
		"one that lasts": {
			give: []func(*control.Subject){shows("a.example.org", lasting)},
			want: []string{"Pass: Ingress/web spec.rules[0].host shows a certificate whose end is 2027-01-31 [Tested]"},
		},
		"one that ends soon": {
			give: []func(*control.Subject){shows("a.example.org", soon)},
			want: []string{"Pass: Ingress/web spec.rules[0].host shows a certificate whose end is 2026-03-05, in 3 days or less [Tested]"},
		},
		"one that has ended, although cert-manager has made a new one": {
			made: true, give: []func(*control.Subject){shows("a.example.org", over)},
			want: []string{
				"Ingress/web spec.rules[0].host shows a certificate whose end is 2026-03-01, which has passed [Tested] (live)",
				"Pass: Certificate/web-tls status.notAfter is 2027-01-31",
			},
		},
		"one of two hosts": {
			names: []string{"a.example.org", "b.example.org"}, hosts: []string{"a.example.org", "b.example.org"},
			give: []func(*control.Subject){shows("a.example.org", lasting)},
			want: []string{"Pass: Ingress/web spec.rules[0].host shows a certificate whose end is 2027-01-31 [Tested]", byHand},
		},
		"one for a wildcard": {
			names: []string{"*.example.org"}, give: []func(*control.Subject){shows("a.example.org", lasting)},
			want: []string{"Pass: Ingress/web spec.rules[0].host shows a certificate whose end is 2027-01-31 [Tested]"},
		},
		"one for the names of another host": {
			names: []string{"*.example.com"}, give: []func(*control.Subject){shows("a.example.org", lasting)},
			want: []string{"Pass: Ingress/web spec.rules[0].host shows a certificate whose end is 2027-01-31 [Tested]", byHand},
		},
		"seen too long ago": {
			give: []func(*control.Subject){shows("a.example.org", lasting), func(s *control.Subject) { s.Now = s.Now.Add(2 * time.Hour) }}, want: []string{byHand},
		},
		"no certificate at all": {give: []func(*control.Subject){shows("a.example.org", time.Time{})}, want: []string{byHand}},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Now, s.World.Dialled = phitest.Epoch, map[control.Endpoint]control.Dialled{}
			for _, give := range tc.give {
				give(&s)
			}
			if tc.made {
				s.World.Reports = []*unstructured.Unstructured{made}
			}
			s.World.Ingresses = []*networkingv1.Ingress{phitest.Ingress("web", "a.example.org", "api").With(func(i *networkingv1.Ingress) {
				i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "198.51.100.80"}}
				if tc.names != nil {
					i.Spec.TLS[0].Hosts = tc.names
				}
				for _, host := range tc.hosts[min(1, len(tc.hosts)):] {
					i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{Host: host})
				}
			}).Obj()}
			if diff := cmp.Diff(tc.want, sentences(controlOf("certificate-expiry").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// What was seen counts until it is too old, also where the certificate lasts longer.
func TestWhatALoadBalancerShowsIsLookedAtAgain(t *testing.T) {
	s := cabinet{}.subject()
	s.Now, s.World.Dialled = phitest.Epoch, map[control.Endpoint]control.Dialled{}
	shows("", date(2027, time.January, 31))(&s)
	s.World.Exposing = []*corev1.Service{phitest.Service("edge").Port("https", 443, intstr.FromInt32(8443)).With(func(service *corev1.Service) {
		service.Spec.Type, service.Status.LoadBalancer.Ingress = corev1.ServiceTypeLoadBalancer, []corev1.LoadBalancerIngress{{IP: "198.51.100.80"}}
	}).Obj()}
	findings := controlOf("certificate-expiry").Check(s)
	if diff := cmp.Diff([]string{"Pass: Service/edge spec.ports[0] shows a certificate whose end is 2027-01-31 [Tested]"}, sentences(findings)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	if want := phitest.Epoch.Add(2 * time.Hour); !findings[0].Until.Equal(want) || findings[0].Class != hipaav1.EvidenceTested {
		t.Errorf("it counts until %s as %s, want until %s", findings[0].Until, findings[0].Class, want)
	}
}
