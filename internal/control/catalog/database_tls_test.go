package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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

// mountedAt puts a volume of some source under a path of the first container.
func mountedAt(at string, source corev1.VolumeSource) func(*corev1.PodSpec) {
	return func(p *corev1.PodSpec) {
		p.Volumes = append(p.Volumes, corev1.Volume{Name: "ca", VolumeSource: source})
		p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "ca", MountPath: at})
	}
}

func keysAt(keysAndPaths ...string) []corev1.KeyToPath {
	var list []corev1.KeyToPath
	for i := 0; i+1 < len(keysAndPaths); i += 2 {
		list = append(list, corev1.KeyToPath{Key: keysAndPaths[i], Path: keysAndPaths[i+1]})
	}
	return list
}

func ofMap(name string, items ...corev1.KeyToPath) corev1.VolumeSource {
	return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Items: items}}
}

func ofSecret(items ...corev1.KeyToPath) corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls", Items: items}}
}

func projected(source corev1.VolumeProjection) corev1.VolumeSource {
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{}, source}}}
}

// wanted are the variables that are added to the first container.
func wanted(s control.Subject, before int) []string {
	var added []string
	for _, e := range s.Pod.Spec.Containers[0].Env[before:] {
		added = append(added, e.Name+"="+e.Value)
	}
	return added
}

func TestTLSIsAskedForWhereThatCannotWeaken(t *testing.T) {
	grafana := env("GF_DATABASE_TYPE", "postgres", "GF_DATABASE_HOST", "db:5432")
	for name, tc := range map[string]struct {
		image string
		give  []corev1.EnvVar
		from  []corev1.EnvFromSource
		pod   func(*corev1.PodSpec)
		off   bool
		want  []string
	}{
		"not unless the profile opts in": {give: env("PGHOST", "db"), off: true},
		"where nothing is said":          {give: env("PGHOST", "db"), want: []string{"PGSSLMODE=require"}},
		"with the system's authorities":  {give: env("PGHOST", "db", "PGSSLROOTCERT", "system"), want: []string{"PGSSLMODE=verify-full"}},
		"with an authority that is mounted": {
			give: env("PGHOST", "db", "PGSSLROOTCERT", "/ca/$(CA)", "CA", "ca.crt"), pod: mountedAt("/ca", ofSecret()), want: []string{"PGSSLMODE=verify-full"},
		},
		"not with an authority that is not":        {give: env("PGHOST", "db", "PGSSLROOTCERT", "/ca/ca.crt")},
		"not with one that cannot be read":         {give: append(env("PGHOST", "db"), fromSecret("PGSSLROOTCERT"))},
		"not where an address has another that is": {give: env("PGHOST", "db", "X_URL", "postgres://db/x?sslrootcert=/no.crt")},
		"beside an address that decides for itself": {
			give: env("PGHOST", "db", "X_URL", "postgres://db/x?sslmode=verify-full&sslrootcert=/in/image.crt"), want: []string{"PGSSLMODE=require"},
		},
		"not in the pod itself":          {give: env("PGHOST", "localhost")},
		"not without a server":           {give: env("PGUSER", "x")},
		"not over what is there":         {give: env("PGHOST", "db", "PGSSLMODE", "disable")},
		"not beside a whole Secret":      {give: env("PGHOST", "db"), from: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{}}}},
		"not for a server in a Secret":   {give: []corev1.EnvVar{fromSecret("PGHOST")}},
		"not beside a service file":      {give: env("PGHOST", "db", "PGSERVICE", "ehr")},
		"Grafana on PostgreSQL":          {image: "grafana/grafana:12.1.0", give: grafana, want: []string{"GF_DATABASE_SSL_MODE=require"}},
		"another image's of these names": {image: "registry.example.org/dashboards:1", give: grafana},
		"not Grafana on MySQL":           {image: "grafana/grafana", give: env("GF_DATABASE_TYPE", "mysql", "GF_DATABASE_HOST", "db")},
		"not Grafana by an address":      {image: "grafana/grafana", give: append(env("GF_DATABASE_URL", "postgres://db/x"), grafana...)},
		"not Grafana whose file may say": {image: "grafana/grafana", give: grafana, pod: mountedAt("/etc/grafana", ofSecret())},
		"not Grafana whose file says":    {image: "grafana/grafana", give: grafana, pod: mountedAt("/etc/grafana", ofMap("grafana"))},
		"Grafana with its authority, whatever its file says": {
			image: "grafana/grafana", give: append(env("GF_DATABASE_CA_CERT_PATH", "/ca/ca.crt"), grafana...), pod: mountedAt("/ca", ofSecret()),
			want: []string{"GF_DATABASE_SSL_MODE=verify-full"},
		},
		"Guacamole on PostgreSQL": {image: "guacamole/guacamole:1.6.0", give: env("POSTGRESQL_HOSTNAME", "db"), want: []string{"POSTGRESQL_SSL_MODE=require"}},
		"Guacamole on MySQL":      {image: "guacamole/guacamole", give: env("MYSQL_HOSTNAME", "db"), want: []string{"MYSQL_SSL_MODE=required"}},
		"Guacamole on MySQL with a trust store": {
			image: "guacamole/guacamole", give: env("MYSQL_HOSTNAME", "db", "MYSQL_SSL_TRUST_STORE", "/ca/trust.jks"), pod: mountedAt("/ca", ofSecret()),
			want: []string{"MYSQL_SSL_MODE=verify-identity"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{Image: tc.image, Env: tc.give, EnvFrom: tc.from})
			s.World.ConfigMaps["grafana"] = configMap("grafana", "grafana.ini", "[database]\nssl_mode = verify-full\n")
			if tc.pod != nil {
				tc.pod(&s.Pod.Spec)
			}
			if !tc.off {
				s.Profile.Transmission.DatabaseSettings = hipaav1.DatabaseSettingsComplete
			}
			for range 2 {
				controlOf("database-tls").Mutate(s, s.Pod)
			}
			if diff := cmp.Diff(tc.want, wanted(s, len(tc.give))); diff != "" {
				t.Errorf("added (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAuthorityIsLookedForWhereItIsNamed(t *testing.T) {
	const none, kept, open = "names a file that no volume mounts into the container", `names a file that volume "ca" does not hold for certain`,
		`names a file in volume "ca", of which nothing shows that it is there`
	optional := ofSecret()
	optional.Secret.Optional = ptr.To(true)
	bundle := &corev1.ClusterTrustBundleProjection{Name: ptr.To("databases"), Path: "ca.crt"}
	for name, tc := range map[string]struct {
		pod  func(*corev1.PodSpec)
		want string
	}{
		"nowhere":                    {want: none},
		"beside it":                  {pod: mountedAt("/run/db-more", ofSecret()), want: none},
		"a Secret":                   {pod: mountedAt("/run/db", ofSecret())},
		"a Secret above it":          {pod: mountedAt("/run", ofSecret()), want: kept},
		"a Secret's item":            {pod: mountedAt("/run/", ofSecret(keysAt("tls.crt", "x", "ca", "db/ca.crt")...))},
		"a Secret without the item":  {pod: mountedAt("/run/db", ofSecret(keysAt("ca.crt", "root.crt")...)), want: kept},
		"a Secret that may be away":  {pod: mountedAt("/run/db", optional), want: kept},
		"a ConfigMap":                {pod: mountedAt("/run/db", ofMap("authority"))},
		"a ConfigMap without it":     {pod: mountedAt("/run/db", ofMap("other")), want: kept},
		"a ConfigMap that is away":   {pod: mountedAt("/run/db", ofMap("gone")), want: kept},
		"an item the map lacks":      {pod: mountedAt("/run/db", ofMap("authority", keysAt("no.crt", "ca.crt")...)), want: kept},
		"a projected ConfigMap":      {pod: mountedAt("/run/db", projected(corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "authority"}}}))},
		"a projected Secret":         {pod: mountedAt("/run/db", projected(corev1.VolumeProjection{Secret: &corev1.SecretProjection{Items: keysAt("a", "ca.crt")}}))},
		"a ClusterTrustBundle":       {pod: mountedAt("/run/db", projected(corev1.VolumeProjection{ClusterTrustBundle: bundle}))},
		"a token alone":              {pod: mountedAt("/run/db", projected(corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "ca.crt"}})), want: kept},
		"a CSI volume":               {pod: mountedAt("/run/db", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.cert-manager.io"}})},
		"what an init container may": {pod: mountedAt("/run/db", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}), want: open},
		"the node":                   {pod: mountedAt("/run/db", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}), want: open},
		"one file of a Secret": {pod: func(p *corev1.PodSpec) {
			mountedAt("/run/db/ca.crt", ofSecret(keysAt("ca", "root.crt")...))(p)
			p.Containers[0].VolumeMounts[0].SubPath = "root.crt"
		}},
		"a folder that a variable names": {pod: func(p *corev1.PodSpec) {
			mountedAt("/run/db", ofSecret())(p)
			p.Containers[0].VolumeMounts[0].SubPathExpr = "$(POD)"
		}, want: open},
		"under a deeper mount": {pod: func(p *corev1.PodSpec) {
			p.Volumes = append(p.Volumes, corev1.Volume{Name: "above", VolumeSource: ofSecret(keysAt("x", "db/ca.crt")...)})
			p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "above", MountPath: "/run"})
			mountedAt("/run/db", ofMap("other"))(p)
		}, want: kept},
		"a volume that is not declared": {pod: func(p *corev1.PodSpec) {
			p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "ca", MountPath: "/run/db"})
		}, want: open},
	} {
		t.Run(name, func(t *testing.T) {
			s := podOf(corev1.Container{Env: env("PGHOST", "db", "PGSSLROOTCERT", "/run/db/ca.crt")})
			s.World.ConfigMaps["authority"], s.World.ConfigMaps["other"] = configMap("authority", "ca.crt", "x"), configMap("other", "root.crt", "x")
			s.Profile.Transmission.DatabaseSettings = hipaav1.DatabaseSettingsComplete
			if tc.pod != nil {
				tc.pod(&s.Pod.Spec)
			}
			controlOf("database-tls").Mutate(s, s.Pod)
			want, added := []string{`Pass: spec.containers[0].env[0] "PGSSLMODE" asks PostgreSQL for TLS from the server of that name`}, []string{"PGSSLMODE=verify-full"}
			if tc.want != "" {
				want, added = []string{`spec.containers[0].env[0] "PGHOST" leads to PostgreSQL and asks for no TLS, and PGSSLMODE is not added: PGSSLROOTCERT ` + tc.want}, nil
			}
			if diff := cmp.Diff(added, wanted(s, 2)); diff != "" {
				t.Errorf("added (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, sentences(controlOf("database-tls").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFindingSaysWhatToMount(t *testing.T) {
	s := podOf(corev1.Container{Image: "grafana/grafana", Env: env("GF_DATABASE_TYPE", "postgres", "GF_DATABASE_HOST", "db", "GF_DATABASE_CA_CERT_PATH", "/ca.crt")})
	s.Profile.Transmission.DatabaseSettings = hipaav1.DatabaseSettingsComplete
	findings := controlOf("database-tls").Check(s)
	const message = `"GF_DATABASE_HOST" names a server of a database, and nothing shows that TLS is asked for, and GF_DATABASE_SSL_MODE is not added: ` +
		"GF_DATABASE_CA_CERT_PATH names a file that no volume mounts into the container"
	const remedy = "mount the certificate of the server's authority as the file that GF_DATABASE_CA_CERT_PATH names, from a ConfigMap, a Secret, a projected or a " +
		"CSI volume that has it; GF_DATABASE_SSL_MODE=verify-full is then added to new pods"
	if len(findings) != 1 || findings[0].Message != message || findings[0].Remedy != remedy {
		t.Errorf("findings: %+v", findings)
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
