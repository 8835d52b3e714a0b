package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
)

// Tokens are put together here, so that scanners of repositories take none of them
// for real.
var (
	gitHubToken = "ghp_" + "x7Kq2Lm9Zt4Rw8Yb3Nc6Vd1Fg5Hj0PaSeUiO"
	stripeToken = "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc"
	slackHook   = "https://hooks.slack." + "com/services/T01ABCDEF23/B01ABCDEF23/x7Kq2Lm9Zt4Rw8Yb3Nc6Vd1F"
	privateKey  = "-----BEGIN " + "RSA PRIVATE KEY-----"
)

// What is found, and above all what is not.
func TestWhatIsACredential(t *testing.T) {
	for text, want := range map[string]bool{
		"PASSWORD=hunter2":                           true,
		"MYSQL_ROOT_PASSWORD=root":                   true,
		"OE_PASS=pass":                               true,
		"PGPASSWORD=123456":                          true,
		"spring.datasource.password=x":               true,
		"redisAdminPass=adminpassword":               true,
		"requirepass=x1":                             true,
		"CLIENT_SECRET=abcd":                         true,
		"API_KEY=4f9a1c77":                           true,
		"SECRET_KEY=django-insecure":                 true,
		"githubToken=abcdef":                         true,
		"PASSWORD=${DB_PASSWORD:changeit}":           true,
		"PASSWORD=pa$$word":                          true,
		"PASSWORD=$Tr0ng!":                           true,
		"TOKEN_GITHUB=x7Kq2Lm9Zt4Rw8Yb":              true,
		"DATABASE_URL=postgres://app:hunter2@db/x":   true,
		"REDIS=redis://:hunter2@cache:6379":          true,
		"DSN=app:hunter2@tcp(db:3306)/x":             true,
		"DSN=host=db password=hunter2 dbname=x":      true,
		"CS=Server=db;Uid=x;Pwd=hunter2;":            true,
		"JDBC=jdbc:mysql://db/x?user=a&password=b":   true,
		"NOTE=" + gitHubToken:                        true,
		"NOTE=Bearer " + stripeToken:                 true,
		"HOOK=" + slackHook:                          true,
		"KEY=" + privateKey + "\nMIIEvQ\n":           true,
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENG": true,

		"PASSWORD=": false,
		"POSTGRES_PASSWORD_FILE=/run/secrets/password":        false,
		"PASSWORD=/run/secrets/password":                      false,
		"PASSWORD_MIN_LENGTH=12":                              false,
		"PASSWORD_POLICY=strict":                              false,
		"SPRING_SECURITY_PASSWORD_ENCODER=bcrypt":             false,
		"ALLOW_EMPTY_PASSWORD=yes":                            false,
		"MYSQL_ALLOW_EMPTY_PASSWORD=1":                        true, // 1 would be a password
		"PASSWORD=${DB_PASSWORD}":                             false,
		"PASSWORD=$(DB_PASSWORD)":                             false,
		"PASSWORD=$DB_PASSWORD":                               false,
		"PASSWORD=${DB_PASSWORD:}":                            false,
		"PASSWORD=${DB_PASSWORD:?missing}":                    false,
		"PASSWORD={{ .Values.password }}":                     false,
		"PASSWORD=<password>":                                 false,
		"PASSWORD=********":                                   false,
		"PASSWORD=%DB_PASSWORD%":                              false,
		"PASSWORD=vault:secret/data/db#password":              false,
		"PASSWORD=getenv('DB_PASSWORD')":                      false,
		"TOKEN_TTL=3600":                                      false,
		"ACCESS_TOKEN_VALIDITY=15m":                           false,
		"TOKEN=3600":                                          false,
		"TOKEN=15m":                                           false,
		"TOKEN_URL=https://idp.example.org/token":             false,
		"OAUTH_TOKEN_ENDPOINT=https://idp.example.org/token":  false,
		"TLS_SECRET=hapi-tls":                                 false,
		"imagePullSecret=regcred":                             false,
		"SECRET_NAME=hapi-db":                                 false,
		"PASSWORD_SECRET_KEY=password":                        true, // may be a key by that name
		"API_KEY_HEADER=X-Api-Key":                            false,
		"SORT_KEY=name":                                       false,
		"PRIMARY_KEY=id":                                      false,
		"KEYCLOAK_URL=https://sso.example.org":                false,
		"MONKEY=banana":                                       false,
		"COMPASS=north":                                       false,
		"proxy_pass=backend":                                  false,
		"NEXT_PAGE_TOKEN=abcdef":                              false,
		"TOKEN_ISSUER=https://idp":                            false,
		"JWT_SECRET=false":                                    false,
		"SECRET_MANAGER=aws":                                  false,
		"DATABASE_URL=postgres://app@db/x":                    false,
		"DATABASE_URL=postgres://app:$(DB_PASSWORD)@db/x":     false,
		"DATABASE_URL=postgres://app:${PW}@db/x?password=$PW": false,
		"JAVA_OPTS=-Xmx512m -Dfile.encoding=UTF-8":            false,
		"IMAGE=registry.example.org/app@sha256:9a1ed35addb45476afa911696297f8e115993df459278ed036182dd2cd22b67b": false,
		"TRACE_ID=4bf92f3577b34da6a3ce929d0e0e4736":                                                              false,
		"BUILD=2026.11.22-4f9a1c77d2e0":                                                                          false,
		"UUID=014df517-39d1-4453-b7b3-9930c563627c":                                                              false,
		"PATIENT_API=http://patient-api.ehr.svc:8080":                                                            false,
		"HAPI_FHIR_USE_APACHE_ADDRESS_STRATEGY=true":                                                             false,
	} {
		name, value, _ := strings.Cut(text, "=")
		e := &embedded{}
		if got := e.setting("p", name, value); got != want {
			t.Errorf("%s: found %t, want %t: %q", text, got, want, sentences(e.findings))
		}
		for _, f := range e.findings {
			if len(value) > 5 && strings.Contains(f.Message, value) {
				t.Errorf("the finding quotes the value: %s", f.Message)
			}
		}
	}
}

func TestCredentialsOfContainers(t *testing.T) {
	for name, tc := range map[string]struct {
		give corev1.Container
		want []string
	}{
		"nothing": {},
		"variables": {
			give: corev1.Container{Env: append(env("MYSQL_USER", "openemr", "REDIS_PASSWORD", "defaultpassword"), fromSecret("MYSQL_PASS"), fromMap("OE_PASS", "c", "p"))},
			want: []string{`spec.containers[0].env[1] "REDIS_PASSWORD" holds a literal credential`},
		},
		"arguments": {
			give: corev1.Container{Command: []string{"app"}, Args: []string{"--db-password", "hunter2", "--port", "80", "--token=$(TOKEN)", "-Dkey.api-key=" + gitHubToken, gitHubToken}},
			want: []string{
				`spec.containers[0].args[0] "db-password" holds a literal credential`,
				`spec.containers[0].args[0] "key.api-key" holds a literal credential`,
				`spec.containers[0].args[0] a word has the form of a credential (github-pat)`,
			},
		},
		"a script": {
			give: corev1.Container{Args: []string{"A_PASSWORD=adminpassword\nif [ \"$A_PASSWORD\" == \"\" ]; then\nredis-cli -a $A_PASSWORD ping\nredis-cli -a hunter2 ping\ncurl -u a:b https://x\ncurl -u $U https://x\nmysql -phunter2 -P 3306\nmysql -p -h db\nsshpass -p $P ssh x\n"}},
			want: []string{
				`spec.containers[0].args[0] line 1 "A_PASSWORD" holds a literal credential`,
				`spec.containers[0].args[0] line 4 redis-cli is given a literal credential`,
				`spec.containers[0].args[0] line 5 curl is given a literal credential`,
				`spec.containers[0].args[0] line 7 mysql is given a literal credential`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sentences(controlOf("no-embedded-credentials").Check(podOf(tc.give)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredentialsInConfigMaps(t *testing.T) {
	const certificate = "-----BEGIN CERTIFICATE-----\nEAAAx7Kq2Lm9Zt4Rw8Yb3Nc6Vd1Fg5Hj0PaSeUiOghp\n-----END CERTIFICATE-----\n"
	for name, tc := range map[string]struct {
		value string
		want  []string
	}{
		"a certificate":    {value: certificate},
		"Redis":            {value: "port 6379\nmasterauth x1\nmasteruser r\nuser a on >b ~*\nuser c on #abc ~*\nsentinel auth-pass m x1\n", want: []string{`data.f line 2 "masterauth" holds a literal credential`, "data.f line 4 a rule of Redis holds a literal credential", "data.f line 6 a line of Redis holds a literal credential"}},
		"SQL":              {value: "CREATE USER 'a'@'%' IDENTIFIED BY 'b';\nALTER ROLE a WITH PASSWORD 'b';\nALTER ROLE a PASSWORD '';\nCREATE USER a IDENTIFIED BY '${P}';\nMASTER_PASSWORD='b',\n", want: []string{"data.f line 1 SQL holds a literal credential", "data.f line 2 SQL holds a literal credential", `data.f line 5 "MASTER_PASSWORD" holds a literal credential`}},
		"JSON":             {value: "{\n  \"redisAdminPass\" : \"adminpassword\",\n  \"debug\": false\n}", want: []string{`data.f line 2 "redisAdminPass" holds a literal credential`}},
		"a token in prose": {value: "the token is\n  " + gitHubToken + "\n", want: []string{"data.f line 2 a word has the form of a credential (github-pat)"}},
		"a private key":    {value: privateKey + "\nMIIEvQ\n-----END RSA PRIVATE KEY-----\n", want: []string{`data.f line 1 "f" holds a private key`}},
		"nginx":            {value: "location / {\n  proxy_pass http://app;\n  auth_basic_user_file /etc/nginx/p;\n}\n"},
		"YAML":             {value: "auth:\n  password: ${P}\n  tokenTTL: 5m\n  secret:\n    name: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.ConfigMaps).Of(configMap("c", "f", tc.value))
			if diff := cmp.Diff(tc.want, sentences(controlOf("no-embedded-credentials").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A rule that does not compile would panic at the first word with its keyword.
func TestEveryRuleOfTokensCompiles(t *testing.T) {
	if len(tokenRules) < 100 {
		t.Errorf("there are %d rules only", len(tokenRules))
	}
	for _, rule := range tokenRules {
		rule.matches("x")
		for _, k := range rule.keywords {
			if len(k) < 2 || k != strings.ToLower(k) {
				t.Errorf("rule %s has keyword %q, which is never found", rule.name, k)
			}
		}
	}
}

// A tenant must not keep admission busy with a ConfigMap full of keywords.
func TestTheSearchForTokensEnds(t *testing.T) {
	var text strings.Builder
	for text.Len() < 1<<20-4096 {
		for _, rule := range tokenRules {
			text.WriteString(rule.keywords[0] + "1a")
		}
		text.WriteString("\n")
	}
	s := controltest.Baseline(control.ConfigMaps).Of(configMap("c", "f", text.String()))
	findings := sentences(controlOf("no-embedded-credentials").Check(s))
	if len(findings) == 0 || findings[len(findings)-1] != "Unknown: data holds more that looks like tokens than can be looked through" {
		t.Errorf("findings = %q", findings)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("DATABASE_URL", "postgres://a:b@c/d?password=e")
	f.Add("x", "user a on >b; IDENTIFIED BY 'c")
	f.Fuzz(func(_ *testing.T, name, value string) {
		e := &embedded{}
		e.setting("p", name, value)
		statement(name, value)
		e.configMap(configMap("c", "f", name+"\n"+value))
		e.commands(control.CommandsOf(control.Container{Container: &corev1.Container{Args: []string{value, name}}}))
	})
}

// manyVariables is a pod of three containers with twenty variables each.
func manyVariables() control.Subject {
	s := podOf(corev1.Container{})
	s.Pod.Spec.Containers = nil
	for range 3 {
		c := corev1.Container{Args: []string{"--config=/etc/app.yaml", "--port", "8080"}}
		for i := range 4 {
			n := string(rune('A' + i))
			c.Env = append(c.Env, env("LOG_LEVEL_"+n, "info", "PATIENT_API_"+n, "https://patient-api.ehr.svc:8443/fhir/R4", "TRACE_ID_"+n, "4bf92f3577b34da6a3ce929d0e0e4736",
				"PASSWORD_FILE_"+n, "/run/credentials/password", "JAVA_OPTS_"+n, "-Xmx512m -Dfile.encoding=UTF-8")...)
		}
		s.Pod.Spec.Containers = append(s.Pod.Spec.Containers, c)
	}
	return s
}

func BenchmarkSettings(b *testing.B) {
	s := manyVariables()
	for _, id := range []string{"no-embedded-credentials", "database-tls"} {
		c := controlOf(id)
		b.Run(id, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Check(s)
			}
		})
	}
}
