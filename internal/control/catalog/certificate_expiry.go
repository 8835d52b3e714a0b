package catalog

import (
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var certificates = control.ResourceType{Group: "cert-manager.io", Version: "v1", Kind: "Certificate", Resource: "certificates"}

var _ = add(control.Control{
	ID:       "certificate-expiry",
	Title:    "Know when each certificate ends, in time",
	Cites:    []hipaa.Citation{hipaa.TransmissionSecurity},
	Severity: control.Medium,
	Since:    1,
	Why: "A certificate that has ended cuts clinicians off, and whoever is in a hurry then turns verification off to get on. That is found out " +
		"years later, if ever.",
	Remedy: "renew the certificate, and find out why nothing did so in time",
	Decides: "Only live: the end that cert-manager reports for each Certificate of the namespace. Warnings come so many days before as the profile " +
		"says, each once, as an event and in the workload's status; the verdict is Fail once a certificate has ended. The same holds of each certificate " +
		"that callers from outside are shown by the Ingresses and load balancers which lead to the workload, where these were dialled: the verdict is Tested. For the Secrets that " +
		"Ingresses which lead to the workload and Gateways of the namespace name, there has to be a Certificate that makes them, or it was seen what the hosts show: the operator reads " +
		"no Secrets, so what came into one otherwise is Unknown, as is what an ingress controller or a Gateway of another " +
		"namespace brings itself and nobody dials. The profile can state of all these that they are watched elsewhere. The certificate of the " +
		"operator's own webhooks, without which PHI namespaces take nothing in, is judged for every workload, as the server shows it, and warned of in " +
		"the last of the profile's periods alone, for it is renewed by itself before.",
	Parameters: []control.Parameter{{
		Path: "transmission.certificateWarningDays", Basis: control.BasisProfile,
		Meaning: "So many days before the end people are warned; 30, 14 and 3 where no profile says it. The rule asks to guard transmissions and " +
			"says nothing of certificates.",
	}, {
		Path: "transmission.certificatesElsewhere", Basis: control.BasisProfile,
		Meaning: "A person's statement, until a day, that certificates which the cluster does not show are watched and renewed. The verdict is Attested.",
	}, {
		Path: "transmission.edgeProbe", Basis: control.BasisProfile,
		Meaning: "Whether the operator dials what callers from outside reach, to see which certificate is shown; transmission.edgeProbeMinutes says how often.",
	}},
	Example: `apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: patient-api, namespace: ehr}
spec:
  secretName: patient-api-tls
  dnsNames: [api.ehr.example.org]
  duration: 2160h
  renewBefore: 720h
  issuerRef: {name: hospital-ca, kind: ClusterIssuer}
`,
	Reports:   []control.ReportType{{ResourceType: certificates, Trim: trimCertificate}, gatewayReport},
	Judges:    control.Workloads,
	NeedsLive: control.Reports | control.Routes,
	Check: func(s control.Subject) []control.Finding {
		if s.Kind() != control.Workloads {
			return nil
		}
		return certified(&s)
	},
	Satisfy: func(s *control.Subject) {
		secrets := []string{"service-tls"}
		for _, ingress := range append(slices.Clone(s.World.Ingresses), s.Ingress) {
			if ingress != nil {
				for i := range ingress.Spec.TLS {
					secrets = append(secrets, ingress.Spec.TLS[i].SecretName)
				}
			}
		}
		for _, secret := range secrets {
			report(s, certificateOf(secret, "2026-12-01T00:00:00Z"))
		}
	},
	Breaks: control.Breaks{
		"a load balancer that shows a certificate which has ended": {Kind: control.Workloads, Reported: true, Apply: showsEnded},
		"a certificate that has ended":                             reportsAre(certificateOf("service-tls", "2025-12-01T00:00:00Z")),
		"a certificate that was never issued": reportsAre(func() *unstructured.Unstructured {
			c := certificateOf("service-tls", "")
			delete(c.Object, "status")
			return c
		}()),
		"no certificate that can be seen": reportsAre(),
		"a certificate of the operator's webhooks that has ended": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			s.World.Serving = &control.Serving{Ends: time.Date(2025, time.December, 1, 0, 0, 0, 0, time.UTC)}
		}},
		"an Ingress with a certificate that came otherwise": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			ingress := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{SecretName: "by-hand"}}}}
			ingress.Name, ingress.Namespace = "web", s.Namespace.Name
			s.World.Ingresses = append(s.World.Ingresses, ingress)
		}},
	},
})

// reportsAre leaves only some reports.
func reportsAre(reports ...*unstructured.Unstructured) control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) { s.World.Reports = reports }}
}

// report puts a report into the world once.
func report(s *control.Subject, r *unstructured.Unstructured) {
	if !slices.ContainsFunc(s.World.Reports, func(there *unstructured.Unstructured) bool { return control.CompareResources(there, r) == 0 }) {
		s.World.Reports = append(s.World.Reports, r)
	}
}

// certificateOf is a Certificate that fills a Secret of its name.
func certificateOf(secret, notAfter string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"namespace": "ehr", "name": secret},
		"spec":     map[string]any{"secretName": secret},
		"status":   map[string]any{"notAfter": notAfter},
	}}
}

func dropStatus(r *unstructured.Unstructured) { delete(r.Object, "status") }

// trimCertificate leaves the Secret's name and the end.
func trimCertificate(r *unstructured.Unstructured) {
	secret, _, _ := unstructured.NestedString(r.Object, "spec", "secretName") // what is none is empty
	ends, _, _ := unstructured.NestedString(r.Object, "status", "notAfter")
	r.Object["spec"], r.Object["status"] = map[string]any{"secretName": secret}, map[string]any{"notAfter": ends}
}

// certified judges the certificates that can be seen, the first to end first, and names
// those that cannot.
func certified(s *control.Subject) []control.Finding {
	made := map[string]bool{}
	seen := shown(s)
	for _, r := range reportsOf(s, certificates) {
		secret, _, _ := unstructured.NestedString(r.Object, "spec", "secretName") // what is none is empty
		made[secret] = true
		seen = append(seen, readCertificate(r))
	}
	slices.SortStableFunc(seen, func(a, b certificate) int { return a.ends.Compare(b.ends) })
	var findings []control.Finding
	for i := range seen {
		findings = append(findings, seen[i].judge(s))
	}
	for _, u := range usesOf(s) {
		if (u.secret == "" || !made[u.secret]) && (u.ingress == nil || !isShown(s, u.ingress, u.hosts)) {
			findings = append(findings, unseen(s, u.path, u.says()))
		}
	}
	if len(findings) == 0 {
		findings = []control.Finding{unseen(s, "", "no certificate of the workload can be seen")}
	}
	if s.World.Serving != nil {
		findings = append(findings, served(s, s.World.Serving.Ends.UTC()))
	}
	return findings
}

// served judges the certificate of the operator's own webhooks.
func served(s *control.Subject, ends time.Time) control.Finding {
	const path = "the certificate of the operator's webhooks"
	last := ends.Add(-time.Duration(slices.Min(warningDays(s.Profile))) * 24 * time.Hour)
	switch on := ends.Format(time.DateOnly); {
	case ends.IsZero():
		return control.Undecided(path, "could not be read").OnlyLive().But("look at the Secret hipaa-operator-webhook-cert and at the manager's log")
	case !s.Now.Before(ends):
		return control.Failed(path, "ended on %s", on).OnlyLive()
	case s.Now.Before(last):
		return control.Met(path, "ends on %s", on).EndsAt(last)
	default:
		return control.Met(path, "ends on %s, and nothing has renewed it", on).Warning().EndsAt(ends)
	}
}

// reportsOf are the reports of one type about the namespace.
func reportsOf(s *control.Subject, t control.ResourceType) []*unstructured.Unstructured {
	var list []*unstructured.Unstructured
	for _, r := range s.World.Reports {
		if r != nil && t.IsKind(r) && r.GetNamespace() == s.Namespace.Name {
			list = append(list, r)
		}
	}
	return list
}

// certificate is one that cert-manager keeps, or one that was seen by dialling. Without
// an end cert-manager has not issued it.
type certificate struct {
	path, says string
	ends       time.Time
	// until is how long that counts; zero is until it changes.
	until time.Time
	class hipaav1.EvidenceClass
}

func readCertificate(r *unstructured.Unstructured) certificate {
	c := certificate{path: "Certificate/" + r.GetName() + " status.notAfter"}
	text, _, _ := unstructured.NestedString(r.Object, "status", "notAfter") // what is none is no time either
	if ends, err := time.Parse(time.RFC3339, text); err == nil {
		c.ends = ends.UTC()
	}
	return c
}

func (c *certificate) judge(s *control.Subject) control.Finding {
	on := c.ends.Format(time.DateOnly)
	switch {
	case c.ends.IsZero():
		return control.Undecided(c.path, "is not there: cert-manager has not issued it").OnlyLive()
	case !s.Now.Before(c.ends):
		return control.Failed(c.path, "%sis %s, which has passed", c.says, on).OnlyLive().Known(c.class).EndsAt(c.until)
	}
	next, within := c.ends, int32(0)
	for _, days := range warningDays(s.Profile) {
		switch begins := c.ends.Add(-time.Duration(days) * 24 * time.Hour); {
		case s.Now.Before(begins):
			next = earlier(next, begins)
		case within == 0 || days < within:
			within = days
		}
	}
	if !c.until.IsZero() {
		next = earlier(next, c.until)
	}
	if within > 0 {
		return control.Met(c.path, "%sis %s, in %d days or less", c.says, on, within).Warning().Known(c.class).EndsAt(next)
	}
	return control.Met(c.path, "%sis %s", c.says, on).Known(c.class).EndsAt(next)
}

// warningDays are how many days before an end people are warned.
func warningDays(p *control.Profile) []int32 {
	if set := p.Transmission.CertificateWarningDays; len(set) > 0 {
		return set
	}
	return []int32{30, 14, 3}
}

// use is a place that takes a certificate from a Secret; an empty one is somebody
// else's business.
type use struct {
	path, secret string
	// ingress and hosts are set where it is an Ingress that takes it.
	ingress *networkingv1.Ingress
	hosts   []string
}

func (u use) says() string {
	if u.secret == "" {
		return "names no Secret: the certificate is that of the ingress controller or of a cloud"
	}
	return fmt.Sprintf("names Secret %q, which no Certificate of cert-manager makes, and the operator reads no Secrets", u.secret)
}

// usesOf lists where the workload's Ingresses and the namespace's Gateways take
// certificates from.
func usesOf(s *control.Subject) []use {
	var uses []use
	for _, ingress := range s.World.Ingresses {
		if ingress == nil {
			continue
		}
		for i := range ingress.Spec.TLS {
			tls := &ingress.Spec.TLS[i]
			uses = append(uses, use{path: fmt.Sprintf("Ingress/%s spec.tls[%d]", ingress.Name, i), secret: tls.SecretName, ingress: ingress, hosts: tls.Hosts})
		}
	}
	for _, gateway := range reportsOf(s, gateways) {
		listeners, _, _ := unstructured.NestedSlice(gateway.Object, "spec", "listeners") // what is no list has none
		for i := range listeners {
			for _, secret := range secretsOf(listeners[i]) {
				uses = append(uses, use{path: fmt.Sprintf("Gateway/%s spec.listeners[%d].tls", gateway.GetName(), i), secret: secret})
			}
		}
	}
	return uses
}

// secretsOf names the Secrets of a Gateway's listener; one that terminates TLS without
// any gets its certificate elsewhere. Secrets of other namespaces are not seen.
func secretsOf(listener any) []string {
	fields, is := listener.(map[string]any)
	if !is {
		return nil
	}
	mode, _, _ := unstructured.NestedString(fields, "tls", "mode")
	if _, secured := fields["tls"]; !secured || mode == "Passthrough" {
		return nil
	}
	refs, _, _ := unstructured.NestedSlice(fields, "tls", "certificateRefs")
	if len(refs) == 0 {
		return []string{""}
	}
	var names []string
	for _, ref := range refs {
		fields, _ := ref.(map[string]any) // of nil every field is absent
		name, _, _ := unstructured.NestedString(fields, "name")
		if namespace, elsewhere, _ := unstructured.NestedString(fields, "namespace"); elsewhere {
			name = namespace + "/" + name
		}
		names = append(names, name)
	}
	return names
}

// unseen is a certificate of which no object tells, unless the profile states it.
func unseen(s *control.Subject, path, says string) control.Finding {
	if stated := s.Profile.Transmission.CertificatesElsewhere; stated != nil {
		return control.Met(path, "%s; it is stated to be watched elsewhere until %s", says, stated.Expires.UTC().Format(time.DateOnly)).
			Known(hipaav1.EvidenceAttested)
	}
	return control.Undecided(path, "%s", says).
		But("let cert-manager keep the certificate, or state under transmission.certificatesElsewhere of the profile who watches it").OnlyLive()
}
