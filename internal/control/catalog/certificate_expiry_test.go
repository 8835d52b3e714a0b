package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func gatewayWith(listeners ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"namespace": "ehr", "name": "edge"},
		"spec": map[string]any{"listeners": listeners},
	}}
}

func tlsListener(mode string, secrets ...string) map[string]any {
	var refs []any
	for _, secret := range secrets {
		refs = append(refs, map[string]any{"name": secret})
	}
	return map[string]any{"name": "https", "tls": map[string]any{"mode": mode, "certificateRefs": refs}}
}

func TestCertificatesAreWatched(t *testing.T) {
	const by = ", which no Certificate of cert-manager makes, and the operator reads no Secrets (live)"
	elsewhere := certificateOf("other", "2030-01-01T00:00:00Z")
	elsewhere.SetNamespace("lab")
	broken := certificateOf("web", "soon")
	mine := &hipaav1.Statement{StatedBy: "Dana", Expires: metav1.NewTime(date(2026, time.December, 24))}
	list := func(r ...*unstructured.Unstructured) []*unstructured.Unstructured { return r }
	for name, tc := range map[string]struct {
		reports []*unstructured.Unstructured
		ingress *networkingv1.Ingress
		days    []int32
		stated  *hipaav1.Statement
		want    []string
	}{
		"nothing to be seen": {want: []string{"Unknown: no certificate of the workload can be seen (live)"}},
		"nothing to be seen, and a statement": {
			stated: mine, want: []string{"Pass: no certificate of the workload can be seen; it is stated to be watched elsewhere until 2026-12-24 [Attested]"},
		},
		"one that lasts":             {reports: list(certificateOf("web", "2027-01-31T00:00:00Z")), want: []string{"Pass: Certificate/web status.notAfter is 2027-01-31"}},
		"one that ends in a month":   {reports: list(certificateOf("web", "2026-12-22T00:00:00Z")), want: []string{"Pass: Certificate/web status.notAfter is 2026-12-22, in 30 days or less"}},
		"one that ends in two weeks": {reports: list(certificateOf("web", "2026-12-05T00:00:00Z")), want: []string{"Pass: Certificate/web status.notAfter is 2026-12-05, in 14 days or less"}},
		"one that ends tomorrow":     {reports: list(certificateOf("web", "2026-11-23T00:00:00Z")), want: []string{"Pass: Certificate/web status.notAfter is 2026-11-23, in 3 days or less"}},
		"the days are the profile's": {reports: list(certificateOf("web", "2026-12-05T00:00:00Z")), days: []int32{60, 7}, want: []string{"Pass: Certificate/web status.notAfter is 2026-12-05, in 60 days or less"}},
		"one that has just ended":    {reports: list(certificateOf("web", "2026-11-22T00:00:00Z")), want: []string{"Certificate/web status.notAfter is 2026-11-22, which has passed (live)"}},
		"one without an end":         {reports: list(broken), want: []string{"Unknown: Certificate/web status.notAfter is not there: cert-manager has not issued it (live)"}},
		"one of another namespace":   {reports: list(elsewhere), want: []string{"Unknown: no certificate of the workload can be seen (live)"}},
		"an Ingress whose Secret is its": {
			reports: list(certificateOf("web-tls", "2027-01-31T00:00:00Z")), ingress: phitest.Ingress("web", "a.example.org", "api").Obj(),
			want: []string{"Pass: Certificate/web-tls status.notAfter is 2027-01-31"},
		},
		"an Ingress whose Secret is nobody's": {
			ingress: phitest.Ingress("web", "a.example.org", "api").Obj(),
			want:    []string{`Unknown: Ingress/web spec.tls[0] names Secret "web-tls"` + by},
		},
		"an Ingress without a Secret": {
			ingress: phitest.Ingress("web", "a.example.org", "api").With(func(i *networkingv1.Ingress) { i.Spec.TLS[0].SecretName = "" }).Obj(),
			want:    []string{"Unknown: Ingress/web spec.tls[0] names no Secret: the certificate is that of the ingress controller or of a cloud (live)"},
		},
		"listeners of a Gateway": {
			reports: list(certificateOf("a", "2027-01-31T00:00:00Z"), gatewayWith(tlsListener("Terminate", "a", "b"), tlsListener("Passthrough"), tlsListener(""), map[string]any{"name": "http"}, "no listener")),
			want: []string{
				"Pass: Certificate/a status.notAfter is 2027-01-31",
				`Unknown: Gateway/edge spec.listeners[0].tls names Secret "b"` + by,
				"Unknown: Gateway/edge spec.listeners[2].tls names no Secret: the certificate is that of the ingress controller or of a cloud (live)",
			},
		},
		"the first to end comes first": {
			reports: list(certificateOf("later", "2028-01-31T00:00:00Z"), certificateOf("sooner", "2027-01-31T00:00:00Z")),
			want:    []string{"Pass: Certificate/sooner status.notAfter is 2027-01-31", "Pass: Certificate/later status.notAfter is 2028-01-31"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Now, s.World.Reports = date(2026, time.November, 22), tc.reports
			s.Profile.Transmission = hipaav1.TransmissionParameters{CertificateWarningDays: tc.days, CertificatesElsewhere: tc.stated}
			if tc.ingress != nil {
				s.World.Ingresses = []*networkingv1.Ingress{tc.ingress}
			}
			if diff := cmp.Diff(tc.want, sentences(controlOf("certificate-expiry").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Each warning comes once, and the verdict changes when the certificate ends: at each
// of these instants somebody has to look again.
func TestWarningsOfACertificateComeInTurn(t *testing.T) {
	s := cabinet{}.subject()
	s.World.Reports = []*unstructured.Unstructured{certificateOf("web", "2026-12-31T00:00:00Z")}
	type moment struct {
		At, Next string
		Says     string
		Warns    bool
	}
	var got []moment
	for at := date(2026, time.November, 1); !at.IsZero(); {
		s.Now = at
		f := controlOf("certificate-expiry").Check(s)[0]
		m := moment{At: at.Format(time.DateOnly), Says: string(f.Verdict) + ": " + f.Message, Warns: f.Soon}
		if at = f.Until; !at.IsZero() {
			m.Next = at.Format(time.DateOnly)
		}
		got = append(got, m)
	}
	want := []moment{
		{"2026-11-01", "2026-12-01", "Pass: is 2026-12-31", false},
		{"2026-12-01", "2026-12-17", "Pass: is 2026-12-31, in 30 days or less", true},
		{"2026-12-17", "2026-12-28", "Pass: is 2026-12-31, in 14 days or less", true},
		{"2026-12-28", "2026-12-31", "Pass: is 2026-12-31, in 3 days or less", true},
		{"2026-12-31", "", "Fail: is 2026-12-31, which has passed", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheOperatorsOwnCertificateIsWatched(t *testing.T) {
	const of = "the certificate of the operator's webhooks "
	for name, tc := range map[string]struct {
		give control.Serving
		days []int32
		want string
		soon bool
	}{
		"one that lasts":             {give: control.Serving{Ends: date(2027, time.January, 31)}, want: "Pass: " + of + "ends on 2027-01-31"},
		"one that is renewed soon":   {give: control.Serving{Ends: date(2026, time.December, 5)}, want: "Pass: " + of + "ends on 2026-12-05"},
		"one that nothing renewed":   {give: control.Serving{Ends: date(2026, time.November, 24)}, want: "Pass: " + of + "ends on 2026-11-24, and nothing has renewed it", soon: true},
		"the days are the profile's": {give: control.Serving{Ends: date(2026, time.December, 5)}, days: []int32{60, 20}, want: "Pass: " + of + "ends on 2026-12-05, and nothing has renewed it", soon: true},
		"one that has ended":         {give: control.Serving{Ends: date(2026, time.November, 22)}, want: of + "ended on 2026-11-22 (live)"},
		"one that cannot be read":    {want: "Unknown: " + of + "could not be read (live)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Now, s.World.Serving = date(2026, time.November, 22), &tc.give
			s.World.Reports = []*unstructured.Unstructured{certificateOf("web", "2027-12-31T00:00:00Z")}
			s.Profile.Transmission.CertificateWarningDays = tc.days
			findings := controlOf("certificate-expiry").Check(s)
			if diff := cmp.Diff([]string{"Pass: Certificate/web status.notAfter is 2027-12-31", tc.want}, sentences(findings)); diff != "" || findings[1].Soon != tc.soon {
				t.Errorf("it warns: %t; findings (-want +got):\n%s", findings[1].Soon, diff)
			}
		})
	}
}
