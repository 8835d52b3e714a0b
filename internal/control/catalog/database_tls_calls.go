package catalog

import (
	"path"
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// databaseClient is a program that connects to a database as its flags say.
type databaseClient struct {
	to *database
	// hosts are the flags that name the server; without one it is the pod itself.
	hosts []string
	// secured are the flags that ask for TLS, with the grade of those without a value.
	secured map[string]tlsGrade
	// environment says that PG variables count.
	environment bool
	remedy      string
}

var (
	mySQLFlags = map[string]tlsGrade{"--ssl-mode": tlsUnsaid, "--ssl": tlsOn, "--ssl-verify-server-cert": tlsFull, "--skip-ssl": tlsOff}
	mongoFlags = map[string]tlsGrade{"--tls": tlsFull, "--ssl": tlsFull}
	clients    = byProgram(map[string]databaseClient{
		"redis-cli valkey-cli": {redis, []string{"-h"}, map[string]tlsGrade{"--tls": tlsFull}, false, "add --tls"},
		"mysql mysqldump mysqladmin mysqlimport mariadb mariadb-dump mariadb-admin": {
			mySQL, []string{"-h", "--host"}, mySQLFlags, false, "add --ssl-mode=VERIFY_IDENTITY, or --ssl-verify-server-cert for MariaDB",
		},
		"psql pg_dump pg_dumpall pg_restore pg_basebackup pgbench": {postgreSQL, []string{"-h", "--host"}, nil, true, "set PGSSLMODE=verify-full"},
		"mongosh mongo mongodump mongorestore mongoexport":         {mongoDB, []string{"--host", "-h"}, mongoFlags, false, "add --tls"},
		"sqlcmd bcp": {sqlServer, []string{"-S"}, map[string]tlsGrade{"-N": tlsFull}, false, "add -N"},
	})
)

func byProgram(lists map[string]databaseClient) map[string]databaseClient {
	programs := map[string]databaseClient{}
	for names, c := range lists {
		for name := range strings.FieldsSeq(names) {
			programs[name] = c
		}
	}
	return programs
}

// call judges a command that runs such a program.
func (t *databaseTLS) call(command control.Command, environment []control.Setting) {
	at := slices.IndexFunc(command.Words, func(word string) bool { return clients[path.Base(word)].to != nil })
	if at < 0 {
		return
	}
	program := path.Base(command.Words[at])
	c := clients[program]
	host, grade := c.read(command.Words[at+1:])
	switch {
	case host == "":
		return // it calls the pod itself, or its address is judged as one
	case isLoopback(expanded(host, environment)):
		t.local = true
		return
	case c.environment:
		grade = libpqGrade(environment)
	}
	if grade == tlsUnsaid {
		t.add(control.Failed(command.Path, "%s calls a server of %s and asks for no TLS", program, c.to.name).But("%s", c.remedy))
		return
	}
	t.asked(command.Path, program, c.to, grade)
}

// read finds the host and what flags ask for.
func (c *databaseClient) read(words []string) (host string, grade tlsGrade) {
	careless := slices.Contains(words, "--insecure") || c.to == sqlServer && slices.Contains(words, "-C")
	for i, word := range words {
		flag, value, given := strings.Cut(word, "=")
		if !given && i+1 < len(words) {
			value = words[i+1]
		}
		switch {
		case slices.Contains(c.hosts, flag):
			host = value
		case len(flag) > 2 && flag[1] != '-' && slices.Contains(c.hosts, flag[:2]):
			host = flag[2:]
		}
		switch asks, known := c.secured[flag]; {
		case !known:
		case asks == tlsUnsaid || given && gradeOf(value) == tlsOff:
			grade = gradeOf(value)
		default:
			grade = best(grade, asks)
		}
	}
	if careless { // any server is taken
		grade = notAbove(grade, tlsOn)
	}
	return host, grade
}
