package catalog

import (
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
)

// shown are the certificates that callers from outside the cluster were shown when the
// ways to the workload were dialled, each end of each object once.
func shown(s *control.Subject) []certificate {
	var all []certificate
	add := func(object string, ways []edge.Way) {
		for _, way := range ways {
			last, until := s.Dial(way.Endpoint)
			if last.NotAfter.IsZero() {
				continue
			}
			c := certificate{
				path: object + " " + way.Path, says: "shows a certificate whose end ", ends: last.NotAfter.UTC(), until: until, class: hipaav1.EvidenceTested,
			}
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	for _, ingress := range s.World.Ingresses {
		if ingress != nil {
			add("Ingress/"+ingress.Name, edge.IngressWays(ingress, control.AskTLS))
		}
	}
	for _, service := range s.World.Exposing {
		add("Service/"+service.Name, edge.BalancerWays(service, control.AskTLS))
	}
	return all
}

// isShown reports whether every way to the hosts of one entry under an Ingress' tls was
// dialled, and shows its certificate.
func isShown(s *control.Subject, ingress *networkingv1.Ingress, hosts []string) bool {
	found := false
	for _, way := range edge.IngressWays(ingress, control.AskTLS) {
		if len(hosts) > 0 && !slices.ContainsFunc(hosts, func(name string) bool { return covers(name, way.Host) }) {
			continue
		}
		if last, _ := s.Dial(way.Endpoint); last.NotAfter.IsZero() {
			return false
		}
		found = true
	}
	return found
}

// covers reports whether a name of a certificate, which may begin with a wildcard, is
// that of a host.
func covers(name, host string) bool {
	if parent, wildcard := strings.CutPrefix(name, "*."); wildcard {
		_, rest, below := strings.Cut(host, ".")
		return below && rest == parent
	}
	return name == host
}

// showsEnded is a load balancer that shows a certificate which has ended.
func showsEnded(s *control.Subject) {
	s.Service = s.World.Exposing[0]
	answers(control.AskTLS, control.Dialled{Answer: control.OldRefused, NotAfter: time.Date(2025, time.December, 1, 0, 0, 0, 0, time.UTC)}).Apply(s)
	s.Service = nil
}
