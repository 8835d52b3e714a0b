package catalog

import (
	"net/netip"
	"strings"
)

// connection is what an address says of the connection that it leads to.
type connection struct {
	to    *database
	grade tlsGrade
	// local says that the server is in the pod.
	local bool
	// inherits says that PGSSLMODE counts where the address is silent.
	inherits bool
	// authority is the sslrootcert of an address of PostgreSQL.
	authority string
}

// databasesByScheme are the schemes of addresses, without what names the driver.
var databasesByScheme = map[string]*database{
	"postgres": postgreSQL, "postgresql": postgreSQL, "postgis": postgreSQL, "cockroachdb": postgreSQL, "pgsql": postgreSQL,
	"mysql": mySQL, "mariadb": mySQL, "mysqlx": mySQL, "mysql2": mySQL,
	"mongodb": mongoDB, "redis": redis, "rediss": redis, "valkey": redis, "valkeys": redis,
	"amqp": amqp, "amqps": amqp, "kafka": kafka, "sasl_ssl": kafka, "sasl_plaintext": kafka, "plaintext": kafka,
	"sqlserver": sqlServer, "mssql": sqlServer,
}

// connectionIn reads an address of a database: a URL, with or without jdbc: before
// it, a libpq string of key=value, a connection string of ADO.NET or ODBC, or what
// Go's MySQL driver takes.
func connectionIn(value string) (connection, bool) {
	value = strings.TrimSpace(value)
	if len(value) < 6 || len(value) > 8192 {
		return connection{}, false
	}
	if scheme, rest, found := strings.Cut(value, "://"); found && len(scheme) < 40 {
		return ofURL(strings.ToLower(scheme), rest)
	}
	switch {
	case strings.HasPrefix(value, "jdbc:postgresql:"):
		return connection{to: postgreSQL, local: true}, true // without a host it is the driver's default, localhost
	case strings.Contains(value, "@tcp(") || strings.HasPrefix(value, "tcp("):
		return ofGoMySQL(value), true
	case strings.Contains(value, "=") && containsFold(value, "host", "server", "data source", "address", "ssl=", "abortconnect="):
		return ofPairs(value)
	default:
		return connection{}, false
	}
}

func ofURL(scheme, rest string) (connection, bool) {
	jdbc := strings.HasPrefix(scheme, "jdbc:")
	base, driver, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(scheme, "jdbc:"), "r2dbc:"), "+")
	base, _, _ = strings.Cut(base, ":")
	kind := databasesByScheme[base]
	if kind == nil {
		return connection{}, false
	}
	host, query := split(rest, kind)
	given := parameters(query)
	c := connection{to: kind, local: isLocal(host, given), inherits: kind == postgreSQL && !jdbc}
	switch kind {
	case postgreSQL:
		c.grade, c.authority = given.postgres(jdbc), given["sslrootcert"]
	case mySQL:
		c.grade = given.mysql(jdbc, base == "mariadb")
	case mongoDB:
		c.grade = given.mongo(driver == "srv")
	case redis:
		c.grade = given.redis(base == "rediss" || base == "valkeys")
	case amqp:
		c.grade = given.amqp(base == "amqps")
	case kafka:
		c.grade = ofListeners(scheme, rest)
	default:
		c.grade = given.sqlServer()
	}
	return c, true
}

// split takes the host and the parameters of a URL apart.
func split(rest string, kind *database) (host, query string) {
	if kind == sqlServer {
		host, query, _ = strings.Cut(rest, ";")
		if query == "" {
			host, query, _ = strings.Cut(rest, "?")
		}
	} else {
		host, query, _ = strings.Cut(rest, "?")
	}
	host, _, _ = strings.Cut(host, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return host, query
}

// isLocal reports whether every host of an address is the pod itself.
func isLocal(hosts string, given settings) bool {
	if hosts == "" {
		named := given["host"] + given["hostaddr"] + given["server"] + given["servername"]
		return named == "" && given["service"] == "" || isLoopback(named)
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !isLoopback(host) {
			return false
		}
	}
	return true
}

// isLoopback reports whether a host, with or without its port, is the pod itself:
// a loopback address, or a unix socket.
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(host, "tcp:")))
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "%2f") || strings.HasPrefix(host, "unix:") {
		return true
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return address.IsLoopback()
	}
	if i := strings.LastIndexAny(host, ":,"); i > 0 {
		host = strings.Trim(host[:i], "[]")
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "localhost" || host == "." || host == "(local)"
}

// settings are the parameters of an address, by their bare names.
type settings map[string]string

func parameters(query string) settings {
	query, _, _ = strings.Cut(query, "#")
	return pairs(query, "&;")
}

func pairs(text, between string) settings {
	given := settings{}
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(between, r) }) {
		name, value, _ := strings.Cut(field, "=")
		given[bare(name)] = strings.TrimSpace(value)
	}
	return given
}

// first is the grade of the first of some parameters that is there.
func (g settings) first(names ...string) tlsGrade {
	for _, name := range names {
		if value, there := g[name]; there {
			return gradeOf(value)
		}
	}
	return tlsUnsaid
}

func (g settings) isTrue(name string) bool { return gradeOf(g[name]) == tlsOn }

func (g settings) postgres(jdbc bool) tlsGrade {
	grade := g.first("sslmode", "ssl")
	if _, mode := g["sslmode"]; !mode && jdbc && grade == tlsOn {
		grade = tlsFull // pgjdbc takes ssl=true for verify-full
	}
	switch {
	case grade < tlsOn:
	case g["sslrootcert"] == "system":
		grade = tlsFull
	case g["sslrootcert"] != "":
		grade = best(grade, tlsAuthority)
	}
	if g.isTrue("trustservercertificate") || strings.Contains(strings.ToLower(g["sslfactory"]), "nonvalidating") {
		grade = notAbove(grade, tlsOn)
	}
	return grade
}

// mysql knows the names of Connector/J, of MariaDB's connector, and of drivers of Go,
// Node, Python, Ruby and .NET. Connector/J falls back to plaintext under useSSL=true
// alone.
func (g settings) mysql(jdbc, mariadb bool) tlsGrade {
	if grade := g.first("sslmode"); grade != tlsUnsaid {
		return grade
	}
	if jdbc || g["usessl"] != "" {
		return g.connectorJ(mariadb)
	}
	switch {
	case g.isTrue("ssldisabled"):
		return tlsOff
	case strings.HasPrefix(g["ssl"], "{"):
		if strings.Contains(bare(g["ssl"]), "rejectunauthorized:true") {
			return tlsFull
		}
		return tlsOn
	case g["sslaccept"] != "":
		return best(tlsOn, notAbove(gradeOf(g["sslaccept"]), tlsFull))
	case g["sslca"] != "":
		return tlsAuthority
	default:
		return g.first("tls", "ssl")
	}
}

func (g settings) connectorJ(mariadb bool) tlsGrade {
	switch use := g.first("usessl"); {
	case use == tlsOff || use == tlsUnread:
		return use
	case mariadb && use == tlsOn:
		if g.isTrue("trustservercertificate") {
			return tlsOn
		}
		return tlsFull
	case g.isTrue("verifyservercertificate"):
		return tlsAuthority
	case g.isTrue("requiressl"):
		return tlsOn
	case use == tlsOn:
		return tlsOff
	default:
		return tlsUnsaid
	}
}

func (g settings) mongo(srv bool) tlsGrade {
	grade := g.first("tls", "ssl")
	if grade == tlsUnsaid && srv {
		grade = tlsFull
	}
	if grade == tlsOn {
		grade = tlsFull
	}
	for _, name := range []string{"tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames", "sslinvalidhostnameallowed"} {
		if g.isTrue(name) {
			grade = notAbove(grade, tlsOn)
		}
	}
	return grade
}

func (g settings) redis(secured bool) tlsGrade {
	switch {
	case !secured:
		return g.first("ssl", "tls")
	case gradeOf(g["sslcertreqs"]) == tlsOff, g.isTrue("insecure"):
		return tlsOn
	default:
		return tlsFull
	}
}

// amqp looks for verify, because clients of amqps:// take any server without it.
func (g settings) amqp(secured bool) tlsGrade {
	switch {
	case !secured:
		return tlsUnsaid
	case bare(g["verify"]) == "verifypeer":
		return tlsFull
	default:
		return tlsOn
	}
}

func (g settings) sqlServer() tlsGrade {
	grade := g.first("encrypt")
	if grade == tlsOn {
		grade = tlsFull
	}
	if g.isTrue("trustservercertificate") {
		grade = notAbove(grade, tlsOn)
	}
	return grade
}

// ofListeners is the lowest grade of Kafka's PROTOCOL://host:port,PROTOCOL://host:port.
func ofListeners(scheme, rest string) tlsGrade {
	lowest := listener(scheme)
	for other := range strings.SplitSeq(rest, ",") {
		if protocol, _, found := strings.Cut(other, "://"); found {
			lowest = min(lowest, listener(strings.ToLower(strings.TrimSpace(protocol))))
		}
	}
	return lowest
}

func listener(scheme string) tlsGrade {
	switch scheme {
	case "ssl", "sasl_ssl", "kafka+ssl":
		return tlsFull
	case "plaintext", "sasl_plaintext":
		return tlsOff
	default:
		return tlsUnsaid
	}
}

// ofGoMySQL reads user@tcp(host:3306)/name?tls=true.
func ofGoMySQL(value string) connection {
	_, rest, _ := strings.Cut(value, "tcp(")
	host, rest, _ := strings.Cut(rest, ")")
	_, query, _ := strings.Cut(rest, "?")
	c := connection{to: mySQL, local: isLoopback(host), grade: tlsUnsaid}
	switch value := parameters(query)["tls"]; gradeOf(value) {
	case tlsOn:
		c.grade = tlsFull
		if bare(value) == "skipverify" {
			c.grade = tlsOn
		}
	case tlsUnread:
		if c.grade = tlsUnread; !refersElsewhere(value) {
			c.grade = tlsAuthority // the name of a configuration that the application registers
		}
	case tlsOff:
		c.grade = tlsOff
	default:
	}
	return c
}

// ofPairs reads key=value strings: with spaces between them they are libpq's, with
// semicolons those of .NET and ODBC.
func ofPairs(value string) (connection, bool) {
	if rest, is := strings.CutPrefix(value, "pgsql:"); is {
		value = strings.ReplaceAll(rest, ";", " ")
	}
	if !strings.Contains(value, ";") {
		given := pairs(value, " ")
		_, hosted := given["host"]
		_, addressed := given["hostaddr"]
		if !(hosted || addressed) || given["dbname"]+given["user"]+given["sslmode"]+given["port"] == "" {
			return ofRedisList(value)
		}
		return connection{
			to: postgreSQL, local: isLocal(given["host"]+given["hostaddr"], given), grade: given.postgres(false), inherits: true, authority: given["sslrootcert"],
		}, true
	}
	return ofConnectionString(pairs(value, ";"))
}

func ofConnectionString(given settings) (connection, bool) {
	host := given["server"] + given["datasource"] + given["host"] + given["address"]
	named := given["database"] + given["initialcatalog"] + given["uid"] + given["userid"] + given["username"] + given["userid"]
	switch {
	case host == "" || named == "":
		return connection{}, false
	case given["host"] != "":
		return connection{to: postgreSQL, local: isLoopback(host), grade: given.postgres(false)}, true
	case given["sslmode"] != "" || given["uid"] != "" && given["encrypt"] == "":
		return connection{to: mySQL, local: isLoopback(host), grade: given.mysql(false, false)}, true
	default:
		return connection{to: sqlServer, local: isLoopback(host), grade: given.sqlServer()}, true
	}
}

// ofRedisList reads what clients of .NET take: host:6380,ssl=true,abortConnect=false.
func ofRedisList(value string) (connection, bool) {
	host, rest, several := strings.Cut(value, ",")
	given := pairs(rest, ",")
	_, aborts := given["abortconnect"]
	if _, said := given["ssl"]; !several || strings.ContainsAny(host, " =") || !said && !aborts {
		return connection{}, false
	}
	grade := given.first("ssl")
	if grade == tlsOn {
		grade = tlsFull
	}
	return connection{to: redis, local: isLoopback(host), grade: grade}, true
}
