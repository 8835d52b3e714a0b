package catalog

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "database-tls",
	Title:    "Connect to databases with TLS only",
	Cites:    []hipaa.Citation{hipaa.TransmissionEncryption, hipaa.TransmissionSecurity},
	Severity: control.High,
	Since:    1,
	Why: "Records cross the network on their way to the database, the cache and the queue. Most drivers speak plaintext unless they are told " +
		"otherwise, or fall back to it without a word when the server or somebody in between declines TLS.",
	Remedy: "ask for TLS in the settings of the connection, with no way back to plaintext",
	Decides: "What containers are told, at admission and live: their environment, also where it comes from ConfigMaps, their command and " +
		"args, and the files in ConfigMaps. Read are addresses of PostgreSQL, MySQL and MariaDB, MongoDB, Redis, AMQP, Kafka and SQL Server as " +
		"URL, JDBC, libpq, .NET and ODBC write them, PG variables, variables that name a server (REDIS_HOST, DB_SERVER) with those of the same words, in the same container or file, that " +
		"speak of TLS (FORCE_DATABASE_SSL_CONNECT, REDIS_TLS), and calls of redis-cli, mysql, psql, mongosh, sqlcmd and their like. An address, a " +
		"driver's variables or a call that leave TLS out, turn it off or let it fall back (sslmode prefer, useSSL alone) fail. TLS without proof of the " +
		"server passes as a lower grade unless the profile asks for VerifyFull. A variable that only names a server, with nothing about " +
		"TLS beside it, is Unknown, which refuses: the application may ask for TLS by itself, and nothing shows it. What comes from a Secret cannot be read: " +
		"where the name says that it is an address the verdict stays Unknown live and nothing is refused, and otherwise it is no finding. Servers on " +
		"loopback or behind a unix socket are in the pod and do not count. Settings are what the application is told, not what it does: one that has its " +
		"addresses in its image is not seen here, and network-isolation holds it to what is declared. " +
		"Where the profile completes settings (transmission.databaseSettings), it does so by variables that libpq, Grafana and Guacamole document; the drivers of MySQL, " +
		"MongoDB, Redis, AMQP, Kafka and SQL Server read none, and are told in the address. A client that is told to look at the certificate and lacks that of the " +
		"authority connects to nobody: so nothing is added where the file that PGSSLROOTCERT or its like names is not surely mounted - a key of a ConfigMap that is there, " +
		"a Secret's that the pod names or leaves whole, a projected or a CSI volume - and the finding says what to mount.",
	Parameters: []control.Parameter{
		{
			Path: "transmission.databaseTLS", Basis: control.BasisGuidance,
			Meaning: "The least that connections must ask for: Require (TLS and nothing else) or VerifyFull (from the server of that name, as NIST SP 800-52r2 has clients do). Default Require.",
		},
		{
			Path: "transmission.databaseSettings", Basis: control.BasisProfile,
			Meaning: "Complete tells containers that name a server and say nothing about TLS to ask for it: PGSSLMODE beside PGHOST, GF_DATABASE_SSL_MODE of Grafana on PostgreSQL, POSTGRESQL_SSL_MODE and MYSQL_SSL_MODE of Guacamole. " +
				"Where the certificate of the authority is named (PGSSLROOTCERT and its like) they are to look at the server's name too, and only if a volume holds it. Never where a Secret or a file might say it already. A server without TLS is cut off. Default AsDeclared.",
		},
	},
	Example: `apiVersion: v1
kind: Pod
metadata: {name: patient-api, namespace: ehr, labels: {app: patient-api}}
spec:
  serviceAccountName: patient-api
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    env:
    - {name: SPRING_DATASOURCE_URL, value: "jdbc:postgresql://patient-db.ehr.svc/records?sslmode=verify-full&sslrootcert=/run/db/ca.crt"}
    - {name: REDIS_URL, value: "rediss://cache.ehr.svc:6380/0"}
    - {name: SERVER_SERVLET_SESSION_TIMEOUT, value: 15m}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`,
	Judges: control.Pods | control.ConfigMaps,
	Needs:  control.Settings,
	Check: func(s control.Subject) []control.Finding {
		t := &databaseTLS{subject: &s}
		switch s.Kind() {
		case control.Pods:
			t.pod()
		case control.ConfigMaps:
			t.configMap()
		default:
			return nil
		}
		return t.conclude()
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if s.Profile.Transmission.DatabaseSettings == hipaav1.DatabaseSettingsComplete {
			completeTLS(pod, s.World.ConfigMaps)
		}
	},
	Breaks: databaseTLSBreaks,
})

// databaseTLS collects what one object says of connections to databases.
type databaseTLS struct {
	subject  *control.Subject
	findings []control.Finding
	local    bool
}

// conclude says where there is nothing to judge.
func (t *databaseTLS) conclude() []control.Finding {
	switch {
	case len(t.findings) > 0:
		return t.findings
	case t.local:
		return []control.Finding{control.NotApplicable("every database that its settings name is in the pod itself")}
	default:
		return []control.Finding{control.NotApplicable("its settings name no database")}
	}
}

func (t *databaseTLS) add(f control.Finding) {
	said := slices.ContainsFunc(t.findings, func(other control.Finding) bool { return other.Path == f.Path && other.Message == f.Message })
	if !said {
		t.findings = append(t.findings, keyed(t.findings, f))
	}
}

// asked is the finding about a connection whose settings say something about TLS.
func (t *databaseTLS) asked(path, what string, to *database, grade tlsGrade) {
	full := t.subject.Profile.Transmission.DatabaseTLS == hipaav1.DatabaseTLSVerifyFull
	switch {
	case grade == tlsOff:
		t.add(control.Failed(path, "%s lets the connection to %s be plaintext", what, to.name).But("%s", to.remedy))
	case grade == tlsUnread:
		t.add(control.Undecided(path, "%s asks %s for TLS in words that cannot be read here", what, to.name).But("%s", to.remedy))
	case grade < tlsFull && full:
		t.add(control.Failed(path, "%s asks %s for TLS and takes any server for it, and the profile asks for VerifyFull", what, to.name).But("%s", to.remedy))
	case grade == tlsOn:
		t.add(control.Met(path, "%s asks %s for TLS, whoever the server is", what, to.name))
	case grade == tlsAuthority:
		t.add(control.Met(path, "%s asks %s for TLS from a server of a known authority", what, to.name))
	default:
		t.add(control.Met(path, "%s asks %s for TLS from the server of that name", what, to.name))
	}
}

// silent is the finding about an address, a call or a driver's variables that leave
// TLS to the driver's default.
func silent(path, what string, to *database) control.Finding {
	return control.Failed(path, "%s leads to %s and asks for no TLS", what, to.name).But("%s", to.remedy)
}

// configMap judges what files in a ConfigMap say, and of its other keys what can be
// told without the container that takes them.
func (t *databaseTLS) configMap() {
	entries := control.EntriesOf(t.subject.ConfigMap)
	for _, e := range entries {
		c, is := connectionIn(e.Value)
		switch {
		case !is:
			var told *container
			if inFile(e) {
				told = &container{}
			}
			t.named(e, entries, told)
		case c.local:
			t.local = true
		case c.grade != tlsUnsaid:
			t.asked(e.Path, quoted(e.Name), c.to, c.grade)
		case inFile(e):
			if grade := besideIt(c.to, entries); grade != tlsUnsaid {
				t.asked(e.Path, quoted(e.Name), c.to, grade)
				continue
			}
			t.add(silent(e.Path, quoted(e.Name), c.to))
		}
	}
}
