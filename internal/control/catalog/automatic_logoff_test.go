package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestLimitsAreReadInTheirUnit(t *testing.T) {
	const minute = time.Minute
	for give, want := range map[string]struct {
		unit  time.Duration
		limit time.Duration
		said  bool
	}{
		"15":          {time.Minute, 15 * minute, true},
		"900":         {time.Second, 15 * minute, true},
		"900000":      {time.Millisecond, 15 * minute, true},
		"0.5":         {time.Hour, 30 * minute, true},
		"15m":         {0, 15 * minute, true},
		"PT15M":       {0, 15 * minute, true},
		"P1D":         {0, 24 * time.Hour, true},
		"1h30m":       {time.Second, 90 * minute, true},
		"15 minutes":  {0, 15 * minute, true},
		"7d":          {0, 7 * 24 * time.Hour, true},
		"0":           {0, 0, true},
		"-1":          {time.Second, 0, true},
		"NaN":         {time.Second, 0, true},
		"1e300":       {time.Second, longestLimit, true},
		"9999999999w": {0, longestLimit, true},
		"16":          {0, 0, false},
		"":            {time.Second, 0, false},
		"${LIMIT}":    {time.Second, 0, false},
		"15 parsecs":  {time.Second, 0, false},
		"a while":     {time.Second, 0, false},
		"-15m":        {time.Second, 0, false},
	} {
		limit, said := limitOf(give, want.unit)
		if !said {
			limit = 0
		}
		if limit != want.limit || said != want.said {
			t.Errorf("limitOf(%q, %v) = %v, %t, want %v, %t", give, want.unit, limit, said, want.limit, want.said)
		}
	}
}

func TestWhatEndsASession(t *testing.T) {
	const remedyless = "nothing shows when a session ends that nobody uses"
	for name, tc := range map[string]struct {
		give   corev1.Container
		around []*corev1.ConfigMap
		want   []string
	}{
		"nothing":         {want: []string{"Unknown: spec.containers " + remedyless + " (live)"}},
		"Spring":          {give: corev1.Container{Env: env("SERVER_SERVLET_SESSION_TIMEOUT", "900")}, want: []string{`Pass: spec.containers[0].env[0] "SERVER_SERVLET_SESSION_TIMEOUT" is an idle limit of 15m`}},
		"Spring too long": {give: corev1.Container{Args: []string{"--server.servlet.session.timeout=30m"}}, want: []string{`spec.containers[0].args[0] "server.servlet.session.timeout" is an idle limit of 30m, and the profile asks for 15m`}},
		"turned off":      {give: corev1.Container{Env: env("PGADMIN_CONFIG_USER_INACTIVITY_TIMEOUT", "0")}, want: []string{`spec.containers[0].env[0] "PGADMIN_CONFIG_USER_INACTIVITY_TIMEOUT" is an idle limit that is turned off, and the profile asks for 15m`}},
		"Grafana": {
			give: corev1.Container{Env: env("GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION", "10m", "GF_AUTH_LOGIN_MAXIMUM_LIFETIME_DURATION", "30d")},
			want: []string{
				`Pass: spec.containers[0].env[0] "GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION" is an idle limit of 10m`,
				`spec.containers[0].env[1] "GF_AUTH_LOGIN_MAXIMUM_LIFETIME_DURATION" is an absolute limit of 720h, and the profile asks for 12h`,
			},
		},
		"an absolute limit is no idle one": {
			give: corev1.Container{Args: []string{"--cookie-expire=8h", "--cookie-refresh=5m"}},
			want: []string{
				`Pass: spec.containers[0].args[0] "cookie-expire" is an absolute limit of 8h`,
				`Unknown: spec.containers ` + remedyless + `: "cookie-refresh" ends connections (live)`,
			},
		},
		"limits of connections": {
			give:   corev1.Container{Env: env("PROXY_READ_TIMEOUT", "60")},
			around: []*corev1.ConfigMap{configMap("c", "nginx.conf", "http {\n  keepalive_timeout 65;\n}\n")},
			want:   []string{`Unknown: spec.containers ` + remedyless + `: "http.keepalive_timeout" ends connections (live)`},
		},
		"Keycloak, in a file": {
			around: []*corev1.ConfigMap{configMap("c", "realm.json", "{\n  \"ssoSessionIdleTimeout\": 1800,\n  \"ssoSessionMaxLifespan\": 36000,\n  \"offlineSessionIdleTimeout\": 2592000,\n  \"clientSessionIdleTimeout\": 0\n}")},
			want: []string{
				`ConfigMap/c data.realm.json line 2 "ssoSessionIdleTimeout" is an idle limit of 30m, and the profile asks for 15m`,
				`Pass: ConfigMap/c data.realm.json line 3 "ssoSessionMaxLifespan" is an absolute limit of 10h`,
			},
		},
		"web.xml": {
			around: []*corev1.ConfigMap{configMap("c", "web.xml", "<web-app>\n<session-config>\n<session-timeout>15</session-timeout>\n</session-config>\n</web-app>")},
			want:   []string{`Pass: ConfigMap/c data.web.xml line 3 "session-timeout" is an idle limit of 15m`},
		},
		"ZooKeeper's sessions are none of people": {
			give: corev1.Container{Env: env("ZOOKEEPER_SESSION_TIMEOUT", "6000", "TMOUT_NOT", "1", "SESSION_TIMEOUT_MS", "10000")},
			want: []string{"Unknown: spec.containers " + remedyless + " (live)"},
		},
		"what cannot be read": {
			give: corev1.Container{Env: append(env("SESSION_IDLE_TIMEOUT", "15"), fromSecret("TMOUT"))},
			want: []string{
				`Unknown: spec.containers[0].env[0] "SESSION_IDLE_TIMEOUT" is an idle limit that cannot be read here`,
				`Unknown: spec.containers[0].env[1] "TMOUT" is an idle limit that cannot be read here`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sentences(controlOf("automatic-logoff").Check(podOf(tc.give, tc.around...)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheProfileSetsTheLimits(t *testing.T) {
	s := podOf(corev1.Container{Env: env("SERVER_SERVLET_SESSION_TIMEOUT", "30m")})
	s.Profile.Session = control.SessionParameters{IdleTimeout: 30 * time.Minute}
	want := []string{`Pass: spec.containers[0].env[0] "SERVER_SERVLET_SESSION_TIMEOUT" is an idle limit of 30m`}
	if diff := cmp.Diff(want, sentences(controlOf("automatic-logoff").Check(s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestWhereNobodyHasASession(t *testing.T) {
	gateway := phitest.FromGateway("ingress-nginx")
	for name, tc := range map[string]struct {
		give *hipaav1.PHIWorkload
		want bool
	}{
		"a service behind a gateway":     {give: phitest.Workload("a").From(gateway).Obj(), want: true},
		"a service of an address range":  {give: phitest.Workload("a").From(phitest.FromBlock("198.51.100.0/28")).Obj(), want: true},
		"an undeclared pod":              {want: true},
		"a service of other workloads":   {give: phitest.Workload("a").From(phitest.FromWorkload("portal")).Obj()},
		"a service that nobody may call": {give: phitest.Workload("a").Obj()},
		"a job":                          {give: phitest.Workload("a").Role(hipaav1.RoleJob).From(gateway).Obj()},
		"a database":                     {give: phitest.Workload("a").Role(hipaav1.RoleDataStore).From(gateway).Obj()},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{})
			s.Workload = tc.give
			findings := controlOf("automatic-logoff").Check(s)
			if got := findings[0].Verdict != hipaav1.VerdictNotApplicable; len(findings) != 1 || got != tc.want {
				t.Errorf("judged %t, want %t: %q", got, tc.want, sentences(findings))
			}
		})
	}
}

func TestTheRemedyNamesTheApplication(t *testing.T) {
	for image, want := range map[string]string{
		"openemr/openemr:7.0.2":              "set Administration, Config, Security, Idle Session Timeout Seconds in OpenEMR, which keeps it in its database, to at most 15m",
		"docker.io/hapiproject/hapi:v8@x":    "set SERVER_SERVLET_SESSION_TIMEOUT of HAPI FHIR to at most 15m",
		"registry.example.org/patient-api:1": "set the application's idle limit, such as SERVER_SERVLET_SESSION_TIMEOUT for Spring or SESSION_IDLE_TIMEOUT for one of your own, to at most 15m",
	} {
		findings := controlOf("automatic-logoff").Check(podOf(corev1.Container{Image: image}))
		if len(findings) != 1 || findings[0].Remedy != want {
			t.Errorf("%s: %+v", image, findings)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add("SESSION_LIFETIME", "1h30m")
	f.Fuzz(func(t *testing.T, name, value string) {
		sessionSettingOf(name)
		if limit, _ := limitOf(value, time.Second); limit < 0 || limit > longestLimit {
			t.Errorf("limitOf(%q) = %v", value, limit)
		}
	})
}
