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
		"addresses in its image is not seen here, and network-isolation holds it to what is declared.",
	Parameters: []control.Parameter{
		{
			Path: "transmission.databaseTLS", Basis: control.BasisGuidance,
			Meaning: "The least that connections must ask for: Require (TLS and nothing else) or VerifyFull (from the server of that name, as NIST SP 800-52r2 has clients do). Default Require.",
		},
		{
			Path: "transmission.databaseSettings", Basis: control.BasisProfile,
			Meaning: "Complete adds PGSSLMODE to containers that name a server by PGHOST and say nothing about TLS: verify-full where PGSSLROOTCERT is there, and require otherwise. Never where a Secret might say it already. A server without TLS is cut off. Default AsDeclared.",
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
			completeLibpq(pod, s.World.ConfigMaps)
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
func (t *databaseTLS) silent(path, what string, to *database) {
	t.add(control.Failed(path, "%s leads to %s and asks for no TLS", what, to.name).But("%s", to.remedy))
}

// configMap judges what files in a ConfigMap say, and of its other keys what can be
// told without the container that takes them.
func (t *databaseTLS) configMap() {
	entries := control.EntriesOf(t.subject.ConfigMap)
	for _, e := range entries {
		c, is := connectionIn(e.Value)
		switch {
		case !is:
			t.named(e, entries, inFile(e))
		case c.local:
			t.local = true
		case c.grade != tlsUnsaid:
			t.asked(e.Path, quoted(e.Name), c.to, c.grade)
		case inFile(e):
			if grade := besideIt(c.to, entries); grade != tlsUnsaid {
				t.asked(e.Path, quoted(e.Name), c.to, grade)
				continue
			}
			t.silent(e.Path, quoted(e.Name), c.to)
		}
	}
}
