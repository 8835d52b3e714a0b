package catalog

import (
	"slices"
	"strings"
)

// database is a kind of server whose clients are told by settings how to connect.
type database struct {
	// name is what people call it.
	name string
	// words of the names of its settings.
	words []string
	// shared are words that its settings have in common with others'.
	shared []string
	// remedy says how its clients ask for TLS.
	remedy string
}

// Databases, caches and queues. What holds for one of them holds for what speaks its
// protocol.
var (
	postgreSQL = &database{"PostgreSQL", []string{"postgres", "postgresql", "pg", "psql", "pgsql"}, sharedWords,
		"set sslmode=verify-full with the certificate of its authority: in the address, or as PGSSLMODE and PGSSLROOTCERT"}
	mySQL = &database{"MySQL", []string{"mysql", "mariadb", "pma"}, sharedWords,
		"ask for TLS in the address: sslMode=VERIFY_IDENTITY, or what the driver calls it (ssl-mode, tls=true)"}
	mongoDB   = &database{"MongoDB", []string{"mongo", "mongodb"}, sharedWords, "set tls=true in the address"}
	redis     = &database{"Redis", []string{"redis", "valkey", "keydb"}, []string{"cache"}, "use an address of rediss://, or the client's own setting for TLS"}
	amqp      = &database{"AMQP", []string{"amqp", "rabbitmq", "rabbit"}, []string{"broker", "queue"}, "use an address of amqps:// with verify=verify_peer"}
	kafka     = &database{"Kafka", []string{"kafka"}, []string{"broker"}, "set security.protocol to SSL or SASL_SSL"}
	sqlServer = &database{"SQL Server", []string{"mssql", "sqlserver"}, sharedWords, "set encrypt=true;trustServerCertificate=false in the address"}
	// anyDatabase is one whose settings do not say of what kind it is.
	anyDatabase = &database{"a database", nil, sharedWords, "set what makes the application ask its database for TLS"}
)

var databases = []*database{postgreSQL, mySQL, mongoDB, redis, amqp, kafka, sqlServer}

// sharedWords stand in names of settings for any database.
var sharedWords = []string{"db", "database", "databases", "datasource", "sql", "jdbc", "rdbms"}

// tlsGrade says how much a connection asks for.
type tlsGrade int

const (
	// tlsUnsaid asks for nothing, so that the client's default counts.
	tlsUnsaid tlsGrade = iota
	// tlsOff is plaintext, or falls back to it.
	tlsOff
	// tlsUnread is said where it cannot be read.
	tlsUnread
	// tlsOn is TLS or nothing; the server may be anybody.
	tlsOn
	// tlsAuthority is TLS with a server of a known authority.
	tlsAuthority
	// tlsFull is TLS with the server of that name.
	tlsFull
)

// gradesByWord are the values of settings about TLS, without punctuation.
var gradesByWord = map[string]tlsGrade{
	"": tlsUnsaid,

	"disable": tlsOff, "disabled": tlsOff, "allow": tlsOff, "prefer": tlsOff, "preferred": tlsOff, "optional": tlsOff, "none": tlsOff,
	"no": tlsOff, "false": tlsOff, "0": tlsOff, "off": tlsOff, "plaintext": tlsOff, "saslplaintext": tlsOff, "plain": tlsOff,

	"require": tlsOn, "required": tlsOn, "requiretls": tlsOn, "requiressl": tlsOn, "true": tlsOn, "1": tlsOn, "yes": tlsOn, "on": tlsOn,
	"trust": tlsOn, "skipverify": tlsOn, "mandatory": tlsOn, "enabled": tlsOn, "enable": tlsOn, "encrypt": tlsOn, "tls": tlsOn, "ssl": tlsOn,

	"null": tlsOff, "nostarttls": tlsOff, "opportunisticstarttls": tlsOff, "starttls": tlsOn, "mandatorystarttls": tlsOn,

	"verifyca": tlsAuthority, "verifyfull": tlsFull, "verifyidentity": tlsFull, "strict": tlsFull, "saslssl": tlsFull,
}

// gradeOf reads the value of a setting about TLS. What is filled in from elsewhere,
// or is no word that means something, cannot be read.
func gradeOf(value string) tlsGrade {
	if grade, known := gradesByWord[bare(value)]; known {
		return grade
	}
	return tlsUnread
}

var punctuation = strings.NewReplacer("-", "", "_", "", " ", "", ".", "", "'", "", `"`, "")

// bare is a word in lower case without what different drivers put between its parts.
func bare(text string) string { return punctuation.Replace(strings.ToLower(strings.TrimSpace(text))) }

// best is the higher of two grades.
func best(a, b tlsGrade) tlsGrade { return max(a, b) }

// notAbove lowers a grade that claims more than something beside it leaves.
func notAbove(grade, most tlsGrade) tlsGrade { return min(grade, most) }

var (
	tlsWords = []string{"ssl", "tls", "sslmode", "tlsmode", "ssltls", "usessl", "usetls", "encrypt", "encryption", "requiressl", "requiretls", "secure", "starttls"}
	// tlsDetails are last words of settings that say how TLS is done, not whether.
	tlsDetails = []string{
		"ca", "cert", "certs", "certificate", "certificates", "key", "keys", "crt", "pem", "path", "file", "dir", "directory", "cipher", "ciphers",
		"version", "versions", "port", "host", "name", "password", "keystore", "truststore", "store", "type", "timeout", "location", "suites", "bundle", "protocols",
	}
)

// tlsSetting reads a setting that says whether connections to a database are
// secured: its name has words of the database and of TLS.
func tlsSetting(words []string, value string, of []string) (tlsGrade, bool) {
	if !share(words, of) || value == "" {
		return tlsUnsaid, false
	}
	if slices.Contains(words, "verify") || slices.Contains(words, "verification") {
		if share(words, tlsWords) && gradeOf(value) >= tlsOn {
			return tlsFull, true
		}
		return tlsUnsaid, false
	}
	if isSecurityProtocol(words) {
		grade := gradeOf(value)
		if grade == tlsOn { // Kafka's SSL looks at the server's name
			grade = tlsFull
		}
		return grade, true
	}
	if !share(words, tlsWords) || slices.Contains(tlsDetails, last(words)) {
		return tlsUnsaid, false
	}
	return gradeOf(value), true
}

func isSecurityProtocol(words []string) bool {
	return len(words) > 1 && last(words) == "protocol" && words[len(words)-2] == "security"
}
