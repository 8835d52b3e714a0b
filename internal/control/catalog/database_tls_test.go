package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
)

func TestAddressesOfDatabasesAreRead(t *testing.T) {
	const none, unsaid, off, unread, on, authority, full, local = "none", "unsaid", "off", "unread", "on", "authority", "full", "local"
	names := map[tlsGrade]string{tlsUnsaid: unsaid, tlsOff: off, tlsUnread: unread, tlsOn: on, tlsAuthority: authority, tlsFull: full}
	for address, want := range map[string][2]string{
		"postgres://u:p@db:5432/x":                                            {"PostgreSQL", unsaid},
		"postgresql+psycopg2://db/x?sslmode=disable":                          {"PostgreSQL", off},
		"postgresql://db/x?sslmode=allow":                                     {"PostgreSQL", off},
		"postgres://db/x?sslmode=prefer":                                      {"PostgreSQL", off},
		"postgres://db/x?sslmode=require":                                     {"PostgreSQL", on},
		"postgres://db/x?a=b&sslmode=require&sslrootcert=/ca":                 {"PostgreSQL", authority},
		"postgres://db/x?sslmode=require&sslrootcert=system":                  {"PostgreSQL", full},
		"postgres://db/x?sslmode=verify-ca":                                   {"PostgreSQL", authority},
		"postgres://db,db2/x?sslmode=verify-full":                             {"PostgreSQL", full},
		"postgres://db/x?sslmode=${MODE}":                                     {"PostgreSQL", unread},
		"postgres://db/x?sslmode=perhaps":                                     {"PostgreSQL", unread},
		"postgres://localhost/x":                                              {"PostgreSQL", local},
		"postgres://u@127.0.0.1:5432/x":                                       {"PostgreSQL", local},
		"postgres://[::1]:5432/x":                                             {"PostgreSQL", local},
		"postgres:///x?host=/run/postgresql":                                  {"PostgreSQL", local},
		"postgres:///x?host=db":                                               {"PostgreSQL", unsaid},
		"postgres:///x?service=ehr":                                           {"PostgreSQL", unsaid},
		"postgres://localhost,db/x":                                           {"PostgreSQL", unsaid},
		"postgres://localhost.example.org/x":                                  {"PostgreSQL", unsaid},
		"postgres://127.0.0.1.example.org/x":                                  {"PostgreSQL", unsaid},
		"jdbc:postgresql://db:5432/x?ApplicationName=y":                       {"PostgreSQL", unsaid},
		"jdbc:postgresql://db/x?ssl=true":                                     {"PostgreSQL", full},
		"jdbc:postgresql://db/x?ssl=true&sslmode=require":                     {"PostgreSQL", on},
		"jdbc:postgresql://db/x?ssl=true&sslfactory=org.x.NonValidating":      {"PostgreSQL", on},
		"jdbc:postgresql:records":                                             {"PostgreSQL", local},
		"r2dbc:postgresql://db/x?sslMode=verify-full":                         {"PostgreSQL", full},
		"host=db dbname=x sslmode=verify-full":                                {"PostgreSQL", full},
		"host=db user=x":                                                      {"PostgreSQL", unsaid},
		"host=/run/postgresql dbname=x":                                       {"PostgreSQL", local},
		"pgsql:host=db;dbname=x;sslmode=require":                              {"PostgreSQL", on},
		"Host=db;Username=x;SSL Mode=VerifyFull":                              {"PostgreSQL", full},
		"Host=db;Username=x;SSL Mode=Require;Trust Server Certificate=true":   {"PostgreSQL", on},
		"mysql://u:p@db/x":                                                    {"MySQL", unsaid},
		"mysql+pymysql://db/x?ssl_ca=/ca":                                     {"MySQL", authority},
		"mysql://db/x?ssl-mode=VERIFY_IDENTITY":                               {"MySQL", full},
		"mysql://db/x?ssl={\"rejectUnauthorized\":true}":                      {"MySQL", full},
		"mysql://db/x?ssl={\"rejectUnauthorized\":false}":                     {"MySQL", on},
		"mysql://db/x?sslaccept=strict":                                       {"MySQL", full},
		"mysql://db/x?ssl_disabled=true":                                      {"MySQL", off},
		"jdbc:mysql://db/x":                                                   {"MySQL", unsaid},
		"jdbc:mysql://db/x?useSSL=false":                                      {"MySQL", off},
		"jdbc:mysql://db/x?useSSL=true":                                       {"MySQL", off},
		"jdbc:mysql://db/x?useSSL=true&requireSSL=true":                       {"MySQL", on},
		"jdbc:mysql://db/x?useSSL=true&verifyServerCertificate=true":          {"MySQL", authority},
		"jdbc:mysql:loadbalance://db,db2/x?sslMode=REQUIRED":                  {"MySQL", on},
		"jdbc:mariadb://db/x?useSSL=true":                                     {"MySQL", full},
		"jdbc:mariadb://db/x?useSSL=true&trustServerCertificate=true":         {"MySQL", on},
		"u:p@tcp(db:3306)/x":                                                  {"MySQL", unsaid},
		"u:p@tcp(db:3306)/x?tls=preferred":                                    {"MySQL", off},
		"u:p@tcp(db:3306)/x?tls=skip-verify":                                  {"MySQL", on},
		"u:p@tcp(db:3306)/x?tls=ehr":                                          {"MySQL", authority},
		"u:p@tcp(db:3306)/x?tls=${TLS}":                                       {"MySQL", unread},
		"u:p@tcp(db:3306)/x?tls=true":                                         {"MySQL", full},
		"u:p@tcp(127.0.0.1:3306)/x":                                           {"MySQL", local},
		"Server=db;Uid=x;SslMode=Required":                                    {"MySQL", on},
		"mongodb://u:p@a,b/x?replicaSet=r":                                    {"MongoDB", unsaid},
		"mongodb://a/x?tls=true":                                              {"MongoDB", full},
		"mongodb://a/x?ssl=true&tlsAllowInvalidCertificates=true":             {"MongoDB", on},
		"mongodb+srv://a/x":                                                   {"MongoDB", full},
		"mongodb+srv://a/x?tls=false":                                         {"MongoDB", off},
		"redis://:p@cache:6379/0":                                             {"Redis", unsaid},
		"rediss://cache:6379/0":                                               {"Redis", full},
		"rediss://cache:6379/0?ssl_cert_reqs=none":                            {"Redis", on},
		"redis://localhost:6379":                                              {"Redis", local},
		"cache:6380,password=x,ssl=True,abortConnect=False":                   {"Redis", full},
		"cache:6379,abortConnect=False":                                       {"Redis", unsaid},
		"amqp://queue/v":                                                      {"AMQP", unsaid},
		"amqps://queue/v":                                                     {"AMQP", on},
		"amqps://queue/v?verify=verify_peer":                                  {"AMQP", full},
		"SASL_SSL://a:9093,SASL_SSL://b:9093":                                 {"Kafka", full},
		"SASL_SSL://a:9093,PLAINTEXT://b:9092":                                {"Kafka", off},
		"kafka+ssl://a:9093":                                                  {"Kafka", full},
		"jdbc:sqlserver://db:1433;databaseName=x":                             {"SQL Server", unsaid},
		"jdbc:sqlserver://db:1433;encrypt=true;trustServerCertificate=false;": {"SQL Server", full},
		"jdbc:sqlserver://db:1433;encrypt=true;trustServerCertificate=true":   {"SQL Server", on},
		"jdbc:sqlserver://;serverName=db;encrypt=false":                       {"SQL Server", off},
		"mssql+pyodbc://u:p@db/x?driver=ODBC&Encrypt=yes":                     {"SQL Server", full},
		"Server=tcp:db,1433;Initial Catalog=x;Encrypt=Strict":                 {"SQL Server", full},
		"Server=db;Database=x;Encrypt=Optional":                               {"SQL Server", off},
		"Data Source=localhost;Initial Catalog=x":                             {"SQL Server", local},
		"https://example.org?sslmode=disable":                                 {"", none},
		"a=b;c=d":                                                             {"", none},
		"-Xmx512m -Dfoo=bar":                                                  {"", none},
		"a,b,c":                                                               {"", none},
	} {
		c, is := connectionIn(address)
		got := [2]string{"", none}
		if is {
			got = [2]string{c.to.name, names[c.grade]}
			if c.local {
				got[1] = local
			}
		}
		if got != want {
			t.Errorf("connectionIn(%q) = %q, want %q", address, got, want)
		}
	}
}

// env makes variables of names and values.
func env(namesAndValues ...string) []corev1.EnvVar {
	var list []corev1.EnvVar
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		list = append(list, corev1.EnvVar{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return list
}

func fromSecret(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}
}

func fromMap(name, config, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: config}, Key: key,
	}}}
}

func configMap(name string, keysAndValues ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ehr"}, Data: map[string]string{}}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		m.Data[keysAndValues[i]] = keysAndValues[i+1]
	}
	return m
}

// podOf is a subject whose pod has one container, and the ConfigMaps around it.
func podOf(c corev1.Container, around ...*corev1.ConfigMap) control.Subject {
	s := controltest.Baseline(control.Pods)
	s.Pod.Spec.Containers = []corev1.Container{c}
	s.Pod.Spec.Volumes = nil
	for _, m := range around {
		s.World.ConfigMaps[m.Name] = m
		s.Pod.Spec.Volumes = append(s.Pod.Spec.Volumes, corev1.Volume{Name: m.Name, VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: m.Name}},
		}})
	}
	return s
}

func TestWhatContainersAreToldOfDatabases(t *testing.T) {
	for name, tc := range map[string]struct {
		give   corev1.Container
		around []*corev1.ConfigMap
		full   bool
		want   []string
	}{
		"nothing": {want: []string{"NotApplicable: its settings name no database"}},
		"other things": {
			give: corev1.Container{Env: env("PATIENT_API", "http://patient-api:8080", "POSTGRES_DB", "x", "MYSQL_ROOT_HOST", "%", "DB_HOST_ENABLED", "true"), Args: []string{"mysqld", "--ssl=1"}},
			want: []string{"NotApplicable: its settings name no database"},
		},
		"a server in the pod": {
			give: corev1.Container{Env: env("PGHOST", "127.0.0.1", "REDIS_HOST", "localhost", "DATABASE_URL", "mysql://localhost/x")},
			want: []string{"NotApplicable: every database that its settings name is in the pod itself"},
		},
		"variables of libpq": {
			give: corev1.Container{Env: env("PGHOST", "db", "PGSSLMODE", "verify-full", "PGSSLROOTCERT", "/ca")},
			want: []string{`Pass: spec.containers[0].env[0] "PGSSLMODE" asks PostgreSQL for TLS from the server of that name`},
		},
		"variables of libpq that fall back": {
			give: corev1.Container{Env: env("PGHOST", "db", "PGSSLMODE", "prefer")},
			want: []string{`spec.containers[0].env[0] "PGSSLMODE" lets the connection to PostgreSQL be plaintext`},
		},
		"an address that PGSSLMODE completes, and one of JDBC that it does not": {
			give: corev1.Container{Env: env("PGSSLMODE", "require", "A_URL", "postgres://db/x", "B_URL", "jdbc:postgresql://db/x")},
			want: []string{
				`Pass: spec.containers[0].env[1] "A_URL" asks PostgreSQL for TLS, whoever the server is`,
				`spec.containers[0].env[2] "B_URL" leads to PostgreSQL and asks for no TLS`,
			},
		},
		"PGSSLMODE from a Secret": {
			give: corev1.Container{Env: append(env("PGHOST", "db"), fromSecret("PGSSLMODE"))},
			want: []string{`Unknown: spec.containers[0].env[0] "PGSSLMODE" asks PostgreSQL for TLS in words that cannot be read here`},
		},
		"TLS without proof, where the profile wants it": {
			give: corev1.Container{Env: env("URL", "postgres://db/x?sslmode=require", "CACHE", "rediss://cache")}, full: true,
			want: []string{
				`spec.containers[0].env[0] "URL" asks PostgreSQL for TLS and takes any server for it, and the profile asks for VerifyFull`,
				`Pass: spec.containers[0].env[1] "CACHE" asks Redis for TLS from the server of that name`,
			},
		},
		"OpenEMR": {
			give: corev1.Container{Env: env("MYSQL_HOST", "mysql", "REDIS_SERVER", "redisproxy", "FORCE_DATABASE_SSL_CONNECT", "1")},
			want: []string{
				`Pass: spec.containers[0].env[0] "MYSQL_HOST" asks MySQL for TLS, whoever the server is`,
				`Unknown: spec.containers[0].env[1] "REDIS_SERVER" names a server of Redis, and nothing shows that TLS is asked for`,
			},
		},
		"TLS turned off beside the server": {
			give: corev1.Container{Env: env("DB_HOST", "db", "DB_SSL", "false", "DB_SSL_CA", "/ca")},
			want: []string{`spec.containers[0].env[0] "DB_HOST" lets the connection to a database be plaintext`},
		},
		"a server by its port": {
			give: corev1.Container{Env: env("UPSTREAM_SERVERS", "a:6379,b:6379", "DB_HOST", "db:5432", "API_HOST", "api:54321")},
			want: []string{
				`Unknown: spec.containers[0].env[0] "UPSTREAM_SERVERS" names a server of Redis, and nothing shows that TLS is asked for`,
				`Unknown: spec.containers[0].env[1] "DB_HOST" names a server of PostgreSQL, and nothing shows that TLS is asked for`,
			},
		},
		"Kafka by its protocol": {
			give: corev1.Container{Env: env("KAFKA_BOOTSTRAP_SERVERS", "a:9093,b:9093", "KAFKA_SECURITY_PROTOCOL", "SASL_SSL")},
			want: []string{`Pass: spec.containers[0].env[0] "KAFKA_BOOTSTRAP_SERVERS" asks Kafka for TLS from the server of that name`},
		},
		"phpMyAdmin by its configuration": {
			give:   corev1.Container{Env: env("PMA_HOSTS", "mysql")},
			around: []*corev1.ConfigMap{configMap("c", "config.php", "$cfg['Servers'][$i]['ssl'] = true;\n$cfg['Servers'][$i]['ssl_verify'] = true;\n")},
			want:   []string{`Pass: spec.containers[0].env[0] "PMA_HOSTS" asks MySQL for TLS from the server of that name`},
		},
		"values of ConfigMaps, and one that is not there": {
			give:   corev1.Container{Env: []corev1.EnvVar{fromMap("X_URL", "c", "url"), fromMap("DATABASE_URL", "c", "no"), fromMap("COLOUR", "c", "no")}},
			around: []*corev1.ConfigMap{configMap("c", "url", "mongodb://db/x")},
			want: []string{
				`ConfigMap/c data.url "X_URL" leads to MongoDB and asks for no TLS`,
				`Unknown: spec.containers[0].env[1] "DATABASE_URL" comes from a ConfigMap that is not there or lacks the key`,
			},
		},
		"Secrets, by name": {
			give: corev1.Container{Env: []corev1.EnvVar{fromSecret("DATABASE_URL"), fromSecret("MONGODB_URI"), fromSecret("DB_PASSWORD"), fromSecret("CALLBACK_URL"), fromSecret("CONNECTION_STRING")}},
			want: []string{
				`Unknown: spec.containers[0].env[0] "DATABASE_URL" comes from a Secret, which the operator does not read (live)`,
				`Unknown: spec.containers[0].env[1] "MONGODB_URI" comes from a Secret, which the operator does not read (live)`,
				`Unknown: spec.containers[0].env[4] "CONNECTION_STRING" comes from a Secret, which the operator does not read (live)`,
			},
		},
		"arguments": {
			give: corev1.Container{Args: []string{"--spring.datasource.url=jdbc:mysql://db/x?sslMode=DISABLED", "-Dcache=rediss://c", "amqp://$(HOST)/v"}, Env: env("HOST", "localhost")},
			want: []string{
				`spec.containers[0].args[0] "spring.datasource.url" lets the connection to MySQL be plaintext`,
				`Pass: spec.containers[0].args[0] "cache" asks Redis for TLS from the server of that name`,
			},
		},
		"calls of clients": {
			give: corev1.Container{Command: []string{"sh", "-c", "M=$(redis-cli --raw -h $i -a $P info)\nredis-cli --tls -h c ping; redis-cli ping\nmysql -hdb --ssl-mode=REQUIRED x\npsql -h db x\nmongosh --host localhost\nsqlcmd -S db -N -C"}},
			want: []string{
				`spec.containers[0].command[2] line 1 redis-cli calls a server of Redis and asks for no TLS`,
				`Pass: spec.containers[0].command[2] line 2 redis-cli asks Redis for TLS from the server of that name`,
				`Pass: spec.containers[0].command[2] line 3 mysql asks MySQL for TLS, whoever the server is`,
				`spec.containers[0].command[2] line 4 psql calls a server of PostgreSQL and asks for no TLS`,
				`Pass: spec.containers[0].command[2] line 6 sqlcmd asks SQL Server for TLS, whoever the server is`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(tc.give, tc.around...)
			if tc.full {
				s.Profile.Transmission.DatabaseTLS = hipaav1.DatabaseTLSVerifyFull
			}
			if diff := cmp.Diff(tc.want, sentences(controlOf("database-tls").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatConfigMapsSayOfDatabases(t *testing.T) {
	for name, tc := range map[string]struct {
		key, value string
		want       []string
	}{
		"nothing":                                    {"LOG", "info", []string{"NotApplicable: its settings name no database"}},
		"a key that the container may complete":      {"DATABASE_URL", "postgres://db/x", []string{"NotApplicable: its settings name no database"}},
		"a key that turns TLS off":                   {"DATABASE_URL", "postgres://db/x?sslmode=disable", []string{`data.DATABASE_URL "DATABASE_URL" lets the connection to PostgreSQL be plaintext`}},
		"a server that the container may know about": {"REDIS_HOST", "cache", []string{"NotApplicable: its settings name no database"}},
		"a file that is silent":                      {"a.yaml", "db:\n  url: jdbc:mysql://db/x\n", []string{`data.a.yaml line 2 "db.url" leads to MySQL and asks for no TLS`}},
		"a file that says it beside the address":     {"a.yaml", "cache:\n  url: redis://db\n  ssl: true\n", []string{`Pass: data.a.yaml line 2 "cache.url" asks Redis for TLS, whoever the server is`}},
		"a server in the pod":                        {"a.yaml", "db:\n  url: redis://localhost\n", []string{"NotApplicable: every database that its settings name is in the pod itself"}},
		"a server in a file, and no word about TLS":  {"a.yaml", "spring:\n  redis:\n    host: cache\n", []string{`Unknown: data.a.yaml line 3 "spring.redis.host" names a server of Redis, and nothing shows that TLS is asked for`}},
		"replication of MySQL": {
			"a.sql", "CHANGE MASTER TO\nMASTER_HOST='db',\nMASTER_SSL=1,\nMASTER_SSL_VERIFY_SERVER_CERT=1;\n",
			[]string{`Pass: data.a.sql line 2 "MASTER_HOST" asks MySQL for TLS from the server of that name`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.ConfigMaps).Of(configMap("c", tc.key, tc.value))
			if diff := cmp.Diff(tc.want, sentences(controlOf("database-tls").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindingsOfLinesHaveKeysThatStay(t *testing.T) {
	keys := func(value string) []string {
		var list []string
		for _, f := range controlOf("database-tls").Check(controltest.Baseline(control.ConfigMaps).Of(configMap("c", "f", value))) {
			list = append(list, f.Key)
		}
		return list
	}
	one, moved, two := keys("a\nurl: redis://a\n"), keys("a\nb\nurl: redis://b\n"), keys("url: redis://a\nurl: redis://b\n")
	if diff := cmp.Diff(one, moved); diff != "" {
		t.Errorf("a line above changes the key (-before +after):\n%s", diff)
	}
	if len(two) != 2 || two[0] != one[0] || two[1] == one[0] {
		t.Errorf("keys of two lines are %q, that of one is %q", two, one)
	}
}

func TestPGSSLMODEIsAddedWhereItCannotWeaken(t *testing.T) {
	for name, tc := range map[string]struct {
		give []corev1.EnvVar
		from []corev1.EnvFromSource
		off  bool
		want string
	}{
		"not unless the profile opts in": {give: env("PGHOST", "db"), off: true},
		"where nothing is said":          {give: env("PGHOST", "db"), want: "require"},
		"with the authority":             {give: env("PGHOST", "db", "PGSSLROOTCERT", "/ca"), want: "verify-full"},
		"not in the pod itself":          {give: env("PGHOST", "localhost")},
		"not without a server":           {give: env("PGUSER", "x")},
		"not over what is there":         {give: env("PGHOST", "db", "PGSSLMODE", "disable"), want: "disable"},
		"not beside a whole Secret":      {give: env("PGHOST", "db"), from: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{}}}},
		"not for a server in a Secret":   {give: []corev1.EnvVar{fromSecret("PGHOST")}},
		"not beside a service file":      {give: env("PGHOST", "db", "PGSERVICE", "ehr")},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{Env: tc.give, EnvFrom: tc.from})
			if !tc.off {
				s.Profile.Transmission.DatabaseSettings = hipaav1.DatabaseSettingsComplete
			}
			for range 2 {
				controlOf("database-tls").Mutate(s, s.Pod)
			}
			got := ""
			for _, e := range s.Pod.Spec.Containers[0].Env[min(len(tc.give), 1):] {
				if e.Name == "PGSSLMODE" {
					got += e.Value
				}
			}
			if got != tc.want {
				t.Errorf("PGSSLMODE = %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzConnectionIn(f *testing.F) {
	f.Add("jdbc:postgresql://[::1]:5432,db/x?sslmode=require&a=b;c")
	f.Add("u:p@tcp(db:3306)/x?tls=true")
	f.Add("Server=tcp:db,1433;Database=x;Encrypt=yes")
	f.Fuzz(func(t *testing.T, value string) {
		if c, is := connectionIn(value); is && c.to == nil {
			t.Error("an address leads nowhere")
		}
	})
}
