package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
		"15 Minutes":  {0, 15 * minute, true},
		"1y":          {0, 365 * 24 * time.Hour, true},
		"1M":          {0, 0, false}, // a month to Grafana and Kibana, a minute to Spring
		"P1M":         {0, 0, false},
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
		"Keycloak, in a file, for people who are remembered": {
			around: []*corev1.ConfigMap{configMap("c", "realm.json", "{\n  \"ssoSessionIdleTimeout\": 900,\n  \"ssoSessionIdleTimeoutRememberMe\": 0,\n  \"ssoSessionMaxLifespanRememberMe\": 2592000,\n  \"rememberMe\": true\n}")},
			want: []string{
				`Pass: ConfigMap/c data.realm.json line 2 "ssoSessionIdleTimeout" is an idle limit of 15m`,
				`ConfigMap/c data.realm.json line 4 "ssoSessionMaxLifespanRememberMe" is an absolute limit of 720h, and the profile asks for 12h`,
			},
		},
		"Keycloak, in a file, for people who are remembered, where it cannot be read": {
			around: []*corev1.ConfigMap{configMap("c", "realm.json", "{\n  \"ssoSessionIdleTimeout\": 900,\n  \"rememberMe\": true,\n  \"ssoSessionIdleTimeoutRememberMe\": \"${REMEMBERED}\",\n  \"ssoSessionMaxLifespanRememberMe\": \"${LONGEST}\"\n}")},
			want: []string{
				`Pass: ConfigMap/c data.realm.json line 2 "ssoSessionIdleTimeout" is an idle limit of 15m`,
				`Unknown: ConfigMap/c data.realm.json line 4 "ssoSessionIdleTimeoutRememberMe" is an idle limit that cannot be read here`,
				`Unknown: ConfigMap/c data.realm.json line 5 "ssoSessionMaxLifespanRememberMe" is an absolute limit that cannot be read here`,
			},
		},
		"Keycloak, in a file that remembers nobody, beside one that does": {
			around: []*corev1.ConfigMap{configMap("c",
				"clinic.json", "{\n  \"ssoSessionIdleTimeout\": 900,\n  \"rememberMe\": false,\n  \"ssoSessionIdleTimeoutRememberMe\": 604800\n}",
				"lab.json", "{\"rememberMe\": \"${REMEMBER}\", \"ssoSessionIdleTimeoutRememberMe\": 604800}",
				"ward.json", "{\n  \"ssoSessionMaxLifespanRememberMe\": 604800\n}")},
			want: []string{
				`Pass: ConfigMap/c data.clinic.json line 2 "ssoSessionIdleTimeout" is an idle limit of 15m`,
				`ConfigMap/c data.lab.json "ssoSessionIdleTimeoutRememberMe" is an idle limit of 168h, and the profile asks for 15m`,
			},
		},
		"Kibana, in its file": {
			around: []*corev1.ConfigMap{configMap("c", "kibana.yml", "xpack.security.session:\n  idleTimeout: \"15m\"\n  lifespan: \"30d\"\n")},
			want: []string{
				`Pass: ConfigMap/c data.kibana.yml line 2 "xpack.security.session.idleTimeout" is an idle limit of 15m`,
				`ConfigMap/c data.kibana.yml line 3 "xpack.security.session.lifespan" is an absolute limit of 720h, and the profile asks for 12h`,
			},
		},
		"Kibana, by its variables": {
			give: corev1.Container{Env: env("XPACK_SECURITY_SESSION_IDLETIMEOUT", "900000", "XPACK_SECURITY_SESSION_LIFESPAN", "8h")},
			want: []string{
				`Pass: spec.containers[0].env[0] "XPACK_SECURITY_SESSION_IDLETIMEOUT" is an idle limit of 15m`,
				`Pass: spec.containers[0].env[1] "XPACK_SECURITY_SESSION_LIFESPAN" is an absolute limit of 8h`,
			},
		},
		"Grafana, in its file": {
			around: []*corev1.ConfigMap{configMap("c", "grafana.ini", "[auth]\nlogin_maximum_inactive_lifetime_duration = 1M\nlogin_maximum_lifetime_days = 1\n")},
			want: []string{
				`Unknown: ConfigMap/c data.grafana.ini line 2 "auth.login_maximum_inactive_lifetime_duration" is an idle limit that cannot be read here`,
				`ConfigMap/c data.grafana.ini line 3 "auth.login_maximum_lifetime_days" is an absolute limit of 24h, and the profile asks for 12h`,
			},
		},
		"Jenkins, among its options": {
			give: corev1.Container{Env: env("JENKINS_OPTS", "--prefix=/ci --sessionTimeout=15 --sessionEviction=43200", "JAVA_OPTS", "-Xmx1g -Dserver.servlet.session.timeout=10m")},
			want: []string{
				`Pass: spec.containers[0].env[0] "sessionTimeout" is an idle limit of 15m`,
				`Pass: spec.containers[0].env[1] "server.servlet.session.timeout" is an idle limit of 10m`,
			},
		},
		"oauth2-proxy, in its file": {
			around: []*corev1.ConfigMap{configMap("c", "oauth2-proxy.cfg", "cookie_expire = \"168h0m0s\"\ncookie_refresh = \"1h\"\n")},
			want: []string{
				`ConfigMap/c data.oauth2-proxy.cfg line 1 "cookie_expire" is an absolute limit of 168h, and the profile asks for 12h`,
				`Unknown: spec.containers ` + remedyless + `: "cookie_refresh" ends connections (live)`,
			},
		},
		"Argo CD": {
			around: []*corev1.ConfigMap{configMap("argocd-cm", "users.session.duration", "8h")},
			want: []string{
				`Pass: ConfigMap/argocd-cm data.users.session.duration "users.session.duration" is an absolute limit of 8h`,
				"Unknown: spec.containers " + remedyless + " (live)",
			},
		},
		"sshd, which ends channels": {
			around: []*corev1.ConfigMap{configMap("c", "sshd_config", "ClientAliveInterval 60\nChannelTimeout x11=1h session=15m\n")},
			want:   []string{`Pass: ConfigMap/c data.sshd_config line 2 "ChannelTimeout" is an idle limit of 15m`},
		},
		"sshd, which ends other channels": {
			around: []*corev1.ConfigMap{configMap("c", "sshd_config", "Port 2222\nChannelTimeout x11=10m\n")},
			want:   []string{`ConfigMap/c data.sshd_config line 2 "ChannelTimeout" is an idle limit that is turned off, and the profile asks for 15m`},
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

func TestTheShorterLimitOfJenkinsEndsASession(t *testing.T) {
	for options, want := range map[string]string{
		"--sessionTimeout=15 --sessionEviction=-1":      `Pass: spec.containers[0].env[0] "sessionTimeout" is an idle limit of 15m`,
		"--sessionTimeout=15 --sessionEviction=0":       `Pass: spec.containers[0].env[0] "sessionTimeout" is an idle limit of 15m`,
		"--sessionEviction=43200 --sessionTimeout=15":   `Pass: spec.containers[0].env[0] "sessionTimeout" is an idle limit of 15m`,
		"--sessionTimeout=1440 --sessionEviction=600":   `Pass: spec.containers[0].env[0] "sessionEviction" is an idle limit of 10m`,
		"--sessionTimeout=0 --sessionEviction=600":      `Pass: spec.containers[0].env[0] "sessionEviction" is an idle limit of 10m`,
		"--sessionEviction=600":                         `Pass: spec.containers[0].env[0] "sessionEviction" is an idle limit of 10m`,
		"--sessionTimeout=1440 --sessionEviction=-1":    `spec.containers[0].env[0] "sessionTimeout" is an idle limit of 24h, and the profile asks for 15m`,
		"--sessionTimeout=1440 --sessionEviction=43200": `spec.containers[0].env[0] "sessionEviction" is an idle limit of 12h, and the profile asks for 15m`,
		"--sessionEviction=-1":                          "Unknown: spec.containers nothing shows when a session ends that nobody uses (live)",
		"--sessionTimeout=15 --sessionEviction=$(E)":    `Unknown: spec.containers[0].env[0] "sessionEviction" is an idle limit that cannot be read here`,
	} {
		findings := controlOf("automatic-logoff").Check(podOf(corev1.Container{Env: env("JENKINS_OPTS", options)}))
		if got := sentences(findings); !slices.Contains(got, want) || len(got) > 1 && !strings.HasSuffix(options, ")") {
			t.Errorf("%s: %q, want %q", options, got, want)
		}
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
		"one that states its machines":   {give: phitest.Workload("a").From(gateway).Session(hipaav1.WorkloadSession{Serves: hipaav1.SessionPrincipalsMachines}).Obj()},
		"one that states its monitors":   {give: phitest.Workload("a").From(gateway).Session(hipaav1.WorkloadSession{Serves: hipaav1.SessionPrincipalsMonitoringStream}).Obj()},
		"one that states its people":     {give: phitest.Workload("a").From(gateway).Session(hipaav1.WorkloadSession{Serves: hipaav1.SessionPrincipalsPeople}).Obj(), want: true},
		"a job":                          {give: phitest.Workload("a").Role(hipaav1.RoleJob).From(gateway).Obj()},
		"a database":                     {give: phitest.Workload("a").Role(hipaav1.RoleDataStore).From(gateway).Obj()},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{})
			s.Workload, s.Profile.Session.WithoutPeople = tc.give, hipaav1.SessionsWithoutPeopleStated
			findings := controlOf("automatic-logoff").Check(s)
			if got := findings[0].Verdict != hipaav1.VerdictNotApplicable; len(findings) != 1 || got != tc.want {
				t.Errorf("judged %t, want %t: %q", got, tc.want, sentences(findings))
			}
		})
	}
}

func TestTheProfileDecidesWhetherATeamsWordIsTaken(t *testing.T) {
	const unheard = "; that no people are served is its team's word, which the profile does not take"
	workload := func(serves hipaav1.SessionPrincipals) *hipaav1.PHIWorkload {
		return phitest.Workload("a").From(phitest.FromGateway("ingress-nginx")).Session(hipaav1.WorkloadSession{Serves: serves}).Obj()
	}
	open, long := corev1.Container{}, corev1.Container{Env: env("SESSION_IDLE_TIMEOUT", "8h")}
	const judged, stated = hipaav1.SessionsWithoutPeopleJudged, hipaav1.SessionsWithoutPeopleStated
	for name, tc := range map[string]struct {
		give    corev1.Container
		serves  hipaav1.SessionPrincipals
		profile hipaav1.SessionsWithoutPeople
		want    []string
	}{
		"machines, where it is taken": {open, "Machines", stated, []string{"NotApplicable: spec.session of its PHIWorkload states that it serves machines alone [Attested]"}},
		"machines, where it is not":   {open, "Machines", judged, []string{"Unknown: spec.containers nothing shows when a session ends that nobody uses" + unheard + " (live)"}},
		"monitors, where nothing is said of it": {long, "MonitoringStream", "", []string{
			`spec.containers[0].env[0] "SESSION_IDLE_TIMEOUT" is an idle limit of 8h, and the profile asks for 15m` + unheard,
		}},
		"machines, with a limit that is kept": {corev1.Container{Env: env("SESSION_IDLE_TIMEOUT", "10m")}, "Machines", judged, []string{
			`Pass: spec.containers[0].env[0] "SESSION_IDLE_TIMEOUT" is an idle limit of 10m`,
		}},
		"people, where a word would be taken": {open, "People", stated, []string{"Unknown: spec.containers nothing shows when a session ends that nobody uses (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(tc.give)
			s.Workload, s.Profile.Session.WithoutPeople = workload(tc.serves), tc.profile
			if diff := cmp.Diff(tc.want, sentences(controlOf("automatic-logoff").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A workload that asks for less than the profiles does not ask it of those who sign in
// elsewhere in its namespace.
func TestARealmIsNotHeldToTheLimitsOfOneWorkload(t *testing.T) {
	s := podOf(corev1.Container{})
	s.Pod, s.Resource = nil, realmImport("ehr", map[string]any{"ssoSessionIdleTimeout": int64(900)})
	s.Profile.Session = control.SessionParameters{OwnIdle: 2 * time.Minute, OwnAbsolute: time.Hour}
	for _, finding := range controlOf("automatic-logoff").Check(s) {
		if finding.Verdict != hipaav1.VerdictPass {
			t.Errorf("the realm is held to limits of the workload's own: %v", finding)
		}
	}
}

func TestWhatRealmsSayOfSessions(t *testing.T) {
	realm := func(limits map[string]any) *unstructured.Unstructured { return realmImport("ehr", limits) }
	const shared = "Pass: spec.realm.ssoSessionMaxLifespan is not there, so that Keycloak's own counts, an absolute limit of 10h"
	for name, tc := range map[string]struct {
		give *unstructured.Unstructured
		want []string
	}{
		"a limit that is kept": {realm(map[string]any{"ssoSessionIdleTimeout": int64(900)}), []string{`Pass: spec.realm.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 15m`, shared}},
		"none": {realm(nil), []string{
			"spec.realm.ssoSessionIdleTimeout is not there, so that Keycloak's own counts, an idle limit of 30m, and the profile asks for 15m", shared,
		}},
		"one that is turned off": {realm(map[string]any{"ssoSessionIdleTimeout": int64(0)}), []string{`spec.realm.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit that is turned off, and the profile asks for 15m`, shared}},
		"people who are remembered": {
			realm(map[string]any{"ssoSessionIdleTimeout": int64(600), "rememberMe": true, "ssoSessionIdleTimeoutRememberMe": int64(0), "ssoSessionMaxLifespanRememberMe": int64(604800)}),
			[]string{`Pass: spec.realm.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 10m`, shared, `spec.realm.ssoSessionMaxLifespanRememberMe "ssoSessionMaxLifespanRememberMe" is an absolute limit of 168h, and the profile asks for 12h`},
		},
		"people who cannot be": {
			realm(map[string]any{"ssoSessionIdleTimeout": int64(600), "ssoSessionMaxLifespanRememberMe": int64(604800)}),
			[]string{`Pass: spec.realm.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 10m`, shared},
		},
		"limits of clients": {realm(map[string]any{"ssoSessionIdleTimeout": int64(600), "clientSessionIdleTimeout": int64(86400)}), []string{`Pass: spec.realm.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 10m`, shared}},
		"Crossplane's, in its words": {crossplaneRealmWith("30m0s"), []string{
			`spec.forProvider.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 30m, and the profile asks for 15m`,
			"Pass: spec.forProvider.ssoSessionMaxLifespan is not there, so that Keycloak's own counts, an absolute limit of 10h",
		}},
		"Crossplane's, without a unit": {crossplaneRealmWith("900"), []string{
			"Unknown: spec.forProvider.ssoSessionIdleTimeout is an idle limit that cannot be read here",
			"Pass: spec.forProvider.ssoSessionMaxLifespan is not there, so that Keycloak's own counts, an absolute limit of 10h",
		}},
		"one of nobody's, with a limit that is kept": {ofNobody(crossplaneRealmWith("15m0s")), []string{"NotApplicable: serves no namespace in particular"}},
		"one of nobody's, with none": {ofNobody(crossplaneRealmWith("30m0s")), []string{
			`spec.forProvider.ssoSessionIdleTimeout "ssoSessionIdleTimeout" is an idle limit of 30m, and the profile asks for 15m`,
		}},
		"something else": {&unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.org/v1", "kind": "Realm"}}, []string{"NotApplicable: is not of a type that this control judges"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{})
			if diff := cmp.Diff(tc.want, sentences(controlOf("automatic-logoff").Check(s.Of(tc.give)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// ofNobody is a resource that says that it holds PHI, and not whose.
func ofNobody(r *unstructured.Unstructured) *unstructured.Unstructured {
	r.SetLabels(map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue})
	return r
}

func TestAKeycloakIsJudgedByItsRealms(t *testing.T) {
	const (
		keycloak = "quay.io/keycloak/keycloak:26.4"
		unknown  = "Unknown: spec.containers nothing shows when a session ends that nobody uses (live)"
		others   = "Unknown: spec.containers realms of it are declared, and judged themselves; nothing shows when realm master ends a session that nobody uses (live)"
	)
	imported := realmImport("ehr", map[string]any{"ssoSessionIdleTimeout": int64(900)})
	master := func() *unstructured.Unstructured {
		r := crossplaneRealmWith("15m0s")
		if err := unstructured.SetNestedField(r.Object, masterRealm, "spec", "forProvider", "realm"); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, tc := range map[string]struct {
		image    string
		declared []*unstructured.Unstructured
		want     string
	}{
		"whose realms are declared, master too": {keycloak, []*unstructured.Unstructured{imported, master()},
			"NotApplicable: its declared realms, master among them, are judged themselves; one that nobody declared is not seen"},
		"whose realms are declared, and not master":             {keycloak, []*unstructured.Unstructured{imported}, others},
		"that has master already, which an import leaves alone": {keycloak, []*unstructured.Unstructured{realmImport("ehr", map[string]any{"realm": masterRealm})}, others},
		"whose realms are not":                                  {keycloak, nil, unknown},
		"with realms of another namespace":                      {keycloak, []*unstructured.Unstructured{realmImport("billing", nil)}, unknown},
		"with a realm of nobody's":                              {keycloak, []*unstructured.Unstructured{ofNobody(master())}, unknown},
		"that is none":                                          {"registry.example.org/patient-api:1", []*unstructured.Unstructured{imported, master()}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{Image: tc.image})
			s.World.Resources = append(s.World.Resources, tc.declared...)
			if diff := cmp.Diff([]string{tc.want}, sentences(controlOf("automatic-logoff").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
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
