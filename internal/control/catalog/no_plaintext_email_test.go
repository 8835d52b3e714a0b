package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestSettingsOfMail(t *testing.T) {
	const plain, secured = " lets mail leave in plaintext", " sends mail with TLS only"
	for name, tc := range map[string]struct {
		give []corev1.EnvVar
		want []string
	}{
		"nothing": {want: []string{"NotApplicable: it names no mail server"}},
		"what is no server": {
			give: env("MAIL_FROM_ADDRESS", "a@example.org", "EMAIL_SERVER_ENABLED", "true", "MAIL_DRIVER", "log", "EMAIL_HOST", ""),
			want: []string{"NotApplicable: it names no mail server"},
		},
		"a server in the pod": {
			give: env("SMTP_HOST", "localhost", "MAILER_DSN", "smtp://127.0.0.1:25"),
			want: []string{"NotApplicable: every mail server that it names is in the pod itself"},
		},
		"addresses": {
			give: env("A", "smtp://mail:587", "B", "smtps://mail", "C", "smtp://mail?requireTLS=true", "D", "smtp+tls://mail", "E", "smtp://mail:465", "F", "https://mail.example.org"),
			want: []string{
				`spec.containers[0].env[0] "A"` + plain, `Pass: spec.containers[0].env[1] "B"` + secured, `Pass: spec.containers[0].env[2] "C"` + secured,
				`Pass: spec.containers[0].env[3] "D"` + secured, `Pass: spec.containers[0].env[4] "E"` + secured,
			},
		},
		"Django":                      {give: env("EMAIL_HOST", "mail", "EMAIL_PORT", "587", "EMAIL_USE_TLS", "True"), want: []string{`Pass: spec.containers[0].env[0] "EMAIL_HOST"` + secured}},
		"Django without":              {give: env("EMAIL_HOST", "mail", "EMAIL_USE_TLS", "False"), want: []string{`spec.containers[0].env[0] "EMAIL_HOST"` + plain}},
		"Laravel":                     {give: env("MAIL_HOST", "mail", "MAIL_ENCRYPTION", "tls"), want: []string{`Pass: spec.containers[0].env[0] "MAIL_HOST"` + secured}},
		"Laravel without":             {give: env("MAIL_HOST", "mail", "MAIL_ENCRYPTION", "null"), want: []string{`spec.containers[0].env[0] "MAIL_HOST"` + plain}},
		"Grafana":                     {give: env("GF_SMTP_HOST", "mail:587", "GF_SMTP_STARTTLS_POLICY", "MandatoryStartTLS"), want: []string{`Pass: spec.containers[0].env[0] "GF_SMTP_HOST"` + secured}},
		"port 465":                    {give: env("SMTP_HOST", "mail", "SMTP_PORT", "465"), want: []string{`Pass: spec.containers[0].env[0] "SMTP_HOST"` + secured}},
		"port 25":                     {give: env("SMTP_SERVER", "mail", "SMTP_PORT", "25"), want: []string{`spec.containers[0].env[0] "SMTP_SERVER"` + plain}},
		"port 587, and no word":       {give: env("SMTP_HOST", "mail:587"), want: []string{`Unknown: spec.containers[0].env[0] "SMTP_HOST" names a mail server, and nothing shows that TLS is required`}},
		"Spring, STARTTLS offered":    {give: env("SPRING_MAIL_HOST", "mail", "SPRING_MAIL_PROPERTIES_MAIL_SMTP_STARTTLS_ENABLE", "true"), want: []string{`spec.containers[0].env[0] "SPRING_MAIL_HOST"` + plain}},
		"Spring, STARTTLS required":   {give: env("SPRING_MAIL_HOST", "mail", "SPRING_MAIL_PROPERTIES_MAIL_SMTP_STARTTLS_ENABLE", "true", "SPRING_MAIL_PROPERTIES_MAIL_SMTP_STARTTLS_REQUIRED", "true"), want: []string{`Pass: spec.containers[0].env[0] "SPRING_MAIL_HOST"` + secured}},
		"TLS by what cannot be read":  {give: env("SMTP_HOST", "mail", "SMTP_SECURE", "${SECURE}"), want: []string{`Unknown: spec.containers[0].env[0] "SMTP_HOST" requires TLS of its mail server in words that cannot be read here`}},
		"an address that is a Secret": {give: []corev1.EnvVar{fromSecret("SMTP_URL"), fromSecret("SMTP_PASSWORD")}, want: []string{`Unknown: spec.containers[0].env[0] "SMTP_URL" comes from a Secret, which the operator does not read (live)`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{Env: tc.give})
			if diff := cmp.Diff(tc.want, sentences(controlOf("no-plaintext-email").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMailInConfigMaps(t *testing.T) {
	for name, tc := range map[string]struct {
		key, value string
		want       []string
	}{
		"a key that the container may complete": {"SMTP_HOST", "mail", []string{"NotApplicable: it names no mail server"}},
		"a file":                                {"a.yaml", "smtp:\n  host: mail\n  secure: true\n", []string{`Pass: data.a.yaml line 2 "smtp.host" sends mail with TLS only`}},
		"a realm of Keycloak": {
			"r.json", "{\n  \"smtpServer\": {\n    \"host\": \"mail\",\n    \"port\": \"25\",\n    \"ssl\": \"false\"\n  }\n}",
			[]string{`data.r.json line 3 "smtpServer.host" lets mail leave in plaintext`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.ConfigMaps).Of(configMap("c", tc.key, tc.value))
			if diff := cmp.Diff(tc.want, sentences(controlOf("no-plaintext-email").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeclaredFlowsOfMail(t *testing.T) {
	for name, tc := range map[string]struct {
		to   []hipaav1.EgressPeer
		told []corev1.EnvVar
		want []string
	}{
		"none":   {to: []hipaav1.EgressPeer{phitest.ToBlock("198.51.100.0/28", 443)}, want: []string{"NotApplicable: it names no mail server"}},
		"vendor": {to: []hipaav1.EgressPeer{phitest.ToVendor("mailer")}, want: []string{"NotApplicable: it names no mail server"}},
		"each port": {
			to: []hipaav1.EgressPeer{phitest.ToBlock("198.51.100.0/28", 25, 465, 587, 2525), phitest.ToPods(nil, phitest.Labels("app", "relay"), 25)},
			want: []string{
				"spec.egress.to[0] leads to port 25, where mail is plaintext unless somebody insists (live)",
				"Pass: spec.egress.to[0] leads to port 465, which speaks TLS from the first byte",
				"Unknown: spec.egress.to[0] leads to port 587, and nothing shows that STARTTLS is required there (live)",
				"spec.egress.to[0] leads to port 2525, where mail is plaintext unless somebody insists (live)",
				"spec.egress.to[1] leads to port 25, where mail is plaintext unless somebody insists (live)",
			},
		},
		"where settings require TLS": {
			to: []hipaav1.EgressPeer{phitest.ToBlock("198.51.100.0/28", 587)}, told: env("EMAIL_HOST", "mail", "EMAIL_USE_TLS", "true"),
			want: []string{"Pass: spec.egress.to[0] leads to port 587, and the settings of the pods require TLS there"},
		},
		"where one setting does not": {
			to: []hipaav1.EgressPeer{phitest.ToBlock("198.51.100.0/28", 587)}, told: env("EMAIL_HOST", "mail", "EMAIL_USE_TLS", "true", "B_URL", "smtp://mail?tls=false"),
			want: []string{"Unknown: spec.egress.to[0] leads to port 587, and nothing shows that STARTTLS is required there (live)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.Workloads)
			s.Workload.Spec.Egress.To = tc.to
			s.World.Pods[0].Spec.Containers[0].Env = append(s.World.Pods[0].Spec.Containers[0].Env, tc.told...)
			if diff := cmp.Diff(tc.want, sentences(controlOf("no-plaintext-email").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
